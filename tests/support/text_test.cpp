#include "support/text.h"

#include <gtest/gtest.h>

namespace ggufc {
namespace {

TEST(Quoted, KeepsPrintableCharacters) {
  EXPECT_EQ(Quoted(""), "''");
  EXPECT_EQ(Quoted("a b"), "'a b'");
  EXPECT_EQ(Quoted("\u00e9\u2581\U0001f600"), "'\u00e9\u2581\U0001f600'");
}

TEST(Quoted, EscapesOtherCharacters) {
  EXPECT_EQ(Quoted(std::string_view("\0\n\x7f", 3)), "'\\x00\\x0a\\x7f'");
  EXPECT_EQ(Quoted("\xc2\x9b"), "'\\xc2\\x9b'") << "CSI as one character";
  EXPECT_EQ(Quoted("\xff\xe2\x96"), "'\\xff\\xe2\\x96'");
  EXPECT_EQ(Quoted("\u202e\u2028\u2066"), "'\\xe2\\x80\\xae\\xe2\\x80\\xa8\\xe2\\x81\\xa6'");
}

TEST(Quoted, CutsBetweenCharacters) {
  EXPECT_EQ(Quoted(std::string(96, 'a')), "'" + std::string(96, 'a') + "'");
  EXPECT_EQ(Quoted(std::string(97, 'a')), "'" + std::string(96, 'a') + "...'");
  EXPECT_EQ(Quoted(std::string(95, 'a') + "\u00e9"), "'" + std::string(95, 'a') + "...'");
}

TEST(Printable, MakesOneLineOfAnyLength) {
  EXPECT_EQ(Printable(""), "");
  EXPECT_EQ(Printable("/tmp/it's \\ \u00e9\u2581\U0001f600.gguf: 1"),
            "/tmp/it's \\ \u00e9\u2581\U0001f600.gguf: 1");
  EXPECT_EQ(Printable("b\x1b[31m\nb.gguf"), "b\\x1b[31m\\x0ab.gguf");
  EXPECT_EQ(Printable(std::string_view("\0\t\xff\xc2\x9b", 5)), "\\x00\\x09\\xff\\xc2\\x9b");
  EXPECT_EQ(Printable("\u202e"), "\\xe2\\x80\\xae");
  EXPECT_EQ(Printable(std::string(1000, 'a')), std::string(1000, 'a'));
}

TEST(NameFault, ReportsTheFirstFault) {
  EXPECT_EQ(NameFault("blk.0.attn_q.weight"), "");
  EXPECT_EQ(NameFault("\u00e9\u202e"), "") << "odd, but text";
  EXPECT_EQ(NameFault("a\xff"), "byte 0xff at 1 is not UTF-8");
  EXPECT_EQ(NameFault(std::string_view("a\0\xff", 3)), "U+0000 at byte 1 is a control character");
}

}  // namespace
}  // namespace ggufc
