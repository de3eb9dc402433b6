// One bad text of a batch: what it costs with GGUFC_EMBED_SKIP_ERRORS and without.
#include <gmock/gmock.h>

#include <atomic>
#include <cstring>
#include <map>
#include <thread>

#include "compiled_code.h"

namespace ggufc::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

CompiledCode& Tiny() {
  static CompiledCode code("tiny-q8_0.gguf");
  return code;
}

struct Failure {
  ggufc_status status;
  std::string message;
};
using Failures = std::map<size_t, Failure>;

void Keep(void* context, size_t index, ggufc_status status, const char* message) {
  static_cast<Failures*>(context)->insert({index, {status, message}});
}

constexpr size_t kCount = 96, kBad = 49;

// Text 49 has 20,000 words.
std::vector<std::string> Texts() {
  std::vector<std::string> texts;
  for (size_t i = 0; i < kCount; ++i) {
    texts.push_back("text number " + std::to_string(i * i));
    for (size_t words = i == kBad ? 20000 : i % 9; words > 0; --words) texts.back() += " word";
  }
  return texts;
}

std::vector<const char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<const char*> pointers;
  for (const std::string& text : texts) pointers.push_back(text.c_str());
  return pointers;
}

bool SameBits(const float* a, const float* b, size_t count) {
  return std::memcmp(a, b, count * sizeof(float)) == 0;
}

ggufc_embed_options Skip() {
  ggufc_embed_options options = GGUFC_EMBED_OPTIONS_INIT;
  options.flags = GGUFC_EMBED_SKIP_ERRORS;
  return options;
}

