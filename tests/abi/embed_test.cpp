// What the interface returns: bits, strides, token counts, prompts, and how texts are read.
#include <gmock/gmock.h>

#include <cmath>
#include <random>

#include "c_caller.h"
#include "compiled_code.h"
#include "runtime/api/c_api.h"
#include "runtime/text/prompts.h"

namespace ggufc::testing {
namespace {

using ::testing::ElementsAre;

CompiledCode& Tiny() {
  static CompiledCode code("tiny-q8_0.gguf");
  return code;
}

std::vector<std::string> Texts() {
  return {"hello world",
          "a",
          "The cat sleeps on the warm roof of the house.",
          std::string("nul \0 inside", 12),
          "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80",
          "broken \xFF\xC3 utf-8 \xE2\x82",
          " ",
          "<eos> is a control token",
          std::string(300, 'x')};
}

struct BitsCase {
  const char* model;
  ir::Scalar activations;
};

class BitsTest : public ::testing::TestWithParam<BitsCase> {};

TEST_P(BitsTest, VectorsAreThoseOfTheJit) {
  CompiledCode compiled(GetParam().model, {.activations = GetParam().activations});
  for (const int threads : {1, 2}) {
    const Handle model = OpenThreads(compiled.code, threads);
    ASSERT_NE(model, nullptr);
    EXPECT_EQ(ggufc_threads(model.get()), threads);
    EXPECT_EQ(ggufc_dims(model.get()), compiled.dims());
    std::vector<float> expected;
    for (const std::string& text : Texts()) {
      const std::vector<float> one = compiled.Reference(text);
      EXPECT_EQ(Embed(model.get(), {text}), one) << text;
      expected.insert(expected.end(), one.begin(), one.end());
    }
    EXPECT_EQ(Embed(model.get(), Texts()), expected) << threads << " threads";
    size_t vectors = 0;
    EXPECT_EQ(ggufc_verify(model.get(), &vectors), GGUFC_OK) << ggufc_last_error();
    EXPECT_EQ(vectors, 2u);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, BitsTest,
                         ::testing::Values(BitsCase{"tiny-q8_0.gguf", ir::Scalar::kQ16},
                                           BitsCase{"tiny-q8_0.gguf", ir::Scalar::kQ8},
                                           BitsCase{"tiny-nodense.gguf", ir::Scalar::kQ16},
                                           BitsCase{"tiny-f32.gguf", ir::Scalar::kQ16},
                                           BitsCase{"tiny-f16.gguf", ir::Scalar::kQ16},
                                           BitsCase{"tiny-bf16.gguf", ir::Scalar::kQ16}));

TEST(EmbedTest, FromC) {
  std::vector<float> vectors(6 * Tiny().dims());
  const char* const wrong = CallEverything(&Tiny().code, vectors.data());
  EXPECT_EQ(wrong, nullptr) << wrong;
  std::vector<float> expected;
  for (int round = 0; round < 2; ++round) {
    for (const char* text : {"hello world", "a", "the cat"}) {
      const std::vector<float> one = Tiny().Reference(text);
      expected.insert(expected.end(), one.begin(), one.end());
    }
  }
  EXPECT_EQ(vectors, expected);
}

TEST(EmbedTest, StridesLeaveTheGapsAlone) {
  const Handle model = OpenThreads(Tiny().code, 1);
  const std::vector<std::string> texts = Texts();
  const size_t dims = Tiny().dims();
  for (const size_t stride : {dims, dims + 1, 3 * dims}) {
    constexpr float kGap = 12345.0f;
    // One float further than malloc's alignment, too.
    std::vector<float> out(1 + (texts.size() - 1) * stride + dims + 1, kGap);
    std::vector<const char*> data;
    std::vector<size_t> lengths;
    for (const std::string& text : texts) {
      data.push_back(text.data());
      lengths.push_back(text.size());
    }
    ASSERT_EQ(
        ggufc_embed(model.get(), data.data(), lengths.data(), texts.size(), nullptr, out.data() + 1, stride),
        GGUFC_OK)
        << ggufc_last_error();
    size_t gaps = 0;
    for (size_t i = 0; i < texts.size(); ++i) {
      const float* const vector = out.data() + 1 + i * stride;
      EXPECT_EQ(std::vector<float>(vector, vector + dims), Tiny().Reference(texts[i])) << i;
    }
    for (const float value : out) gaps += value == kGap;
    EXPECT_EQ(gaps, out.size() - texts.size() * dims);
  }
}

// Batches that are cut into many pieces, in every proportion of pieces to sequences.
TEST(EmbedTest, BatchesOfAnySizeInBoundedMemory) {
  std::mt19937_64 random(7);
  std::vector<int32_t> ids;
  std::vector<size_t> lengths;
  std::vector<float> expected;
  std::vector<std::vector<int32_t>> pool;
  for (int i = 0; i < 6; ++i) {
    std::vector<int32_t> sequence(1 + random() % 40);
    for (int32_t& id : sequence) id = static_cast<int32_t>(random() % 640);
    pool.push_back(sequence);
  }
  std::vector<std::vector<float>> vectors;
  for (const auto& sequence : pool) vectors.push_back(Tiny().Reference(sequence));
  for (int i = 0; i < 400; ++i) {
    const size_t which = random() % pool.size();
    ids.insert(ids.end(), pool[which].begin(), pool[which].end());
    lengths.push_back(pool[which].size());
    expected.insert(expected.end(), vectors[which].begin(), vectors[which].end());
  }
  for (const int64_t chunk_tokens : {1, 64, 1000}) {
    ggufc_options options = GGUFC_OPTIONS_INIT;
    options.threads = 2;
    options.chunk_tokens = chunk_tokens;
    const Handle model = Open(Tiny().code, options);
    std::vector<float> out(expected.size());
    ASSERT_EQ(
        ggufc_embed_ids(model.get(), ids.data(), lengths.data(), lengths.size(), nullptr, out.data(), 0),
        GGUFC_OK)
        << ggufc_last_error();
    EXPECT_EQ(out, expected) << chunk_tokens;
    const runtime::ExecutorStats stats = model->embedder->executor().stats();
    EXPECT_EQ(stats.sequences, 400);
    EXPECT_TRUE(chunk_tokens != 1 || stats.chunks == 400) << stats.chunks;
    const runtime::Program& program = model->embedder->executor().program();
    const int64_t most = std::max<int64_t>(chunk_tokens, 40);
    EXPECT_LE(stats.arena_bytes,
              program.arena_bytes + most * (program.arena_bytes_t + program.arena_bytes_b));
  }
}

TEST(EmbedTest, AnEmptyBatchIsFine) {
  const Handle model = OpenThreads(Tiny().code, 1);
  EXPECT_EQ(ggufc_embed(model.get(), nullptr, nullptr, 0, nullptr, nullptr, 0), GGUFC_OK);
  EXPECT_EQ(ggufc_embed_ids(model.get(), nullptr, nullptr, 0, nullptr, nullptr, 0), GGUFC_OK);
}

TEST(EmbedTest, LengthsMayBeOfSomeTextsOnly) {
  const Handle model = OpenThreads(Tiny().code, 1);
  const char* const texts[] = {"hello world, and more", "hello world", "hello world\0 and more"};
  const size_t lengths[] = {11, GGUFC_NUL_TERMINATED, GGUFC_NUL_TERMINATED};
  std::vector<float> out(3 * Tiny().dims());
  ASSERT_EQ(ggufc_embed(model.get(), texts, lengths, 3, nullptr, out.data(), 0), GGUFC_OK);
  const std::vector<float> one = Tiny().Reference("hello world");
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(std::equal(one.begin(), one.end(), out.begin() + static_cast<ptrdiff_t>(i * one.size())))
        << i;
  }
}

TEST(EmbedTest, PromptsAndTitles) {
  const Handle model = OpenThreads(Tiny().code, 1);
  const auto prompted = [](const char* prompt, const char* title, const char* text) {
    return Tiny().Reference(Value(runtime::ApplyPrompt(prompt, title, text)));
  };
  ggufc_embed_options options = GGUFC_EMBED_OPTIONS_INIT;
  for (const runtime::Prompt& prompt : runtime::Prompts()) {
    const std::string name(prompt.name);
    options.prompt = name.c_str();
    EXPECT_EQ(Embed(model.get(), {"a cat"}, options), prompted(name.c_str(), "", "a cat")) << name;
  }
  options.prompt = "document";
  options.title = "Cats";
  EXPECT_EQ(Embed(model.get(), {"a cat"}, options), prompted("document", "Cats", "a cat"));
  options.title = nullptr;
  const char* const titles[] = {"Cats", nullptr, "", "Dogs"};
  options.titles = titles;
  std::vector<float> expected;
  for (const char* title : {"Cats", "", "", "Dogs"}) {
    const std::vector<float> one = prompted("document", title, "a cat");
    expected.insert(expected.end(), one.begin(), one.end());
  }
  EXPECT_EQ(Embed(model.get(), {"a cat", "a cat", "a cat", "a cat"}, options), expected);
  options = GGUFC_EMBED_OPTIONS_INIT;
  options.prompt = "";
  options.title = "";
  EXPECT_EQ(Embed(model.get(), {"a cat"}, options), Tiny().Reference("a cat"));
}

std::vector<int32_t> Tokenize(const Handle& model, std::string_view text,
                              const ggufc_embed_options& options) {
  size_t count = 0;
  EXPECT_EQ(ggufc_tokenize(model.get(), text.data(), text.size(), &options, nullptr, 0, &count), GGUFC_OK)
      << ggufc_last_error();
  std::vector<int32_t> ids(count);
  EXPECT_EQ(ggufc_tokenize(model.get(), text.data(), text.size(), &options, ids.data(), count, &count),
            GGUFC_OK)
      << ggufc_last_error();
  EXPECT_EQ(count, ids.size());
  return ids;
}

TEST(EmbedTest, ControlTokensCanBePlainText) {
  const Handle model = OpenThreads(Tiny().code, 1);
  ggufc_embed_options options = GGUFC_EMBED_OPTIONS_INIT;
  const std::vector<int32_t> parsed = Tokenize(model, "x<eos>y", options);
  EXPECT_EQ(std::ranges::count(parsed, 1), 2);
  options.flags = GGUFC_EMBED_PLAIN_TEXT;
  const std::vector<int32_t> plain = Tokenize(model, "x<eos>y", options);
  EXPECT_EQ(std::ranges::count(plain, 1), 1);
  EXPECT_GT(plain.size(), parsed.size());
  EXPECT_EQ(Embed(model.get(), {"x<eos>y"}, options), Tiny().Reference(plain));
}

TEST(EmbedTest, TruncationKeepsEosAndCounts) {
  const Handle model = OpenThreads(Tiny().code, 2);
  const auto limit = static_cast<size_t>(Tiny().context_length());
  std::string longer;
  while (longer.size() < 8 * limit) longer += "cat dog ";
  std::vector<int32_t> all = Tiny().Ids(longer);
  const auto total = static_cast<int64_t>(all.size());
  ASSERT_GT(all.size(), limit);
  std::vector<int32_t> cut(all.begin(), all.begin() + static_cast<ptrdiff_t>(limit));
  cut.back() = all.back();

  int64_t kept[3] = {-1, -1, -1}, dropped[3] = {-1, -1, -1};
  ggufc_embed_options options = GGUFC_EMBED_OPTIONS_INIT;
  options.flags = GGUFC_EMBED_TRUNCATE;
  options.tokens_kept = kept;
  options.tokens_dropped = dropped;
  std::vector<float> expected;
  for (const std::vector<int32_t>& ids : {Tiny().Ids("a"), cut, Tiny().Ids("the cat")}) {
    const std::vector<float> one = Tiny().Reference(ids);
    expected.insert(expected.end(), one.begin(), one.end());
  }
  EXPECT_EQ(Embed(model.get(), {"a", longer, "the cat"}, options), expected);
  EXPECT_THAT(kept, ElementsAre(3, static_cast<int64_t>(limit), Tiny().Ids("the cat").size()));
  EXPECT_THAT(dropped, ElementsAre(0, total - static_cast<int64_t>(limit), 0));

  std::ranges::fill(dropped, -1);
  EXPECT_EQ(Tokenize(model, longer, options), cut);
  EXPECT_EQ(kept[0], static_cast<int64_t>(limit));
  EXPECT_EQ(dropped[0], total - static_cast<int64_t>(limit));

  std::ranges::fill(dropped, -1);
  std::vector<float> vector(Tiny().dims());
  const size_t length = all.size();
  ASSERT_EQ(ggufc_embed_ids(model.get(), all.data(), &length, 1, &options, vector.data(), 0), GGUFC_OK);
  EXPECT_EQ(vector, Tiny().Reference(cut));
  EXPECT_EQ(dropped[0], total - static_cast<int64_t>(limit));
  // What does not end in EOS is cut as it is.
  all.back() = 300;
  ASSERT_EQ(ggufc_embed_ids(model.get(), all.data(), &length, 1, &options, vector.data(), 0), GGUFC_OK);
  cut.back() = all[limit - 1];
  EXPECT_EQ(vector, Tiny().Reference(cut));

  // Without the flag a text is tokenized whole.
  options.flags = 0;
  EXPECT_EQ(Tokenize(model, longer, options).size(), static_cast<size_t>(total));
}

TEST(EmbedTest, TokenizeCountsAndFillsBuffers) {
  const Handle model = OpenThreads(Tiny().code, 1);
  const std::vector<int32_t> expected = Tiny().Ids("hello world");
  size_t count = 0;
  std::vector<int32_t> ids(expected.size() + 3, -7);
  ASSERT_EQ(ggufc_tokenize(model.get(), "hello world", 11, nullptr, ids.data(), ids.size(), &count),
            GGUFC_OK);
  EXPECT_EQ(count, expected.size());
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), ids.begin()));
  EXPECT_EQ(ids.back(), -7);
  // Too small by one: nothing is written but the count.
  std::ranges::fill(ids, -7);
  EXPECT_EQ(ggufc_tokenize(model.get(), "hello world", 11, nullptr, ids.data(), expected.size() - 1, &count),
            GGUFC_TOO_LONG);
  EXPECT_EQ(count, expected.size());
  EXPECT_EQ(std::ranges::count(ids, -7), static_cast<ptrdiff_t>(ids.size()));
  // Empty texts have BOS and EOS.
  for (const char* empty : {"", static_cast<const char*>(nullptr)}) {
    EXPECT_EQ(ggufc_tokenize(model.get(), empty, 0, nullptr, ids.data(), ids.size(), &count), GGUFC_OK);
    EXPECT_EQ(count, 2u);
  }
}

// Callers that flush denormals or round upwards get the same bits, and keep their settings.
TEST(EmbedTest, TheCallersFloatEnvironmentDoesNotMatter) {
  const Handle model = OpenThreads(Tiny().code, 2);
  const std::vector<float> expected = Tiny().Reference("hello world");
  const unsigned before = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(before | 0xC040);  // denormals are zero, flush to zero, round towards zero
  const std::vector<float> vector = Embed(model.get(), {"hello world"});
  const unsigned after = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(before);
  EXPECT_EQ(vector, expected);
  EXPECT_EQ(after & 0xC040, 0xC040u);
}

}  // namespace
}  // namespace ggufc::testing
