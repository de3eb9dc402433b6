// The tokenizer's tables as bytes: used where they lie they encode as before, and whatever they hold they can
// neither lead outside nor make an encoding endless.
#include "runtime/text/tokenizer_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <type_traits>

#include "reference_bpe.h"
#include "runtime/text/tokenizer.h"
#include "test_vocabulary.h"

namespace ggufc::runtime {
namespace {

using testing::HasSubstr;
using Layout = TokenizerTables::Layout;
using Slot = TokenizerTables::Slot;
using TrieNode = TokenizerTables::TrieNode;

static_assert(!std::is_copy_constructible_v<Tokenizer>, "the copy's views would be the original's");

std::vector<uint8_t> TablesOf(TestVocabulary& vocabulary) {
  const auto tokenizer = Tokenizer::Create(vocabulary.View());
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return tokenizer->Serialize();
}

// Pieces of several kinds, special ones of up to five bytes, spaces, and all bytes.
TestVocabulary Sample() {
  TestVocabulary v = BasicVocabulary();
  for (const char* piece : {"▁", "a", "b", "ab", "ba", "aa", "é", "aé", "▁a", "abab"}) {
    v.Add(piece, -static_cast<float>(v.pieces.size()));
  }
  for (const char* piece : {"▁▁", "<a>", "<ab>", "<b"}) v.Add(piece, 0, TokenType::kUserDefined);
  v.options.add_bos = v.options.add_eos = true;
  return v;
}

std::vector<int32_t> IdsOf(const Tokenizer& tokenizer, std::string_view text, bool control = true) {
  std::vector<int32_t> ids;
  const Status status = tokenizer.Encode(text, ids, {.parse_control = control});
  EXPECT_TRUE(status) << status.error().message;
  return ids;
}

std::string ErrorOf(std::span<const uint8_t> bytes) {
  const auto tokenizer = Tokenizer::FromBytes(bytes);
  if (tokenizer) return "no error";
  EXPECT_EQ(tokenizer.error().kind, ErrorKind::kBadFile);
  return tokenizer.error().message;
}

TokenizerHeader HeaderOf(std::span<const uint8_t> bytes) {
  TokenizerHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  return header;
}

TEST(TokenizerTables, EncodeAsBeforeWhereTheyLie) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    std::mt19937_64 random(seed);
    TestVocabulary v = RandomVocabulary(random);
    v.options.add_bos = seed % 2 == 0;
    v.options.add_eos = seed % 3 == 0;
    const auto made = Tokenizer::Create(v.View());
    ASSERT_TRUE(made) << made.error().message;
    const std::vector<uint8_t> bytes = made->Serialize();
    const auto opened = Tokenizer::FromBytes(bytes);
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ(opened->Serialize(), bytes);
    EXPECT_EQ(TablesOf(v), bytes) << "made again";
    ASSERT_EQ(opened->size(), v.pieces.size());
    for (int32_t id = 0; id < static_cast<int32_t>(opened->size()); ++id) {
      EXPECT_EQ(opened->Piece(id), Marked(v.pieces[static_cast<size_t>(id)]));
      EXPECT_EQ(static_cast<int32_t>(opened->Type(id)), v.types[static_cast<size_t>(id)]);
    }
    for (uint64_t round = 0; round < 10; ++round) {
      const std::string text = RandomText(seed * 10 + round, 60);
      for (const bool control : {true, false}) {
        ASSERT_EQ(IdsOf(*opened, text, control), IdsOf(*made, text, control))
            << "seed " << seed << ": " << text;
      }
    }
  }
}

TEST(TokenizerTables, MovesTakeTheViewsAlong) {
  TestVocabulary v = Sample();
  auto first = Tokenizer::Create(v.View());
  ASSERT_TRUE(first);
  const std::vector<int32_t> ids = IdsOf(*first, "<ab>aé abab");
  Tokenizer second = std::move(*first);
  EXPECT_EQ(IdsOf(second, "<ab>aé abab"), ids);
  auto other = Tokenizer::Create(v.View());
  ASSERT_TRUE(other);
  *other = std::move(second);
  EXPECT_EQ(IdsOf(*other, "<ab>aé abab"), ids);
}

