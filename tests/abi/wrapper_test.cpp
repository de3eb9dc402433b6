// The C++ wrapper, included as a program would: without anything of ours but it and the generated open function.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <type_traits>

#include "open_tiny.h"
#include "runtime/api/ggufc.hpp"
#include "runtime/api/ggufc_compiler.hpp"
#include "test_paths.h"

namespace {

static_assert(std::is_nothrow_move_constructible_v<ggufc::Model>);
static_assert(!std::is_copy_constructible_v<ggufc::Model>);

ggufc::Model OpenOne() { return ggufc::Model(OpenTiny, nullptr, {.threads = 1}); }

TEST(WrapperTest, OpensAndMoves) {
  ggufc::Model model = OpenOne();
  ASSERT_TRUE(model);
  EXPECT_EQ(model.dims(), 128u);
  EXPECT_EQ(model.vocab(), 640u);
  EXPECT_EQ(model.context_length(), 512u);
  EXPECT_EQ(model.threads(), 1);
  EXPECT_EQ(model.name(), "a tiny model");
  EXPECT_EQ(model.fingerprint().size(), 32u);
  EXPECT_FALSE(model.target().empty());
  EXPECT_EQ(model.Verify(), 2u);
  ggufc::Model other = std::move(model);
  EXPECT_FALSE(model);
  EXPECT_EQ(model.dims(), 0u);
  EXPECT_TRUE(other);
  model = std::move(other);
  EXPECT_TRUE(model);
  ggufc::Model adopted(model.release());
  EXPECT_EQ(adopted.dims(), 128u);
  EXPECT_THROW(model.Embed("x"), ggufc::Error);
}

TEST(WrapperTest, ReturnsWhatTheCFunctionsDo) {
  const ggufc::Model model = OpenOne();
  const std::string_view texts[] = {"hello world", std::string_view("a\0b", 3)};
  const char* data[] = {texts[0].data(), texts[1].data()};
  const size_t lengths[] = {11, 3};
  std::vector<float> expected(2 * model.dims());
  ASSERT_EQ(ggufc_embed(model.get(), data, lengths, 2, nullptr, expected.data(), 0), GGUFC_OK);
  EXPECT_EQ(model.Embed(texts), expected);
  const std::vector<float> first(expected.begin(), expected.begin() + static_cast<ptrdiff_t>(model.dims()));
  EXPECT_EQ(model.Embed("hello world"), first);

  const size_t stride = model.dims() + 5;
  std::vector<float> out(stride + model.dims());
  model.Embed(texts, out, {}, stride);
  EXPECT_TRUE(std::equal(first.begin(), first.end(), out.begin()));
  EXPECT_EQ(out[model.dims()], 0.0f);

  const std::vector<int32_t> ids = model.Tokenize("hello world");
  const size_t length = ids.size();
  EXPECT_EQ(model.EmbedIds(ids, std::span(&length, 1)), first);
  EXPECT_TRUE(model.Embed(std::span<const std::string_view>()).empty());
}

TEST(WrapperTest, Options) {
  const ggufc::Model model = OpenOne();
  EXPECT_NE(model.Embed("a cat", {.prompt = "query"}), model.Embed("a cat"));
  EXPECT_NE(model.Embed("a cat", {.prompt = "document", .title = "Cats"}),
            model.Embed("a cat", {.prompt = "document"}));
  EXPECT_LT(model.Tokenize("<eos>").size(), model.Tokenize("<eos>", {.plain_text = true}).size());
  const std::string long_text(3000, 'z');
  int64_t kept = 0, dropped = 0;
  model.Embed(
      long_text,
      {.truncate = true, .tokens_kept = std::span(&kept, 1), .tokens_dropped = std::span(&dropped, 1)});
  EXPECT_EQ(kept, 512);
  EXPECT_EQ(static_cast<size_t>(kept + dropped), model.Tokenize(long_text).size());
  const char* const titles[] = {"Cats"};
  EXPECT_EQ(model.Embed("a cat", {.prompt = "document", .titles = titles}),
            model.Embed("a cat", {.prompt = "document", .title = "Cats"}));
  // Every byte its own token: more than the first guess of the buffer holds.
  EXPECT_EQ(model.Tokenize(std::string(1000, '\xfe')).size(), 1002u);
}

TEST(WrapperTest, ErrorsAreExceptions) {
  const ggufc::Model model = OpenOne();
  const auto expect = [](ggufc_status status, const std::string& message, auto&& call) {
    try {
      call();
      ADD_FAILURE() << "no exception: " << message;
    } catch (const ggufc::Error& error) {
      EXPECT_EQ(error.status(), status) << error.what();
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
    }
  };
  const std::string_view texts[] = {"a", "b"};
  std::vector<float> small(2 * model.dims() - 1);
  int64_t kept[1];
  const int32_t ids[] = {2, 1};
  const size_t lengths[] = {1, 2}, fewer[] = {1};
  expect(GGUFC_INVALID_ARGUMENT, "prompt `x`", [&] { model.Embed("a", {.prompt = "x"}); });
  expect(GGUFC_INVALID_ARGUMENT, "room for 255 floats", [&] { model.Embed(texts, small); });
  expect(GGUFC_INVALID_ARGUMENT, "stride is 3", [&] { model.Embed(texts, small, {}, 3); });
  expect(GGUFC_INVALID_ARGUMENT, "tokens_kept has 1 entries",
         [&] { model.Embed(texts, {.tokens_kept = kept}); });
  expect(GGUFC_INVALID_ARGUMENT, "more ids than there are", [&] { model.EmbedIds(ids, lengths); });
  expect(GGUFC_INVALID_ARGUMENT, "fewer ids than there are", [&] { model.EmbedIds(ids, fewer); });
  expect(GGUFC_TOO_LONG, "text 0: ", [&] { model.Embed(std::string(3000, 'z')); });
  expect(GGUFC_IO, "missing", [&] { ggufc::Model(OpenTiny, "missing"); });
}

TEST(WrapperTest, BadTextsCanBeSkipped) {
  const ggufc::Model model = OpenOne();
  const std::string_view texts[] = {"hello world", "", "a"};
  std::vector<ggufc_status> statuses(3);
  std::vector<std::string> messages(3);
  const std::vector<float> out =
      model.Embed(texts, {.statuses = statuses, .messages = messages, .skip_errors = true});
  EXPECT_EQ(statuses, (std::vector<ggufc_status>{GGUFC_OK, GGUFC_INVALID_ARGUMENT, GGUFC_OK}));
  EXPECT_EQ(messages, (std::vector<std::string>{"", "the text is empty", ""}));
  const std::vector<float> last = model.Embed("a");
  EXPECT_TRUE(std::equal(last.begin(), last.end(), out.end() - static_cast<ptrdiff_t>(last.size())));
  EXPECT_THROW(model.Embed(texts, {.statuses = statuses}), ggufc::Error);
  EXPECT_EQ(statuses[1], GGUFC_INVALID_ARGUMENT);
  EXPECT_THROW(model.Embed(texts, {.skip_errors = true}), ggufc::Error);
  EXPECT_EQ(model.Embed(texts, {.allow_empty = true}).size(), 3 * model.dims());
}

TEST(WrapperTest, CompilesModels) {
  const std::string file = ggufc::DataPath("tiny-q8_0.gguf");
  const char* const path = file.c_str();
  const ggufc::Model model = ggufc::Compile(path, {.threads = 1, .dims = 32, .cache = false});
  EXPECT_EQ(model.dims(), 32u);
  EXPECT_EQ(model.Embed("hello world").size(), 32u);
  EXPECT_EQ(model.Verify(), 0u);
  const std::string folder = testing::TempDir() + "ggufc-wrapper-" + std::to_string(getpid());
  ggufc::CompileOptions options;
  options.cache_folder = folder.c_str();
  options.normalize = false;
  options.activations = "i8";
  options.target = "generic";
  const ggufc::Model first = ggufc::Compile(path, options), second = ggufc::Compile(path, options);
  EXPECT_EQ(second.target(), "generic");
  EXPECT_EQ(first.Embed("hello world"), second.Embed("hello world"));
  EXPECT_TRUE(std::filesystem::remove_all(folder) > 1);
  try {
    ggufc::Compile("/no/such/file", {.cache = false});
    FAIL() << "no exception";
  } catch (const ggufc::Error& error) {
    EXPECT_EQ(error.status(), GGUFC_IO);
  }
}

}  // namespace
