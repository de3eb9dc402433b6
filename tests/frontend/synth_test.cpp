#include "frontend/synth.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "frontend/gguf/gguf_reader.h"
#include "frontend/gguf/tensor_data.h"
#include "frontend/tokenizer/token_table.h"
#include "frontend/tokenizer/vocabulary.h"
#include "test_files.h"
#include "test_paths.h"

namespace ggufc::frontend {
namespace {

using ::testing::HasSubstr;

SynthOptions Tiny() {
  SynthOptions options;
  options.layers = 2;
  options.dim = 128;
  options.heads = 4;
  options.kv_heads = 2;
  options.head_dim = 32;
  options.ffn = 160;
  options.vocab = 640;
  options.window = 16;
  options.context = 512;
  options.dense = 192;
  return options;
}

std::string Write(const TempDirectory& directory, const SynthOptions& options, const std::string& name) {
  const std::string path = directory.File(name);
  const Status status = WriteSyntheticModel(options, std::nullopt, path);
  EXPECT_TRUE(status) << status.error().message;
  return path;
}

TEST(Synth, EqualOptionsGiveEqualFiles) {
  const TempDirectory directory;
  SynthOptions options = Tiny();
  const std::string first = ReadFile(Write(directory, options, "a.gguf"));
  EXPECT_EQ(first, ReadFile(Write(directory, options, "b.gguf")));
  options.seed = 2;
  const std::string other = ReadFile(Write(directory, options, "c.gguf"));
  EXPECT_EQ(first.size(), other.size());
  EXPECT_NE(first, other);
  EXPECT_EQ(directory.List().size(), 3u);
}

// Keys, their types, and tensors are those of a converted model of that shape.
TEST(Synth, HasTheKeysAndTensorsOfAConvertedModel) {
  for (const auto& [golden, type] :
       {std::pair("tiny-q8_0.gguf", GgmlType::Q8_0), std::pair("tiny-f32.gguf", GgmlType::F32),
        std::pair("tiny-f16.gguf", GgmlType::F16), std::pair("tiny-bf16.gguf", GgmlType::BF16)}) {
    SCOPED_TRACE(golden);
    const TempDirectory directory;
    SynthOptions options = Tiny();
    options.layers = 7;
    options.type = type;
    const Result<GgufFile> file = GgufFile::Open(Write(directory, options, "a.gguf"));
    ASSERT_TRUE(file) << file.error().message;
    const Result<GgufFile> model = GgufFile::Open(DataPath(golden));
    ASSERT_TRUE(model);
    ASSERT_EQ(file->metadata().size(), model->metadata().size());
    for (const MetadataEntry& entry : model->metadata()) {
      const MetadataEntry* mine = file->Find(entry.key);
      ASSERT_NE(mine, nullptr) << entry.key;
      EXPECT_EQ(mine->type, entry.type) << entry.key;
      EXPECT_EQ(mine->element_type, entry.element_type) << entry.key;
      EXPECT_EQ(mine->count, entry.count) << entry.key;
      if (entry.type == ValueType::kArray) continue;
      EXPECT_EQ(ValueText(*mine), ValueText(entry)) << entry.key;
    }
    ASSERT_EQ(file->tensors().size(), model->tensors().size());
    for (size_t i = 0; i < model->tensors().size(); ++i) {
      EXPECT_EQ(file->tensors()[i].name, model->tensors()[i].name);
      EXPECT_EQ(file->tensors()[i].type, model->tensors()[i].type);
      EXPECT_EQ(file->tensors()[i].dims, model->tensors()[i].dims) << model->tensors()[i].name;
    }
  }
}

TEST(Synth, WithoutDenseLayers) {
  const TempDirectory directory;
  SynthOptions options = Tiny();
  options.dense = 0;
  const Result<GgufFile> file = GgufFile::Open(Write(directory, options, "a.gguf"));
  ASSERT_TRUE(file);
  EXPECT_FALSE(file->Has("gemma-embedding.dense_2_feat_in"));
  EXPECT_EQ(file->FindTensor("dense_2.weight"), nullptr);
}

TEST(Synth, WeightsAreNormal) {
  const TempDirectory directory;
  SynthOptions options = Tiny();
  options.type = GgmlType::F32;
  const Result<GgufFile> file = GgufFile::Open(Write(directory, options, "a.gguf"));
  ASSERT_TRUE(file);
  std::set<std::vector<float>> first_rows;
  for (const Tensor& tensor : file->tensors()) {
    ASSERT_TRUE(CheckFinite(*file, tensor));
    if (tensor.rank != 2) continue;
    std::vector<float> row(tensor.row_length());
    double sum = 0, squares = 0, fourth = 0, neighbours = 0;
    for (uint64_t r = 0; r < tensor.rows(); ++r) {
      DequantizeRow(tensor, r, row.data());
      if (r == 0) first_rows.insert({row.begin(), row.begin() + 32});
      for (size_t i = 0; i < row.size(); ++i) {
        const double x = row[i] * std::sqrt(static_cast<double>(tensor.row_length()));
        sum += x, squares += x * x, fourth += x * x * x * x;
        if (i > 0) neighbours += x * row[i - 1] * std::sqrt(static_cast<double>(tensor.row_length()));
      }
    }
    const auto n = static_cast<double>(tensor.elements());
    // Five standard errors; the kurtosis of a sum of four uniform numbers is 2.7.
    EXPECT_NEAR(sum / n, 0, 5 / std::sqrt(n)) << tensor.name;
    EXPECT_NEAR(squares / n, 1, 5 * std::sqrt(1.7 / n)) << tensor.name;
    EXPECT_NEAR(fourth / n, 2.7, 5 * std::sqrt(70 / n)) << tensor.name;
    EXPECT_NEAR(neighbours / n, 0, 5 / std::sqrt(n)) << tensor.name;
  }
  EXPECT_EQ(first_rows.size(), 17u) << "two tensors have equal values";
}

TEST(Synth, OutlierChannelsAreInNormsThatWriteToTheStream) {
  const TempDirectory directory;
  SynthOptions options = Tiny();
  options.dim = 256;
  const Result<GgufFile> file = GgufFile::Open(Write(directory, options, "a.gguf"));
  ASSERT_TRUE(file);
  std::map<bool, std::set<std::vector<size_t>>> large_channels;  // by whether the norm writes to the stream
  for (const Tensor& tensor : file->tensors()) {
    if (tensor.rank != 1 || tensor.row_length() != 256) continue;
    std::vector<float> gains(256);
    DequantizeRow(tensor, 0, gains.data());
    std::vector<size_t> large;
    for (size_t i = 0; i < gains.size(); ++i) {
      EXPECT_GT(gains[i], 0.1f) << tensor.name;
      if (gains[i] > 2.0f) large.push_back(i);
    }
    large_channels[tensor.name.find("post_") != std::string_view::npos].insert(large);
  }
  EXPECT_EQ(large_channels[false], std::set<std::vector<size_t>>{{}});
  ASSERT_EQ(large_channels[true].size(), 1u) << "the same channels in every layer";
  EXPECT_THAT(large_channels[true].begin()->size(), ::testing::AllOf(::testing::Ge(1u), ::testing::Le(2u)));
}

TEST(Synth, ReportsProgress) {
  const TempDirectory directory;
  uint64_t last = 0, all = 0;
  const Status status =
      WriteSyntheticModel(Tiny(), std::nullopt, directory.File("a.gguf"), [&](uint64_t done, uint64_t total) {
        EXPECT_GT(done, last);
        EXPECT_LE(done, total);
        last = done;
        all = total;
      });
  ASSERT_TRUE(status);
  EXPECT_EQ(last, all);
  EXPECT_GT(all, 0u);
}

TEST(Synth, RefusesBadOptions) {
  const TempDirectory directory;
  const auto message = [&](const std::function<void(SynthOptions&)>& change) {
    SynthOptions options = Tiny();
    change(options);
    const Status status = WriteSyntheticModel(options, std::nullopt, directory.File("a.gguf"));
    return status ? std::string("(no error)") : status.error().message;
  };
  using O = SynthOptions;
  EXPECT_THAT(message([](O& o) { o.layers = 0; }), HasSubstr("layers is 0 (1 to 256 are allowed)"));
  // The limits are those of the reader, so every written model can be read.
  EXPECT_THAT(message([](O& o) { o.layers = 257; }), HasSubstr("layers is 257 (1 to 256 are allowed)"));
  EXPECT_THAT(message([](O& o) { o.window = 0; }), HasSubstr("window is 0 (1 to 1048576 are allowed)"));
  EXPECT_THAT(message([](O& o) { o.heads = o.kv_heads = 64, o.head_dim = 1024; }),
              HasSubstr("heads * head-dim is 65536 (2 to 32768 are allowed)"));
  EXPECT_THAT(message([](O& o) { o.context = 131072, o.head_dim = 128; }),
              HasSubstr("context * head-dim is 16777216 (2 to 8388608 are allowed)"));
  EXPECT_THAT(message([](O& o) { o.context = 131072, o.heads = 8, o.kv_heads = 1; }),
              HasSubstr("heads / kv-heads * context is 1048576 (1 to 524288 are allowed)"));
  EXPECT_THAT(message([](O& o) { o.outlier_gain = 2e6f; }),
              HasSubstr("outlier gain is 2000000 (a positive number up to"));
  EXPECT_THAT(message([](O& o) { o.kv_heads = 5; }), HasSubstr("kv-heads is 5 (1 to 4 are allowed)"));
  EXPECT_THAT(message([](O& o) { o.kv_heads = 3; }), HasSubstr("4 heads are no multiple of 3 kv-heads"));
  EXPECT_THAT(message([](O& o) { o.head_dim = 33; }), HasSubstr("head-dim 33 is odd"));
  EXPECT_THAT(message([](O& o) { o.dim = 100; }), HasSubstr("dim is 100 (type q8_0 needs a multiple of 32)"));
  EXPECT_THAT(message([](O& o) { o.ffn = 100; }), HasSubstr("ffn is 100 (type q8_0 needs a multiple of 32)"));
  EXPECT_THAT(message([](O& o) { o.dense = 100; }),
              HasSubstr("dense is 100 (type q8_0 needs a multiple of 32)"));
  EXPECT_THAT(message([](O& o) { o.vocab = 260; }), HasSubstr("260 entries (261 to 4194304 are allowed"));
  EXPECT_THAT(message([](O& o) { o.outlier_gain = NAN; }), HasSubstr("outlier gain"));
  EXPECT_TRUE(directory.List().empty());
}

TEST(BuiltinTokens, ShortTableIsAPrefixOfALongOne) {
  const Result<TokenTable> large = BuiltinTokens(3000);
  ASSERT_TRUE(large);
  ASSERT_EQ(large->pieces.size(), 3000u);
  EXPECT_EQ(large->pieces[2999].substr(0, 7), "<unused");
  for (const uint64_t vocab : {uint64_t{261}, uint64_t{300}, uint64_t{640}, uint64_t{1000}}) {
    const Result<TokenTable> table = BuiltinTokens(vocab);
    ASSERT_TRUE(table);
    ASSERT_EQ(table->pieces.size(), vocab);
    for (size_t i = 0; i < vocab; ++i) {
      if (table->types[i] == static_cast<int32_t>(TokenType::kUnused)) continue;
      EXPECT_EQ(table->pieces[i], large->pieces[i]);
      EXPECT_EQ(table->scores[i], large->scores[i]);
    }
  }
}

// Merging the pair with the highest score first turns the characters of every piece into that piece.
TEST(BuiltinTokens, MergingReachesEveryPiece) {
  const Result<TokenTable> table = BuiltinTokens(2000);
  ASSERT_TRUE(table);
  std::map<std::string, float> score;
  std::set<std::string> distinct(table->pieces.begin(), table->pieces.end());
  EXPECT_EQ(distinct.size(), table->pieces.size());
  size_t normal = 0;
  for (size_t i = 0; i < table->pieces.size(); ++i) {
    if (table->types[i] != static_cast<int32_t>(TokenType::kNormal)) continue;
    score[table->pieces[i]] = table->scores[i];
    ++normal;
  }
  EXPECT_GT(normal, 500u);
  for (const auto& [piece, unused] : score) {
    std::vector<std::string> parts;
    for (size_t i = 0; i < piece.size();) {
      const size_t length = static_cast<unsigned char>(piece[i]) < 0x80 ? 1 : 3;
      parts.push_back(piece.substr(i, length));
      i += length;
    }
    for (;;) {
      size_t best = parts.size();
      for (size_t i = 0; i + 1 < parts.size(); ++i) {
        const auto it = score.find(parts[i] + parts[i + 1]);
        if (it == score.end()) continue;
        if (best == parts.size() || it->second > score[parts[best] + parts[best + 1]]) best = i;
      }
      if (best == parts.size()) break;
      parts[best] += parts[best + 1];
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    }
    EXPECT_EQ(parts.size(), 1u) << piece << " ends as " << fmt::format("{}", fmt::join(parts, " + "));
  }
}

}  // namespace
}  // namespace ggufc::frontend
