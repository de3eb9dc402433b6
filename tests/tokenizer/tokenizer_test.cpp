// The tokenizer's rules one by one on vocabularies of a few pieces, and against the reference on random ones.
#include "runtime/text/tokenizer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "reference_bpe.h"
#include "test_vocabulary.h"

namespace ggufc::runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::string_view_literals;

Tokenizer Make(TestVocabulary& vocabulary) {
  auto tokenizer = Tokenizer::Create(vocabulary.View());
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return std::move(*tokenizer);
}

std::vector<int32_t> Encode(const Tokenizer& tokenizer, std::string_view text,
                            const EncodeOptions& options = {}) {
  std::vector<int32_t> ids = {-7};
  const Status status = tokenizer.Encode(text, ids, options);
  EXPECT_TRUE(status) << status.error().message;
  return ids;
}

std::string CreateError(TestVocabulary& vocabulary) {
  const auto tokenizer = Tokenizer::Create(vocabulary.View());
  return tokenizer ? "no error" : tokenizer.error().message;
}

TEST(Tokenizer, MergesByScoreNotByPosition) {
  TestVocabulary v = BasicVocabulary();
  const auto a = v.Add("a"), c = v.Add("c");
  v.Add("b");
  v.Add("ab", -2);
  const auto bc = v.Add("bc", -1);
  const Tokenizer tokenizer = Make(v);
  EXPECT_THAT(Encode(tokenizer, "abc"), ElementsAre(a, bc));
  EXPECT_THAT(Encode(tokenizer, "cabcc"), ElementsAre(c, a, bc, c));
}

TEST(Tokenizer, TheLeftmostOfEqualScoresGoesFirst) {
  TestVocabulary v = BasicVocabulary();
  const auto a = v.Add("a"), c = v.Add("c");
  v.Add("b");
  const auto ab = v.Add("ab", -1), bc = v.Add("bc", -1), aa = v.Add("aa", -1);
  const Tokenizer tokenizer = Make(v);
  EXPECT_THAT(Encode(tokenizer, "abc"), ElementsAre(ab, c));
  EXPECT_THAT(Encode(tokenizer, "aaa"), ElementsAre(aa, a));
  EXPECT_THAT(Encode(tokenizer, "aabc"), ElementsAre(aa, bc));
}

TEST(Tokenizer, ZerosOfBothSignsAreEqualScores) {
  TestVocabulary v = BasicVocabulary();
  v.Add("a");
  v.Add("b");
  const auto c = v.Add("c"), ab = v.Add("ab", -0.0f);
  v.Add("bc", 0.0f);
  EXPECT_THAT(Encode(Make(v), "abc"), ElementsAre(ab, c));
}

TEST(Tokenizer, AMergeMakesNewPairsOnBothSides) {
  TestVocabulary v = BasicVocabulary();
  for (const char* piece : {"a", "b", "c", "d"}) v.Add(piece);
  v.Add("bc", -3);
  v.Add("abc", -2);
  const auto all = v.Add("abcd", -1);
  EXPECT_THAT(Encode(Make(v), "abcd"), ElementsAre(all));
}

TEST(Tokenizer, SpacesAreMarks) {
  TestVocabulary v = BasicVocabulary();
  v.Add("a");
  const auto mark = v.Add("▁"), word = v.Add("▁a", -1);
  const Tokenizer tokenizer = Make(v);
  EXPECT_THAT(Encode(tokenizer, "  a"), ElementsAre(mark, word));
  EXPECT_THAT(Encode(tokenizer, "▁▁a"), ElementsAre(mark, word));
}

TEST(Tokenizer, UnknownCharactersBecomeBytes) {
  TestVocabulary v = BasicVocabulary(false);
  const auto byte = v.AddByteTokens();
  const auto a = v.Add("a");
  const Tokenizer tokenizer = Make(v);
  EXPECT_THAT(Encode(tokenizer, "aéa"), ElementsAre(a, byte + 0xC3, byte + 0xA9, a));
  EXPECT_THAT(Encode(tokenizer, "\0a\0"sv), ElementsAre(byte, a, byte));
  EXPECT_THAT(Encode(tokenizer, " "), ElementsAre(byte + 0xE2, byte + 0x96, byte + 0x81));
}

