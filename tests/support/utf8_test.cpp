#include "support/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace ggufc {
namespace {

struct Case {
  const char* what;
  std::string bytes;
  uint32_t code;
  uint32_t length;
};

TEST(Utf8, FirstAndLastOfEveryLength) {
  for (const Case& c :
       {Case{"NUL", std::string(1, '\0'), 0, 1}, Case{"U+7F", "\x7F", 0x7F, 1},
        Case{"U+80", "\xC2\x80", 0x80, 2}, Case{"U+7FF", "\xDF\xBF", 0x7FF, 2},
        Case{"U+800", "\xE0\xA0\x80", 0x800, 3}, Case{"U+D7FF", "\xED\x9F\xBF", 0xD7FF, 3},
        Case{"U+E000", "\xEE\x80\x80", 0xE000, 3}, Case{"U+FFFF", "\xEF\xBF\xBF", 0xFFFF, 3},
        Case{"U+10000", "\xF0\x90\x80\x80", 0x10000, 4}, Case{"U+10FFFF", "\xF4\x8F\xBF\xBF", 0x10FFFF, 4}}) {
    const Utf8Char decoded = DecodeUtf8(c.bytes + "\x80");
    EXPECT_EQ(decoded.code, c.code) << c.what;
    EXPECT_EQ(decoded.bytes, c.length) << c.what;
  }
}

TEST(Utf8, AnInvalidByteIsACharacterOfItsOwn) {
  for (const auto& [what, bytes] : {std::pair<const char*, std::string>{"continuation", "\x80\x80"},
                                    {"overlong 2", "\xC0\x80"},
                                    {"overlong 2", "\xC1\xBF"},
                                    {"overlong 3", "\xE0\x9F\xBF"},
                                    {"overlong 4", "\xF0\x8F\xBF\xBF"},
                                    {"surrogate", "\xED\xA0\x80"},
                                    {"above U+10FFFF", "\xF4\x90\x80\x80"},
                                    {"lead F5", "\xF5\x80\x80\x80"},
                                    {"FF", "\xFF"},
                                    {"cut after 1", "\xE2"},
                                    {"cut after 2", "\xE2\x96"},
                                    {"cut after 3", "\xF0\x9F\x98"},
                                    {"broken in the middle", "\xF0\x9F\x41\x80"},
                                    {"broken at the end", "\xE2\x96\x41"}}) {
    const Utf8Char decoded = DecodeUtf8(bytes);
    EXPECT_EQ(decoded.bytes, 1u) << what;
    EXPECT_EQ(decoded.code, kInvalidByte + static_cast<unsigned char>(bytes[0])) << what;
  }
}

}  // namespace
}  // namespace ggufc
