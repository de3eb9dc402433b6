#include "runtime/store/image_format.h"

#include <cstring>
#include <vector>

#include "support/hash.h"

namespace ggufc::runtime {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

const char* SectionName(SectionKind kind) {
  switch (kind) {
    case SectionKind::kModel:
      return "model";
    case SectionKind::kTokenizer:
      return "tokenizer";
    case SectionKind::kWeights:
      return "weights";
    case SectionKind::kTables:
      return "tables";
    case SectionKind::kTableHashes:
      return "table hashes";
    case SectionKind::kGolden:
      return "golden";
    case SectionKind::kProgram:
      return "program";
    case SectionKind::kCode:
      return "code";
    case SectionKind::kEntry:
      return "entry";
  }
  return "unknown";
}

std::string FingerprintText(const FingerprintBytes& fingerprint) {
  std::string text;
  for (const uint8_t byte : fingerprint) text += fmt::format("{:02x}", byte);
  return text;
}

Result<FingerprintBytes> ParseFingerprint(std::string_view text) {
  FingerprintBytes bytes;
  if (text.size() != 2 * bytes.size()) {
    return Err("fingerprint '{}': {} characters ({} hex digits are expected)", text, text.size(),
               2 * bytes.size());
  }
  for (size_t i = 0; i < bytes.size(); ++i) {
    const int high = HexDigit(text[2 * i]);
    const int low = HexDigit(text[2 * i + 1]);
    if (high < 0 || low < 0) return Err("fingerprint '{}': not hexadecimal in lower case", text);
    bytes[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return bytes;
}

uint64_t HashOfHeader(ImageHeader header, std::span<const SectionEntry> sections) {
  header.hash = 0;
  std::vector<uint8_t> bytes(sizeof(header) + sections.size_bytes());
  std::memcpy(bytes.data(), &header, sizeof(header));
  if (!sections.empty()) std::memcpy(bytes.data() + sizeof(header), sections.data(), sections.size_bytes());
  return Hash64(bytes);
}

}  // namespace ggufc::runtime