TEST(Tokenizer, InvalidBytesBecomeBytes) {
  TestVocabulary v = BasicVocabulary(false);
  const auto byte = v.AddByteTokens();
  const auto a = v.Add("a"), e = v.Add("é");
  const Tokenizer tokenizer = Make(v);
  EXPECT_THAT(Encode(tokenizer, "\xC3"), ElementsAre(byte + 0xC3));
  EXPECT_THAT(Encode(tokenizer, "a\xFF\xC3\xA9\xA9\xE2\x96"),
              ElementsAre(a, byte + 0xFF, e, byte + 0xA9, byte + 0xE2, byte + 0x96));
}

TEST(Tokenizer, WithoutTheBytesACharacterIsOneUnknown) {
  TestVocabulary v = BasicVocabulary(false);
  const auto a = v.Add("a"), byte = v.Add("<0xC3>", 0, TokenType::kByte);
  const Tokenizer tokenizer = Make(v);
  EXPECT_THAT(Encode(tokenizer, "aéé"), ElementsAre(a, 0, 0));
  EXPECT_THAT(Encode(tokenizer, "\xC3"), ElementsAre(byte));
}

TEST(Tokenizer, ByteTokensAreNotMatchedAsText) {
  TestVocabulary v = BasicVocabulary(false);
  const auto byte = v.AddByteTokens();
  EXPECT_THAT(Encode(Make(v), "<0x41>"),
              ElementsAre(byte + '<', byte + '0', byte + 'x', byte + '4', byte + '1', byte + '>'));
}

TEST(Tokenizer, ControlTokensInTheTextCanBeTurnedOff) {
  TestVocabulary v = BasicVocabulary(false);
  const auto byte = v.AddByteTokens();
  const auto a = v.Add("a"), tag = v.Add("<t>", 0, TokenType::kUserDefined);
  // A control piece is not produced by merging either.
  v.Add("<s", -1);
  const Tokenizer tokenizer = Make(v);
  EXPECT_THAT(Encode(tokenizer, "<s>a<t><unk>"), ElementsAre(1, a, tag, 0));
  const EncodeOptions plain = {.parse_control = false};
  EXPECT_THAT(Encode(tokenizer, "<s>a<t>", plain), ElementsAre(byte + 256 + 2, byte + '>', a, tag));
  EXPECT_THAT(Encode(tokenizer, "<unk>", plain),
              ElementsAre(byte + '<', byte + 'u', byte + 'n', byte + 'k', byte + '>'));
}

TEST(Tokenizer, SpecialPiecesAreMatchedLeftmostLongest) {
  TestVocabulary v = BasicVocabulary();
  const auto x = v.Add("ab", 0, TokenType::kUserDefined), y = v.Add("bcd", 0, TokenType::kUserDefined);
  const auto z = v.Add("abcde", 0, TokenType::kUserDefined), c = v.Add("c"), d = v.Add("d");
  const Tokenizer tokenizer = Make(v);
  EXPECT_THAT(Encode(tokenizer, "abcd"), ElementsAre(x, c, d));
  EXPECT_THAT(Encode(tokenizer, "abcde"), ElementsAre(z));
  EXPECT_THAT(Encode(tokenizer, "bcdab"), ElementsAre(y, x));
}

TEST(Tokenizer, SpecialPiecesSeparateFragments) {
  TestVocabulary v = BasicVocabulary();
  const auto a = v.Add("a"), b = v.Add("b"), tag = v.Add("<t>", 0, TokenType::kUserDefined);
  v.Add("ab", -1);
  EXPECT_THAT(Encode(Make(v), "a<t>b"), ElementsAre(a, tag, b));
}

