#include "support/text.h"

#include <fmt/format.h>

#include "support/utf8.h"

namespace ggufc {
namespace {

// C0, DELETE and C1.
bool IsControl(uint32_t code) { return code < 0x20 || (code >= 0x7f && code < 0xa0); }

}  // namespace

bool IsPrintable(uint32_t code) {
  const bool reorders = (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
                        (code >= 0x2066 && code <= 0x2069);
  return !IsControl(code) && !reorders && code < kInvalidByte;
}

namespace {

void AppendPrintable(std::string& out, uint32_t code, std::string_view bytes) {
  if (IsPrintable(code)) {
    out += bytes;
  } else {
    for (const char byte : bytes) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
  }
}

}  // namespace

std::string Quoted(std::string_view text) {
  constexpr size_t kMaxBytes = 96;
  std::string out = "'";
  size_t position = 0;
  while (position < text.size()) {
    const Utf8Char c = DecodeUtf8(text.substr(position));
    if (position + c.bytes > kMaxBytes) break;
    AppendPrintable(out, c.code, text.substr(position, c.bytes));
    position += c.bytes;
  }
  out += position < text.size() ? "...'" : "'";
  return out;
}

std::string Printable(std::string_view text) {
  std::string out;
  for (size_t position = 0; position < text.size();) {
    const Utf8Char c = DecodeUtf8(text.substr(position));
    AppendPrintable(out, c.code, text.substr(position, c.bytes));
    position += c.bytes;
  }
  return out;
}

std::string NameFault(std::string_view name) {
  for (size_t position = 0; position < name.size();) {
    const Utf8Char c = DecodeUtf8(name.substr(position));
    const auto byte = static_cast<unsigned char>(name[position]);
    if (c.code >= kInvalidByte) return fmt::format("byte 0x{:02x} at {} is not UTF-8", byte, position);
    if (IsControl(c.code)) return fmt::format("U+{:04X} at byte {} is a control character", c.code, position);
    position += c.bytes;
  }
  return {};
}

}  // namespace ggufc
