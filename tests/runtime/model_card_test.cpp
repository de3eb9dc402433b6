#include "runtime/store/model_card.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>

#include "runtime/exec/program.h"

namespace ggufc::runtime {
namespace {

using testing::HasSubstr;

ModelCard SampleCard() {
  ModelCard info;
  SetText(info.name, "Embedding Gemma \xC3\xA9");
  SetText(info.architecture, "gemma-embedding");
  SetText(info.activations, "i16");
  SetText(info.compiler_version, "0.1.0");
  SetText(info.numerics, "embed=1 gelu=1");
  info.normalize = 1;
  info.layers = 24;
  info.dims = 3;
  info.full_dims = 768;
  info.vocab = 100;
  info.context_length = 20;
  info.table_offset = 64;
  info.table_row_bytes = 816;
  return info;
}

std::vector<uint8_t> BytesOf(const ModelCard& info) {
  std::vector<uint8_t> bytes(sizeof(info));
  std::memcpy(bytes.data(), &info, sizeof(info));
  return bytes;
}

template <typename T>
std::string ErrorOf(const Result<T>& result) {
  if (result) return "no error";
  EXPECT_EQ(result.error().kind, ErrorKind::kBadFile);
  return result.error().message;
}

TEST(ModelCard, ParseReadsWhatSerializeWrote) {
  const std::vector<uint8_t> bytes = SerializeModelCard(SampleCard());
  const auto info = ParseModelCard(bytes);
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(BytesOf(*info), BytesOf(SampleCard()));
  EXPECT_EQ(TextOf(info->name), "Embedding Gemma \xC3\xA9");
  EXPECT_EQ(TextOf(info->activations), "i16");
}

TEST(ModelCard, AWrongSizeIsAnError) {
  std::vector<uint8_t> bytes = SerializeModelCard(SampleCard());
  for (const size_t size : {0, 1, 511, 513, 1024}) {
    bytes.resize(size);
    EXPECT_EQ(ErrorOf(ParseModelCard(bytes)), fmt::format("model: {} bytes, expected 512", size));
  }
}

TEST(ModelCard, EveryFieldOutOfRangeIsAnError) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max(), kLeast = std::numeric_limits<int64_t>::min();
  const std::pair<std::function<void(ModelCard&)>, const char*> cases[] = {
      {[](ModelCard& i) { i.name[3] = '\n'; }, "model: name: byte 0x0a at 3 is not printable UTF-8"},
      {[](ModelCard& i) { i.name[0] = '\x1B'; }, "model: name: byte 0x1b at 0"},
      {[](ModelCard& i) { i.name[0] = '\x7F'; }, "model: name: byte 0x7f at 0"},
      {[](ModelCard& i) { i.name[0] = '\xFF'; }, "model: name: byte 0xff at 0"},
      {[](ModelCard& i) { i.name[17] = 'a'; }, "model: name: byte 0xc3 at 16"},
      {[](ModelCard& i) { i.name[16] = '\xC2', i.name[17] = '\x9B'; }, "model: name: byte 0xc2 at 16"},
      {[](ModelCard& i) { i.name[127] = 'a'; }, "model: name: not padded with zeros"},
      {[](ModelCard& i) { std::ranges::fill(i.architecture, 'a'); },
       "model: architecture: does not end in a zero"},
      {[](ModelCard& i) { std::ranges::fill(i.activations, 'a'); },
       "model: activations: does not end in a zero"},
      {[](ModelCard& i) { std::ranges::fill(i.compiler_version, 'a'); },
       "model: compiler_version: does not end in a zero"},
      {[](ModelCard& i) { i.normalize = 2; }, "model: normalize: 2 (0 to 1 are allowed)"},
      {[](ModelCard& i) { i.layers = -1; }, "model: layers: -1 (0 to 4096 are allowed)"},
      {[](ModelCard& i) { i.layers = kMost; }, "model: layers: "},
      {[](ModelCard& i) { i.full_dims = 0; }, "model: full_dims: 0 (1 to 1048576 are allowed)"},
      {[](ModelCard& i) { i.full_dims = kMost; }, "model: full_dims: "},
      {[](ModelCard& i) { i.dims = 0; }, "model: dims: 0 (1 to 768 are allowed)"},
      {[](ModelCard& i) { i.dims = 769; }, "model: dims: 769 (1 to 768 are allowed)"},
      {[](ModelCard& i) { i.vocab = 0; }, "model: vocab: 0 (1 to 16777216 are allowed)"},
      {[](ModelCard& i) { i.vocab = kMost; }, "model: vocab: "},
      {[](ModelCard& i) { i.context_length = 0; }, "model: context_length: 0"},
      {[](ModelCard& i) { i.context_length = kMaxBatchTokens + 1; }, "model: context_length: 33554433"},
      {[](ModelCard& i) { i.table_offset = -1; }, "model: table_offset: -1"},
      {[](ModelCard& i) { i.table_offset = kLeast; }, "model: table_offset: -"},
      {[](ModelCard& i) { i.table_row_bytes = 0; }, "model: table_row_bytes: 0"},
      {[](ModelCard& i) { i.table_row_bytes = kMost; }, "model: table_row_bytes: "},
      {[](ModelCard& i) { i.zero[1] = 1; }, "model: reserved bytes are not 0"},
      {[](ModelCard& i) { i.zero_word = 1; }, "model: reserved bytes are not 0"},
      {[](ModelCard& i) { i.numerics[0] = '\n'; }, "model: numerics: byte 0x0a at 0"},
  };
  for (const auto& [edit, error] : cases) {
    ModelCard info = SampleCard();
    edit(info);
    EXPECT_THAT(ErrorOf(ParseModelCard(BytesOf(info))), HasSubstr(error));
  }
}

TEST(ModelCard, LongTextsAreTruncatedBetweenCharacters) {
  char field[8];
  const auto set = [&](std::string_view text) {
    SetText(field, text);
    EXPECT_EQ(field[7], '\0');
    return std::string(TextOf(field));
  };
  EXPECT_EQ(set("1234567"), "1234567");
  EXPECT_EQ(set("12345678"), "1234567");
  EXPECT_EQ(set("123456\xC3\xA9"), "123456");
  EXPECT_EQ(set("12345\xC3\xA9"), "12345\xC3\xA9");
  EXPECT_EQ(set("a\n\xFF\x1B"), "a???");
  EXPECT_EQ(set(std::string_view("a\0b", 3)), "a?b");
  EXPECT_EQ(set(""), "");
}

TEST(ModelCard, ATableOutsideItsSectionIsAnError) {
  ModelCard info = SampleCard();
  const int64_t bytes = 64 + 100 * 816;
  EXPECT_TRUE(CheckTableFits(info, bytes));
  EXPECT_EQ(ErrorOf(CheckTableFits(info, bytes - 1)),
            "model: 100 rows of 816 bytes at offset 64 lie outside the 81663 bytes of tables");
  EXPECT_FALSE(CheckTableFits(info, 0));
  info.table_offset = std::numeric_limits<int64_t>::max();
  EXPECT_FALSE(CheckTableFits(info, bytes));
  EXPECT_FALSE(CheckTableFits(info, std::numeric_limits<int64_t>::max()));
}

std::vector<GoldenVector> SampleGolden() {
  return {
      {{2, 99, 1}, {0.5f, -0.25f, 1e-30f}}, {{0}, {1, 2, 3}}, {std::vector<int32_t>(20, 7), {-0.0f, 0, 0}}};
}

TEST(Golden, ParseReadsWhatSerializeWrote) {
  const std::vector<uint8_t> bytes = SerializeGolden(SampleGolden());
  EXPECT_EQ(bytes.size(), 8 + 3 * 4 + 24 * 4 + 9 * 4u);
  const auto golden = ParseGolden(bytes, SampleCard());
  ASSERT_TRUE(golden) << golden.error().message;
  EXPECT_EQ(*golden, SampleGolden());
  EXPECT_EQ(SerializeGolden(*golden), bytes);
}

TEST(Golden, EveryTruncationIsAnError) {
  std::vector<uint8_t> bytes = SerializeGolden(SampleGolden());
  for (size_t length = 0; length < bytes.size(); ++length) {
    const std::vector<uint8_t> cut(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(length));
    EXPECT_THAT(ErrorOf(ParseGolden(cut, SampleCard())), HasSubstr("golden: ")) << length;
  }
  bytes.push_back(0);
  EXPECT_EQ(ErrorOf(ParseGolden(bytes, SampleCard())),
            "golden: 133 bytes of ids and embeddings, expected 132");
}

TEST(Golden, EveryFieldOutOfRangeIsAnError) {
  const std::tuple<size_t, uint32_t, const char*> cases[] = {
      {0, 0, "golden: count: 0 (1 to 8 are allowed)"},
      {0, 9, "golden: count: 9 (1 to 8 are allowed)"},
      {0, UINT32_MAX, "golden: count: 4294967295"},
      {4, 4, "golden: dims: 4, but the model's embeddings have 3"},
      {4, UINT32_MAX, "golden: dims: 4294967295"},
      {8, 0, "golden: length: 0 (1 to 20 are allowed)"},
      {8, 21, "golden: length: 21 (1 to 20 are allowed)"},
      {8, UINT32_MAX, "golden: length: 4294967295"},
      {8, 4, "golden: 132 bytes of ids and embeddings, expected 136"},
      {20, 100, "golden: id: 100 (0 to 99 are allowed)"},
      {20, UINT32_MAX, "golden: id: -1 (0 to 99 are allowed)"},
      {20 + 96, 0x7F800000, "golden: embeddings: a value is not finite"},
      {20 + 96 + 32, 0x7FC00000, "golden: embeddings: a value is not finite"},
  };
  for (const auto& [offset, value, error] : cases) {
    std::vector<uint8_t> bytes = SerializeGolden(SampleGolden());
    std::memcpy(bytes.data() + offset, &value, sizeof(value));
    EXPECT_THAT(ErrorOf(ParseGolden(bytes, SampleCard())), HasSubstr(error)) << offset;
  }
}

}  // namespace
}  // namespace ggufc::runtime