TEST(TokenizerTables, EveryTruncationIsAnError) {
  TestVocabulary v = Sample();
  std::vector<uint8_t> bytes = TablesOf(v);
  const Layout layout(HeaderOf(bytes));
  EXPECT_EQ(layout.end, bytes.size());
  std::vector<size_t> lengths = {0, 1, 63, 64, 65};
  for (const size_t edge :
       {layout.byte_tokens, layout.joints, layout.slots, layout.offsets, layout.merge_orders, layout.types,
        layout.trie, layout.trie_labels, layout.blob}) {
    for (const size_t length : {edge - 1, edge, edge + 1}) lengths.push_back(length);
  }
  std::mt19937_64 random(1);
  for (int i = 0; i < 500; ++i) lengths.push_back(random() % bytes.size());
  for (const size_t length : lengths) {
    // Of just this size, so that AddressSanitizer sees each read behind it.
    const std::vector<uint8_t> cut(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(length));
    EXPECT_THAT(ErrorOf(cut), HasSubstr(fmt::format("tokenizer: {} bytes, ", length)));
  }
  bytes.push_back(0);
  EXPECT_THAT(ErrorOf(bytes),
              HasSubstr(fmt::format("tokenizer: {} bytes, expected {}", layout.end + 1, layout.end)));
}

TEST(TokenizerTables, AnOddAddressIsAnError) {
  TestVocabulary v = Sample();
  std::vector<uint8_t> bytes = TablesOf(v);
  bytes.insert(bytes.begin(), 4, uint8_t{0});
  const auto tokenizer = Tokenizer::FromBytes(std::span(bytes).subspan(4));
  ASSERT_FALSE(tokenizer);
  EXPECT_THAT(tokenizer.error().message, HasSubstr("no multiple of 8"));
}

