// Strict UTF-8 decoding, one character at a time. Any bytes decode: a byte that does not begin a well-formed sequence
// (Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF) is a character of its own, with a
// code above all of Unicode. So invalid text is handled deterministically and never dropped.
#pragma once

#include <cstdint>
#include <string_view>

namespace ggufc {

struct Utf8Char {
  uint32_t code;   // the code point, or kInvalidByte + the byte
  uint32_t bytes;  // 1 to 4; 1 for an invalid byte
};

inline constexpr uint32_t kInvalidByte = 0x110000;

// Decodes the character at the start of `text`, which must not be empty.
inline Utf8Char DecodeUtf8(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(text[i])); };
  const uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const Utf8Char invalid = {kInvalidByte + lead, 1};
  if (lead < 0xC2 || lead > 0xF4) return invalid;
  const uint32_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (text.size() < length) return invalid;
  // The range of the second byte excludes overlong forms, surrogates and codes above U+10FFFF.
  const uint32_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint32_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return invalid;
  uint32_t code = lead & (0x7Fu >> length);
  for (uint32_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return invalid;
    code = (code << 6) | (byte(i) & 0x3F);
  }
  return {code, length};
}

}  // namespace ggufc