// Converters write the piece of two spaces with spaces or with marks. Either takes spaces, marks and
// mixtures.
TEST(Tokenizer, SpacesInUserDefinedPieces) {
  for (const char* spelling : {"  ", "▁▁"}) {
    TestVocabulary v = BasicVocabulary();
    const auto a = v.Add("a"), mark = v.Add("▁");
    v.Add("▁a", -1);
    const auto two = v.Add(spelling, 0, TokenType::kUserDefined);
    const Tokenizer tokenizer = Make(v);
    for (const char* spaces : {"  ", " ▁", "▁ ", "▁▁"}) {
      EXPECT_THAT(Encode(tokenizer, std::string(spaces) + "a"), ElementsAre(two, a));
    }
    EXPECT_THAT(Encode(tokenizer, "   "), ElementsAre(two, mark));
  }
}

// Literal marks are cut out of the text before spaces become marks, so that a run of both is cut in two.
TEST(Tokenizer, LiteralMarksComeBeforeSpaces) {
  for (const char* spelling : {"  ", "▁▁"}) {
    TestVocabulary v = BasicVocabulary();
    const auto a = v.Add("a"), mark = v.Add("▁"), word = v.Add("▁a", -1);
    const auto two = v.Add(spelling, 0, TokenType::kUserDefined);
    const auto three = v.Add("▁▁▁", 0, TokenType::kUserDefined);
    const Tokenizer tokenizer = Make(v);
    EXPECT_THAT(Encode(tokenizer, "▁▁ a"), ElementsAre(two, word));
    EXPECT_THAT(Encode(tokenizer, " ▁▁a"), ElementsAre(mark, two, a));
    EXPECT_THAT(Encode(tokenizer, "▁▁  a"), ElementsAre(two, two, a));
    EXPECT_THAT(Encode(tokenizer, "  ▁▁"), ElementsAre(two, two));
    EXPECT_THAT(Encode(tokenizer, "▁  a"), ElementsAre(three, a)) << "one mark is no piece";
    EXPECT_THAT(Encode(tokenizer, "▁▁▁ a"), ElementsAre(three, word));
    EXPECT_THAT(Encode(tokenizer, "▁ ▁a"), ElementsAre(three, a));
    EXPECT_THAT(Encode(tokenizer, "   a"), ElementsAre(three, a));
  }
}

// Control and unknown pieces are found as they are spelled, user-defined ones with either spelling of a space.
TEST(Tokenizer, SpacesInControlPiecesAreLiteral) {
  TestVocabulary v = BasicVocabulary(false);
  const auto byte = v.AddByteTokens();
  const auto a = v.Add("a"), mark = v.Add("▁");
  const auto spaced = v.Add("<a a>", 0, TokenType::kControl), marked = v.Add("<a▁b>", 0, TokenType::kControl);
  const auto tag = v.Add("a a", 0, TokenType::kUserDefined);
  const Tokenizer tokenizer = Make(v);
  EXPECT_THAT(Encode(tokenizer, "<a a>"), ElementsAre(spaced));
  EXPECT_THAT(Encode(tokenizer, "<a▁a>"), ElementsAre(byte + '<', tag, byte + '>'));
  EXPECT_THAT(Encode(tokenizer, "<a a>", {.parse_control = false}), ElementsAre(byte + '<', tag, byte + '>'));
  EXPECT_THAT(Encode(tokenizer, "<a▁b>"), ElementsAre(marked));
  EXPECT_THAT(Encode(tokenizer, "<a b>"), ElementsAre(byte + '<', a, mark, byte + 'b', byte + '>'));
}

TEST(Tokenizer, BosAndEos) {
  TestVocabulary v = BasicVocabulary();
  const auto a = v.Add("a");
  EXPECT_THAT(Encode(Make(v), "a"), ElementsAre(a));
  EXPECT_THAT(Encode(Make(v), "a", {.add_bos = true, .add_eos = true}), ElementsAre(1, a, 2));
  v.options.add_bos = v.options.add_eos = true;
  EXPECT_THAT(Encode(Make(v), "a"), ElementsAre(1, a, 2));
  EXPECT_THAT(Encode(Make(v), ""), ElementsAre(1, 2));
  EXPECT_THAT(Encode(Make(v), "a", {.add_bos = false}), ElementsAre(a, 2));
  EXPECT_THAT(Encode(Make(v), "", {.add_bos = false, .add_eos = false}), IsEmpty());
}