TEST(TokenizerTables, EveryFieldOutOfRangeIsAnError) {
  TestVocabulary v = Sample();
  const std::vector<uint8_t> bytes = TablesOf(v);
  const TokenizerHeader header = HeaderOf(bytes);
  const Layout layout(header);
  ASSERT_EQ(header.tokens, 273u);
  ASSERT_EQ(header.slots, 32u);
  // What stands in a filled and in an empty slot, and in the trie.
  const auto* slots = reinterpret_cast<const Slot*>(bytes.data() + layout.slots);
  size_t filled = 0, empty = 0;
  while (slots[filled].id < 0) ++filled;
  while (slots[empty].id >= 0) ++empty;
  const auto slot_id = [&](size_t i) { return layout.slots + i * sizeof(Slot) + 4; };
  const auto node = [&](size_t i) { return layout.trie + i * sizeof(TrieNode); };
  struct Case {
    size_t offset;
    uint32_t value;
    const char* error;
    size_t bytes = 4;
  };
  const Case cases[] = {
      {0, 0, "header: no tokenizer tables"},
      {8, 1, "header: version 1 (this program reads 2)"},
      {8, 3, "header: version 3 (this program reads 2)"},
      {12, 8, "header: flags 0x8"},
      {16, 273, "header: BOS is token 273 of 273"},
      {16, kNoToken, "header: BOS is token 4294967295 of 273"},
      {20, 273, "header: EOS is token 273 of 273"},
      {20, kNoToken, "header: EOS is token 4294967295 of 273"},
      {24, 273, "header: unknown is token 273 of 273"},
      {28, 3 * 4096 + 1, "header: a longest piece of 12289 bytes (at most 12288)"},
      {32, 0, "header: 0 tokens (1 to 16777216 are allowed)"},
      {32, (1u << 24) + 1, "header: 16777217 tokens"},
      {32, UINT32_MAX, "header: 4294967295 tokens"},
      {32, 1u << 24, "bytes, expected "},
      {32, 274, "pieces: from 0 to 0, expected 0 to 1587"},  // the padding takes up the difference
      {36, 0, "header: 0 slots, not a power of two"},
      {36, 31, "header: 31 slots, not a power of two"},
      {36, 1u << 31, "bytes, expected "},
      {36, 16, "bytes, expected "},
      {40, 0, "header: a trie without a root"},
      {40, UINT32_MAX, "bytes, expected "},
      {44, UINT32_MAX, "bytes, expected "},
      {44, 0, "bytes, expected "},
      {60, 1, "header: reserved bytes are not 0"},
      {layout.byte_tokens, 273, "byte 0x00: token 273 of 273"},
      {layout.byte_tokens + 4 * 255, UINT32_MAX - 1, "byte 0xFF: token -2 of 273"},
      {layout.offsets, 1, "pieces: from 1 to "},
      {layout.offsets + 4 * 273, 0, "pieces: from 0 to 0, expected 0 to "},
      {layout.offsets + 4 * 100, UINT32_MAX, "token 99: its piece lies from 588 to 4294967295"},
      {layout.offsets + 4 * 100, 0, "token 99: its piece lies from 588 to 0"},
      {layout.types + 3, 7, "token 3: type 7", 1},
      {layout.types + 272, 255, "token 272: type 255", 1},
      {slot_id(filled), 273, "token 273 of 273"},
      {slot_id(filled), 0x7FFFFFFF, "token 2147483647 of 273"},
      {slot_id(empty), 0xFFFFFFFE, "token -2 of 273"},
      {node(0), 0, "node 0 of "},
      {node(0), 2, "node 0 of "},
      {node(0), UINT32_MAX, "node 0 of "},
      {node(1), 0, "node 1 of "},
      {node(1), 1, "node 1 of "},
      {node(0) + 4, 0, "node 1: no node's child", 2},
      {node(0) + 4, 65535, "node 0 of ", 2},
      {node(0) + 6, 1, "node 0 of ", 2},
      {node(1) + 8, 273, "node 1: token 273 of 273"},
      {layout.trie_labels + 2, 0, "node 0: the labels of its children do not ascend", 1},
  };
  for (const Case& wrong : cases) {
    std::vector<uint8_t> damaged = bytes;
    std::memcpy(damaged.data() + wrong.offset, &wrong.value, wrong.bytes);
    EXPECT_THAT(ErrorOf(damaged), HasSubstr(wrong.error))
        << "value " << wrong.value << " at " << wrong.offset;
  }
}

TEST(TokenizerTables, WithoutAnUnknownTokenAllBytesMustBeThere) {
  TestVocabulary v = Sample();
  v.options.unknown = kNoToken;
  std::vector<uint8_t> bytes = TablesOf(v);
  EXPECT_EQ(ErrorOf(bytes), "no error");
  const Layout layout(HeaderOf(bytes));
  std::memset(bytes.data() + layout.byte_tokens + size_t{4} * 0x41, 0xFF, 4);
  EXPECT_EQ(ErrorOf(bytes), "tokenizer: byte 0x41: no token, and no unknown token");
}

// A search in the slots ends at an empty one.
TEST(TokenizerTables, FullSlotsAreAnError) {
  TestVocabulary v = Sample();
  std::vector<uint8_t> bytes = TablesOf(v);
  const TokenizerHeader header = HeaderOf(bytes);
  auto* const slots = reinterpret_cast<Slot*>(bytes.data() + Layout(header).slots);
  for (size_t i = 0; i < header.slots; ++i) slots[i].id = 0;
  EXPECT_EQ(ErrorOf(bytes), "tokenizer: slots: 32 of 32 are filled (at most half)");
  slots[7].id = -1;
  EXPECT_EQ(ErrorOf(bytes), "tokenizer: slots: 31 of 32 are filled (at most half)");
  for (size_t i = 0; i < 16; ++i) slots[i].id = -1;
  EXPECT_EQ(ErrorOf(bytes), "no error");
}