TEST(OnErrorTest, OneBadTextFromSixteenThreads) {
  const std::vector<std::string> texts = Texts();
  std::vector<std::string> others = texts;
  others.erase(others.begin() + kBad);
  ggufc_options open = GGUFC_OPTIONS_INIT;
  open.threads = 2;
  open.chunk_tokens = 100;  // pieces of several calls take turns
  const Handle model = Open(Tiny().code, open);
  const std::vector<float> expected = Embed(model.get(), others);
  const std::vector<const char*> pointers = Pointers(texts);
  const size_t dims = ggufc_dims(model.get());
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 16; ++t) {
    threads.emplace_back([&, t] {
      const size_t stride = dims + t % 3;
      std::vector<float> out(kCount * stride, 7.0f);
      std::vector<ggufc_status> statuses(kCount, GGUFC_INTERNAL);
      std::vector<int64_t> kept(kCount, -1);
      Failures failures;
      ggufc_embed_options options = Skip();
      options.statuses = statuses.data();
      options.tokens_kept = kept.data();
      options.on_error = Keep;
      options.on_error_context = &failures;
      bool right = ggufc_embed(model.get(), pointers.data(), nullptr, kCount, &options, out.data(), stride) ==
                   GGUFC_SOME_FAILED;
      right = right &&
              std::string_view(ggufc_last_error()).starts_with("1 of 96 texts failed; the first: text 49: ");
      right = right && failures.size() == 1 && failures.begin()->first == kBad &&
              failures.begin()->second.status == GGUFC_TOO_LONG &&
              failures.begin()->second.message.ends_with(" tokens (the model takes at most 512)");
      for (size_t i = 0; i < kCount; ++i) {
        const float* const vector = out.data() + i * stride;
        right =
            right && statuses[i] == (i == kBad ? GGUFC_TOO_LONG : GGUFC_OK) && (kept[i] == 0) == (i == kBad);
        right = right && (i == kBad ? std::all_of(vector, vector + dims, [](float x) { return x == 0; })
                                    : SameBits(vector, expected.data() + (i - (i > kBad)) * dims, dims));
        right = right && std::all_of(vector + dims, vector + (i + 1 < kCount ? stride : dims),
                                     [](float x) { return x == 7; });
      }
      good += right;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 16);
}

TEST(OnErrorTest, WithoutTheFlagTheTextsBeforeHaveTheirVectors) {
  const std::vector<std::string> texts = Texts();
  const Handle model = OpenThreads(Tiny().code, 2);
  const size_t dims = ggufc_dims(model.get());
  for (const size_t stride : {dims, dims + 5}) {
    std::vector<float> out(kCount * stride);
    std::vector<ggufc_status> statuses(kCount, GGUFC_INTERNAL);
    ggufc_embed_options options = GGUFC_EMBED_OPTIONS_INIT;
    options.statuses = statuses.data();
    EXPECT_EQ(ggufc_embed(model.get(), Pointers(texts).data(), nullptr, kCount, &options, out.data(), stride),
              GGUFC_TOO_LONG);
    EXPECT_THAT(ggufc_last_error(), StartsWith("text 49: "));
    const std::vector<float> expected = Embed(model.get(), {texts.begin(), texts.begin() + kBad});
    for (size_t i = 0; i < kBad; ++i) {
      EXPECT_TRUE(SameBits(out.data() + i * stride, expected.data() + i * dims, dims)) << i;
      EXPECT_EQ(statuses[i], GGUFC_OK);
    }
    for (size_t i = kBad; i < kCount; ++i) EXPECT_EQ(statuses[i], GGUFC_TOO_LONG);
  }
}

TEST(OnErrorTest, EveryKindOfBadText) {
  const Handle model = OpenThreads(Tiny().code, 1);
  const size_t dims = ggufc_dims(model.get());
  const char* const texts[] = {"good", "", "also good", "titled"};
  std::vector<float> out(4 * dims);
  ggufc_status statuses[4];
  Failures failures;
  ggufc_embed_options options = Skip();
  options.statuses = statuses;
  options.on_error = Keep;
  options.on_error_context = &failures;
  // A prompt without a place for the title that one of the texts has.
  const char* const titles[] = {nullptr, "", "", "a\ntitle"};
  options.prompt = "query";
  options.titles = titles;
  EXPECT_EQ(ggufc_embed(model.get(), texts, nullptr, 4, &options, out.data(), 0), GGUFC_SOME_FAILED);
  EXPECT_STREQ(ggufc_last_error(), "2 of 4 texts failed; the first: text 1: the text is empty");
  EXPECT_THAT(statuses, ElementsAre(GGUFC_OK, GGUFC_INVALID_ARGUMENT, GGUFC_OK, GGUFC_INVALID_ARGUMENT));
  EXPECT_EQ(failures.at(1).message, "the text is empty");
  EXPECT_EQ(failures.at(3).message, "prompt `query` takes no title (the title given is `a?title`)");
  // All good: no failure is left over from before.
  options.titles = nullptr;
  options.flags |= GGUFC_EMBED_ALLOW_EMPTY;
  failures.clear();
  EXPECT_EQ(ggufc_embed(model.get(), texts, nullptr, 4, &options, out.data(), 0), GGUFC_OK);
  EXPECT_THAT(statuses, Each(GGUFC_OK));
  EXPECT_TRUE(failures.empty());
  const std::vector<float> empty = Tiny().Reference("task: search result | query: ");
  EXPECT_TRUE(SameBits(out.data() + dims, empty.data(), dims));

  const int32_t ids[] = {2, 300, 1, 2, 640, 1, 2, 301, 1};
  const size_t lengths[] = {3, 0, 3, 3};
  ggufc_embed_options of_ids = Skip();
  of_ids.statuses = statuses;
  EXPECT_EQ(ggufc_embed_ids(model.get(), ids, lengths, 4, &of_ids, out.data(), 0), GGUFC_SOME_FAILED);
  EXPECT_STREQ(ggufc_last_error(),
               "2 of 4 sequences failed; the first: sequence 1: the list of ids is empty");
  EXPECT_THAT(statuses, ElementsAre(GGUFC_OK, GGUFC_INVALID_ARGUMENT, GGUFC_INVALID_ARGUMENT, GGUFC_OK));
  EXPECT_TRUE(SameBits(out.data(), Tiny().Reference({2, 300, 1}).data(), dims));
  EXPECT_TRUE(SameBits(out.data() + 3 * dims, Tiny().Reference({2, 301, 1}).data(), dims));
}

// The row of one token holds a NaN: whatever is in its piece with it keeps its bits.
TEST(OnErrorTest, NotFiniteCostsItsOwnSequence) {
  CompiledCode broken("tiny-q8_0.gguf");
  const uint16_t nan = 0x7e00;  // the f16 scale of the row's first block
  std::memcpy(broken.Row(400).data(), &nan, sizeof(nan));
  broken.Embed();
  std::vector<int32_t> ids;
  std::vector<size_t> lengths;
  for (int32_t i = 0; i < 40; ++i) {
    ids.insert(ids.end(), {2, i % 9 == 4 ? 400 : 300 + i, 310, 1});
    lengths.push_back(4);
  }
  for (const int64_t chunk_tokens : {4, 10, 2048}) {
    ggufc_options open = GGUFC_OPTIONS_INIT;
    open.threads = 2;
    open.chunk_tokens = chunk_tokens;
    const Handle model = Open(broken.code, open);
    const size_t dims = ggufc_dims(model.get());
    std::vector<float> out(40 * dims);
    std::vector<ggufc_status> statuses(40);
    ggufc_embed_options options = Skip();
    options.statuses = statuses.data();
    EXPECT_EQ(ggufc_embed_ids(model.get(), ids.data(), lengths.data(), 40, &options, out.data(), 0),
              GGUFC_SOME_FAILED);
    EXPECT_THAT(ggufc_last_error(),
                StartsWith("4 of 40 sequences failed; the first: sequence 4: the embedding "
                           "is not finite: component "));
    for (int32_t i = 0; i < 40; ++i) {
      const auto at = static_cast<size_t>(i);
      const std::vector<float> expected =
          i % 9 == 4 ? std::vector<float>(dims) : Tiny().Reference({2, 300 + i, 310, 1});
      EXPECT_TRUE(SameBits(out.data() + at * dims, expected.data(), dims)) << i << " of " << chunk_tokens;
      EXPECT_EQ(statuses[at], i % 9 == 4 ? GGUFC_NOT_FINITE : GGUFC_OK);
    }
    options.flags = 0;
    std::ranges::fill(out, 7.0f);
    EXPECT_EQ(ggufc_embed_ids(model.get(), ids.data(), lengths.data(), 40, &options, out.data(), 0),
              GGUFC_NOT_FINITE);
    EXPECT_THAT(ggufc_last_error(), StartsWith("sequence 4: the embedding is not finite"));
    EXPECT_TRUE(SameBits(out.data() + 3 * dims, Tiny().Reference({2, 303, 310, 1}).data(), dims));
    EXPECT_EQ(statuses[3], GGUFC_OK);
    EXPECT_EQ(statuses[4], GGUFC_NOT_FINITE);
  }
}

// What is wrong with the call is no matter of single texts.
TEST(OnErrorTest, ErrorsOfTheCallStillFailIt) {
  CompiledCode damaged("tiny-q8_0.gguf");
  damaged.RowInImage(400)[0] ^= 1;
  const Handle model = OpenThreads(damaged.code, 1);
  const int32_t ids[] = {2, 300, 1, 2, 400, 1};
  const size_t lengths[] = {3, 3};
  float out[256];
  ggufc_status statuses[2] = {GGUFC_INTERNAL, GGUFC_INTERNAL};
  ggufc_embed_options options = Skip();
  options.statuses = statuses;
  EXPECT_EQ(ggufc_embed_ids(model.get(), ids, lengths, 2, &options, out, 0), GGUFC_BAD_FILE);
  EXPECT_THAT(statuses, Each(GGUFC_BAD_FILE));
  const char* const text = "a";
  options.prompt = "nonsense";
  EXPECT_EQ(ggufc_embed(model.get(), &text, nullptr, 1, &options, out, 0), GGUFC_INVALID_ARGUMENT);
  // Refused before anything is done: nothing is written.
  statuses[0] = GGUFC_INTERNAL;
  options.reserved = 1;
  EXPECT_EQ(ggufc_embed(model.get(), &text, nullptr, 1, &options, out, 0), GGUFC_INVALID_ARGUMENT);
  EXPECT_EQ(statuses[0], GGUFC_INTERNAL);
}

// What a callback may do.
TEST(OnErrorTest, TheCallbackMayUseTheHandle) {
  const Handle model = OpenThreads(Tiny().code, 2);
  struct Context {
    ggufc_model* model;
    std::vector<float> out;
    int calls = 0;
  } context = {model.get(), std::vector<float>(128)};
  ggufc_embed_options options = Skip();
  options.on_error_context = &context;
  options.on_error = [](void* given, size_t, ggufc_status, const char*) {
    auto& own = *static_cast<Context*>(given);
    const char* const text = "hello world";
    if (ggufc_embed(own.model, &text, nullptr, 1, nullptr, own.out.data(), 0) == GGUFC_OK) ++own.calls;
  };
  const char* const texts[] = {"a", "", "b", ""};
  std::vector<float> out(4 * 128);
  EXPECT_EQ(ggufc_embed(model.get(), texts, nullptr, 4, &options, out.data(), 0), GGUFC_SOME_FAILED);
  EXPECT_EQ(context.calls, 2);
  EXPECT_EQ(context.out, Tiny().Reference("hello world"));
  EXPECT_TRUE(SameBits(out.data() + 2 * 128, Tiny().Reference("b").data(), 128));
}

}  // namespace
}  // namespace ggufc::testing