TEST(Tokenizer, BosOfAVocabularyWithoutOne) {
  TestVocabulary v = BasicVocabulary();
  v.options.bos = kNoToken;
  std::vector<int32_t> ids;
  const Status status = Make(v).Encode("a", ids, {.add_bos = true});
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("BOS"));
  v.options.add_bos = true;
  EXPECT_THAT(CreateError(v), HasSubstr("BOS is to be added, but the vocabulary has none"));
}

TEST(Tokenizer, SpacePrefix) {
  TestVocabulary v = BasicVocabulary();
  const auto a = v.Add("a"), mark = v.Add("▁"), word = v.Add("▁a", -1);
  const auto tag = v.Add("<t>", 0, TokenType::kUserDefined);
  EXPECT_THAT(Encode(Make(v), "a"), ElementsAre(a));
  v.options.add_space_prefix = true;
  const Tokenizer tokenizer = Make(v);
  EXPECT_THAT(Encode(tokenizer, "a"), ElementsAre(word));
  EXPECT_THAT(Encode(tokenizer, " a"), ElementsAre(mark, word));
  EXPECT_THAT(Encode(tokenizer, "<t>a<t>a<t>"), ElementsAre(tag, word, tag, word, tag));
  EXPECT_THAT(Encode(tokenizer, ""), IsEmpty());
}

TEST(Tokenizer, TheFirstOfEqualPiecesCounts) {
  TestVocabulary v = BasicVocabulary();
  const auto a = v.Add("a"), tag = v.Add("<t>", 0, TokenType::kUserDefined);
  v.Add("a");
  v.Add("<t>", 0, TokenType::kUserDefined);
  EXPECT_THAT(Encode(Make(v), "a<t>"), ElementsAre(a, tag));
}

TEST(Tokenizer, RepeatedPiecesAreCounted) {
  const auto repeated = [](TestVocabulary& v) {
    RepeatedPieces pieces;
    EXPECT_TRUE(Tokenizer::Create(v.View(), &pieces));
    return fmt::format("{}: {} of {}", pieces.count, pieces.first, pieces.earlier);
  };
  TestVocabulary v = BasicVocabulary();  // 0 to 258
  EXPECT_EQ(repeated(v), "0: -1 of -1");
  v.Add("a");
  v.Add("<0x41>");  // a byte token is no text
  v.Add("");
  v.Add("", 0, TokenType::kUserDefined);
  EXPECT_EQ(repeated(v), "0: -1 of -1");
  v.Add("<t>", 0, TokenType::kUserDefined);
  v.Add("b");
  v.Add("<t>", 0, TokenType::kControl);
  EXPECT_EQ(repeated(v), "1: 265 of 263");
  v.Add("a");
  v.Add("a", -1, TokenType::kUnused);
  EXPECT_EQ(repeated(v), "3: 265 of 263");
  // One that is matched whole and made by merges too, whatever comes first.
  v.types[264] = static_cast<int32_t>(TokenType::kUserDefined);
  v.Add("b");
  EXPECT_EQ(repeated(v), "4: 265 of 263");
  v.pieces[260] = "</s>";
  EXPECT_EQ(repeated(v), "5: 260 of 2");
  v = BasicVocabulary();
  v.Add("▁▁");
  v.Add("  ", 0, TokenType::kUserDefined);
  EXPECT_EQ(repeated(v), "1: 260 of 259");
}

TEST(Tokenizer, EmptyPiecesAreNeverProduced) {
  TestVocabulary v = BasicVocabulary();
  v.Add("");
  v.Add("", 0, TokenType::kUserDefined);
  const auto a = v.Add("a");
  EXPECT_THAT(Encode(Make(v), "aa"), ElementsAre(a, a));
}

TEST(Tokenizer, TruncateKeepsEos) {
  TestVocabulary v = BasicVocabulary();
  const Tokenizer tokenizer = Make(v);
  std::vector<int32_t> ids = {1, 50, 51, 52, 2};
  EXPECT_FALSE(tokenizer.Truncate(ids, 5));
  EXPECT_THAT(ids, ElementsAre(1, 50, 51, 52, 2));
  EXPECT_TRUE(tokenizer.Truncate(ids, 3));
  EXPECT_THAT(ids, ElementsAre(1, 50, 2));
  EXPECT_TRUE(tokenizer.Truncate(ids, 0));
  EXPECT_THAT(ids, IsEmpty());
  ids = {50, 51, 52};
  EXPECT_TRUE(tokenizer.Truncate(ids, 2));
  EXPECT_THAT(ids, ElementsAre(50, 51));
}