TEST(TokenizerTables, LongRowsOfSlotsAreAnError) {
  TestVocabulary v = BasicVocabulary();
  for (int i = 0; i < 1500; ++i) v.Add(std::to_string(i));
  std::vector<uint8_t> bytes = TablesOf(v);
  const TokenizerHeader header = HeaderOf(bytes);
  ASSERT_EQ(header.slots, 4096u);
  auto* const slots = reinterpret_cast<Slot*>(bytes.data() + Layout(header).slots);
  const auto fill = [&](size_t begin, size_t count) {
    for (size_t i = 0; i < header.slots; ++i) slots[i].id = -1;
    for (size_t i = begin; i < begin + count; ++i) slots[i % header.slots].id = 5;
  };
  for (const size_t begin : {size_t{0}, size_t{100}, size_t{3072}, size_t{3500}, size_t{4095}}) {
    fill(begin, kMaxProbes);
    EXPECT_EQ(ErrorOf(bytes), "no error") << begin;
    fill(begin, kMaxProbes + 1);
    EXPECT_EQ(ErrorOf(bytes), "tokenizer: slots: 1025 pieces collide in a row (at most 1024)") << begin;
  }
}

// Each piece finds its place within the limit, but those of one slot follow on those of another.
TEST(TokenizerTables, RowsThatGrowTogetherAreAnErrorWhenMade) {
  TestVocabulary v = BasicVocabulary();
  constexpr uint64_t kSlots = 4096;
  const auto add = [&](uint64_t slot, size_t count) {
    for (uint64_t i = 0; count > 0; ++i) {
      const std::string piece = fmt::format("{}/{}", slot, i);
      if (TokenizerTables::Hash(piece) % kSlots != slot) continue;
      v.Add(piece);
      --count;
    }
  };
  add(100, 700);
  add(800, 400);
  const auto tokenizer = Tokenizer::Create(v.View());
  ASSERT_FALSE(tokenizer);
  EXPECT_THAT(tokenizer.error().message, HasSubstr("slots: 1100 pieces collide in a row (at most 1024)"));
}

// A trie deeper than any special piece may be long would be walked at each position of a text.
TEST(TokenizerTables, DeepTriesAreAnError) {
  TestVocabulary v = BasicVocabulary();
  v.Add(std::string(512, ' '), 0, TokenType::kUserDefined);  // 1536 bytes with marks
  const std::vector<uint8_t> bytes = TablesOf(v);
  EXPECT_EQ(ErrorOf(bytes), "no error");
  // One level more: a child of the deepest node.
  TokenizerHeader header = HeaderOf(bytes);
  const Layout before(header);
  ++header.trie_nodes;
  const Layout after(header);
  std::vector<uint8_t> deeper(after.end);
  std::memcpy(deeper.data(), bytes.data(), before.trie_labels);
  std::memcpy(deeper.data(), &header, sizeof(header));
  auto* const nodes = reinterpret_cast<TrieNode*>(deeper.data() + after.trie);
  const uint32_t last = header.trie_nodes - 1;
  nodes[last - 1].children = 1;
  nodes[last] = {.first_child = last + 1};
  std::memcpy(deeper.data() + after.trie_labels, bytes.data() + before.trie_labels, last);
  std::memcpy(deeper.data() + after.blob, bytes.data() + before.blob, header.blob_bytes);
  EXPECT_EQ(ErrorOf(deeper), "tokenizer: trie: 1537 levels (at most 1536)");
}

class HostileTables : public testing::Test {
 protected:
  // Changes one to four values somewhere in the tables, each array as often as the others.
  static void Mutate(std::vector<uint8_t>& bytes, std::mt19937_64& random) {
    const TokenizerHeader header = HeaderOf(bytes);
    const Layout layout(header);
    const std::pair<size_t, size_t> arrays[] = {
        {0, sizeof(header)},
        {layout.byte_tokens, layout.joints},
        {layout.joints, layout.slots},
        {layout.slots, layout.offsets},
        {layout.offsets, layout.merge_orders},
        {layout.merge_orders, layout.types},
        {layout.types, layout.trie},
        {layout.trie, layout.trie_labels},
        {layout.trie_labels, layout.blob},
        {layout.blob, layout.end},
    };
    for (uint64_t n = 1 + random() % 4; n > 0; --n) {
      const auto [begin, end] = arrays[random() % std::size(arrays)];
      if (begin >= end) continue;
      const size_t at = begin + random() % (end - begin);
      switch (random() % 4) {
        case 0:
          bytes[at] ^= static_cast<uint8_t>(1u << random() % 8);
          break;
        case 1:
          bytes[at] = static_cast<uint8_t>(random());
          break;
        default: {
          // A value that may stand there, or just may not.
          const uint32_t values[] = {0,
                                     1,
                                     UINT32_MAX,
                                     header.tokens,
                                     header.tokens - 1,
                                     header.trie_nodes,
                                     header.blob_bytes,
                                     static_cast<uint32_t>(random() % header.tokens),
                                     0x7FFFFFFF};
          const uint32_t value = values[random() % std::size(values)];
          const size_t word = at / 4 * 4;
          std::memcpy(bytes.data() + word, &value, std::min<size_t>(4, bytes.size() - word));
        }
      }
    }
  }