TEST(Tokenizer, ATooLongTextIsAnError) {
  TestVocabulary v = BasicVocabulary();
  std::vector<int32_t> ids;
  const char byte = 'a';
  // Only the length of the view is looked at.
  const Status status = Make(v).Encode(std::string_view(&byte, Tokenizer::kMaxTextBytes + 1), ids);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("268435457 bytes (the limit is 268435456)"));
}

TEST(Tokenizer, WrongVocabulariesAreErrors) {
  TestVocabulary empty;
  EXPECT_THAT(CreateError(empty), HasSubstr("0 pieces"));
  TestVocabulary v = BasicVocabulary();
  v.scores.pop_back();
  EXPECT_THAT(CreateError(v), HasSubstr("259 pieces, but 258 scores and 259 types"));
  v = BasicVocabulary();
  v.types[5] = 7;
  EXPECT_THAT(CreateError(v), HasSubstr("token 5: type 7"));
  v.types[5] = -1;
  EXPECT_THAT(CreateError(v), HasSubstr("token 5: type -1"));
  v = BasicVocabulary();
  v.scores[5] = std::nanf("");
  EXPECT_THAT(CreateError(v), HasSubstr("token 5: the score is not a number"));
  v = BasicVocabulary();
  v.options.eos = 259;
  EXPECT_THAT(CreateError(v), HasSubstr("EOS is token 259, but there are only 259 tokens"));
  v = BasicVocabulary();
  v.Add(std::string(4096, 'a'));
  v.Add(std::string(512, 'a'), 0, TokenType::kUserDefined);
  EXPECT_EQ(CreateError(v), "no error");
  v.Add(std::string(4097, 'a'));
  EXPECT_THAT(CreateError(v), HasSubstr("token 261: a piece of 4097 bytes and type 1 (the limit is 4096)"));
  v = BasicVocabulary();
  v.Add(std::string(513, 'a'), 0, TokenType::kControl);
  EXPECT_THAT(CreateError(v), HasSubstr("token 259: a piece of 513 bytes and type 3 (the limit is 512)"));
  v = BasicVocabulary();
  v.Add("<0x4G>", 0, TokenType::kByte);
  EXPECT_THAT(CreateError(v), HasSubstr("token 259: byte token '<0x4G>' is not `<0xNN>`"));
  v = BasicVocabulary(false);
  v.options.unknown = kNoToken;
  EXPECT_THAT(CreateError(v), HasSubstr("no unknown token, and no token for byte 0x00"));
}

// Pieces chosen so that all of them want the same slot would make the table a linear list.
TEST(Tokenizer, CollidingPiecesAreAnError) {
  TestVocabulary v = BasicVocabulary();
  constexpr size_t kPieces = 1100;
  constexpr uint64_t kSlots = 4096;  // at least twice the pieces, a power of two
  for (uint64_t i = 0; v.pieces.size() < 259 + kPieces; ++i) {
    const std::string piece = std::to_string(i);
    if (TokenizerTables::Hash(piece) % kSlots == 0) v.Add(piece);
  }
  EXPECT_THAT(CreateError(v), HasSubstr("collides with 1025 others"));
  v = BasicVocabulary();
  for (size_t i = 0; i < kPieces; ++i) v.Add(std::to_string(i));
  EXPECT_EQ(CreateError(v), "no error");
}

TEST(Tokenizer, AgreesWithTheDefinitionOnRandomVocabularies) {
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    std::mt19937_64 random(seed);
    TestVocabulary v = RandomVocabulary(random);
    const Tokenizer tokenizer = Make(v);
    const ReferenceTokenizer reference(v.View());
    for (int round = 0; round < 8; ++round) {
      static constexpr std::string_view kParts[] = {"a", "b", "a",  "b",   "é",    "日",
                                                    "▁", " ", "\n", "<s>", "\xE6", "z"};
      std::string text;
      for (uint64_t n = random() % 60; n > 0; --n) text += kParts[random() % std::size(kParts)];
      for (const bool control : {true, false}) {
        ASSERT_EQ(Encode(tokenizer, text, {.parse_control = control}), reference.Encode(text, control))
            << "seed " << seed << ", round " << round << ", control " << control << ": " << text;
      }
    }
  }
}

TEST(Tokenizer, PiecesReproduceTheText) {
  TestVocabulary v = BasicVocabulary();
  std::mt19937_64 random(7);
  for (const char* piece :
       {"▁", "a", "e", "i", "n", "t", "in", "ing", "▁t", "the", "▁the", "é", "té", "語", "本語"}) {
    v.Add(piece, -static_cast<float>(random() % 100));
  }
  v.Add("▁▁", 0, TokenType::kUserDefined);
  const Tokenizer tokenizer = Make(v);
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    for (const bool valid : {true, false}) {
      const std::string text = RandomText(seed, 100, valid);
      ASSERT_EQ(Spelled(tokenizer, Encode(tokenizer, text)), Marked(text)) << "seed " << seed;
    }
  }
}

// Counts operations instead of time: x16 the text may cost x20 of them. A heap operation counts as one; its
// own cost grows by log n, from 16 to 20 steps.
TEST(Tokenizer, WorkGrowsAboutLinearly) {
  TestVocabulary v = BasicVocabulary();
  for (const char* piece : {"▁", "a", "b", "ab", "ba", "aa", "aaaa", "aaaaaaaa", "aba", "bab", "▁a", "a▁"}) {
    v.Add(piece, -static_cast<float>(v.pieces.size()));
  }
  v.Add("▁▁", 0, TokenType::kUserDefined);
  v.Add("aaab", 0, TokenType::kUserDefined);
  const Tokenizer tokenizer = Make(v);
  const auto work = [&](std::string_view pattern, size_t bytes) {
    std::string text;
    if (pattern == "random") {
      std::mt19937_64 random(1);
      while (text.size() < bytes) text += static_cast<char>(random());
    } else if (pattern == "letters") {
      std::mt19937_64 random(2);
      while (text.size() < bytes) text += random() % 2 == 0 ? 'a' : 'b';
    } else {
      while (text.size() < bytes) text += pattern;
    }
    EncodeStats stats;
    std::vector<int32_t> ids;
    EXPECT_TRUE(tokenizer.Encode(text, ids, {}, &stats));
    EXPECT_LE(stats.heap_pops, stats.heap_pushes);
    // Each of n-1 initial pairs, and two new pairs a merge, of which there are fewer than n.
    EXPECT_LE(stats.heap_pushes, 3 * text.size()) << pattern;
    EXPECT_LE(stats.lookups, 4 * text.size()) << pattern;
    return static_cast<double>(stats.segments + stats.lookups + stats.heap_pushes + stats.heap_pops +
                               stats.merges + 1);
  };
  for (const char* pattern : {"a", "ab", "ab ", " a", "\n", "日", "random", "letters"}) {
    const double small = work(pattern, 64 << 10);
    const double large = work(pattern, 1 << 20);
    EXPECT_LE(large, 20 * small) << pattern;
  }
}

TEST(Tokenizer, TextIsCutWhereNoPieceCrosses) {
  TestVocabulary v = BasicVocabulary();
  for (const char* piece : {"▁", "a", "b", "ab", "▁a"}) v.Add(piece, -1);
  const Tokenizer tokenizer = Make(v);
  EncodeStats stats;
  std::vector<int32_t> ids;
  ASSERT_TRUE(tokenizer.Encode("ab ab ab", ids, {}, &stats));
  EXPECT_EQ(stats.segments, 3u);
  ASSERT_TRUE(tokenizer.Encode("ba", ids, {}, &stats));
  EXPECT_EQ(stats.segments, 2u);
  EXPECT_EQ(stats.heap_pushes, 0u);
}

}  // namespace
}  // namespace ggufc::runtime