  // Reads whatever an accepted tokenizer can be made to read.
  static void Use(const Tokenizer& tokenizer, uint64_t seed) {
    const auto tokens = static_cast<int32_t>(tokenizer.size());
    size_t sum = 0;
    for (int32_t id = 0; id < tokens; ++id) {
      for (const char c : tokenizer.Piece(id)) sum += static_cast<uint8_t>(c);
      sum += static_cast<size_t>(tokenizer.Type(id));
    }
    EXPECT_GT(sum, 0u);
    for (uint64_t i = 0; i < 4; ++i) {
      const std::string text = i == 0 ? "<ab>abab <a><b <s>aé  aaab" : RandomText(seed * 4 + i, 80);
      for (const bool control : {true, false}) {
        std::vector<int32_t> ids;
        EncodeStats stats;
        const EncodeOptions options = {.parse_control = control};
        const Status status = tokenizer.Encode(text, ids, options, &stats);
        ASSERT_TRUE(status) << status.error().message;
        for (const int32_t id : ids) ASSERT_TRUE(id >= 0 && id < tokens) << id;
        // A character takes three bytes at most with its mark, and a prefix for each special piece comes on
        // top.
        ASSERT_LE(stats.lookups, 4 * 4 * (text.size() + 4));
        ASSERT_LE(stats.heap_pushes, 3 * 4 * (text.size() + 4));
      }
    }
  }
};

TEST_F(HostileTables, AreRefusedOrHarmless) {
  size_t refused = 0, accepted = 0;
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    std::mt19937_64 random(seed);
    TestVocabulary v = seed % 2 == 0 ? Sample() : RandomVocabulary(random);
    std::vector<uint8_t> bytes = TablesOf(v);
    Mutate(bytes, random);
    const auto tokenizer = Tokenizer::FromBytes(bytes);
    if (!tokenizer) {
      EXPECT_THAT(tokenizer.error().message, HasSubstr("tokenizer: "));
      ++refused;
      continue;
    }
    ++accepted;
    ASSERT_NO_FATAL_FAILURE(Use(*tokenizer, seed)) << "seed " << seed;
  }
  // Neither the checks nor the mutations are idle.
  EXPECT_GT(refused, 1000u);
  EXPECT_GT(accepted, 1000u);
}

// Every bit of a small vocabulary's header and arrays but the joints, of which any value may stand anywhere.
TEST_F(HostileTables, EveryFlippedBitIsRefusedOrHarmless) {
  TestVocabulary v = BasicVocabulary(false);
  for (const char* piece : {"▁", "a", "b", "ab", "aa", "é"})
    v.Add(piece, -static_cast<float>(v.pieces.size()));
  for (const char* piece : {"▁▁", "<a>", "<b"}) v.Add(piece, 0, TokenType::kUserDefined);
  std::vector<uint8_t> bytes = TablesOf(v);
  const Layout layout(HeaderOf(bytes));
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    if (bit == 8 * layout.joints) bit = 8 * layout.slots;
    bytes[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
    if (const auto tokenizer = Tokenizer::FromBytes(bytes)) {
      ASSERT_NO_FATAL_FAILURE(Use(*tokenizer, bit)) << "bit " << bit;
    }
    bytes[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
  }
}

}  // namespace
}  // namespace ggufc::runtime
