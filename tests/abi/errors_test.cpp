// Every status, what the messages say, and that a handle is as good after a failure as before.
#include <gmock/gmock.h>

#include <cstring>
#include <functional>
#include <limits>
#include <new>
#include <stdexcept>
#include <thread>

#include "compiled_code.h"
#include "runtime/api/c_api.h"
#include "runtime/store/program_format.h"

namespace ggufc::testing {
namespace {

using ::testing::HasSubstr;

class ErrorsTest : public ::testing::Test {
 protected:
  static CompiledCode& Code() {
    static CompiledCode code("tiny-q8_0.gguf");
    return code;
  }
  void SetUp() override { model_ = OpenThreads(Code().code, 2); }
  void TearDown() override {
    EXPECT_EQ(Embed(model_.get(), {"hello world"}), Code().Reference("hello world"));
  }

  void Expect(ggufc_status status, ggufc_status expected, const char* message) {
    EXPECT_STREQ(ggufc_status_name(status), ggufc_status_name(expected)) << ggufc_last_error();
    EXPECT_THAT(ggufc_last_error(), HasSubstr(message));
  }
  ggufc_status EmbedOne(const char* text, const ggufc_embed_options& options) {
    return ggufc_embed(model_.get(), &text, nullptr, 1, &options, out_, 0);
  }

  Handle model_;
  float out_[2048] = {};
};

TEST_F(ErrorsTest, NullsEverywhere) {
  const char* text = "hello";
  const char* no_text = nullptr;
  const size_t length = 2;
  const int32_t ids[] = {2, 1};
  size_t count = 0;
  ggufc_model* model = nullptr;
  constexpr ggufc_status kInvalid = GGUFC_INVALID_ARGUMENT;
  Expect(ggufc_open_code(&Code().code, nullptr, nullptr, nullptr), kInvalid, "model is NULL");
  Expect(ggufc_open_code(nullptr, nullptr, nullptr, &model), kInvalid, "code is NULL");
  Expect(ggufc_open_code(&Code().code, "", nullptr, &model), kInvalid, "weights_path is empty");
  Expect(ggufc_embed(nullptr, &text, nullptr, 1, nullptr, out_, 0), kInvalid, "model is NULL");
  Expect(ggufc_embed(model_.get(), nullptr, nullptr, 1, nullptr, out_, 0), kInvalid, "texts is NULL");
  Expect(ggufc_embed(model_.get(), &no_text, nullptr, 1, nullptr, out_, 0), kInvalid, "texts[0] is NULL");
  Expect(ggufc_embed(model_.get(), &no_text, &length, 1, nullptr, out_, 0), kInvalid, "texts[0] is NULL");
  Expect(ggufc_embed(model_.get(), &text, nullptr, 1, nullptr, nullptr, 0), kInvalid, "out is NULL");
  Expect(ggufc_embed_ids(nullptr, ids, &length, 1, nullptr, out_, 0), kInvalid, "model is NULL");
  Expect(ggufc_embed_ids(model_.get(), nullptr, &length, 1, nullptr, out_, 0), kInvalid, "ids is NULL");
  Expect(ggufc_embed_ids(model_.get(), ids, nullptr, 1, nullptr, out_, 0), kInvalid, "lengths is NULL");
  Expect(ggufc_embed_ids(model_.get(), ids, &length, 1, nullptr, nullptr, 0), kInvalid, "out is NULL");
  Expect(ggufc_tokenize(nullptr, text, 5, nullptr, nullptr, 0, &count), kInvalid, "model is NULL");
  Expect(ggufc_tokenize(model_.get(), nullptr, 5, nullptr, nullptr, 0, &count), kInvalid, "text is NULL");
  Expect(ggufc_tokenize(model_.get(), nullptr, GGUFC_NUL_TERMINATED, nullptr, nullptr, 0, &count), kInvalid,
         "text is NULL");
  Expect(ggufc_tokenize(model_.get(), text, 5, nullptr, nullptr, 0, nullptr), kInvalid, "count is NULL");
  Expect(ggufc_tokenize(model_.get(), text, 5, nullptr, nullptr, 8, &count), kInvalid, "ids is NULL");
  Expect(ggufc_verify(nullptr, &count), kInvalid, "model is NULL");
  EXPECT_EQ(ggufc_verify(model_.get(), nullptr), GGUFC_OK);
  ggufc_close(nullptr);
  EXPECT_EQ(ggufc_dims(nullptr), 0u);
  EXPECT_EQ(ggufc_context_length(nullptr), 0u);
  EXPECT_EQ(ggufc_vocab(nullptr), 0u);
  EXPECT_EQ(ggufc_threads(nullptr), 0);
  EXPECT_STREQ(ggufc_name(nullptr), "");
  EXPECT_STREQ(ggufc_target(nullptr), "");
  EXPECT_STREQ(ggufc_fingerprint(nullptr), "");
}

TEST_F(ErrorsTest, WrongArguments) {
  constexpr ggufc_status kInvalid = GGUFC_INVALID_ARGUMENT;
  const size_t dims = Code().dims();
  const char* texts[] = {"hello", "", "x"};
  Expect(ggufc_embed(model_.get(), texts, nullptr, 3, nullptr, out_, 0), kInvalid,
         "text 1: the text is empty");
  Expect(ggufc_embed(model_.get(), texts, nullptr, 1, nullptr, out_, dims - 1), kInvalid,
         "stride is 127 floats");
  Expect(ggufc_embed(model_.get(), texts, nullptr, SIZE_MAX / 2, nullptr, out_, dims), kInvalid,
         "vectors at a stride");
  auto* const odd = reinterpret_cast<float*>(reinterpret_cast<char*>(out_) + 1);
  Expect(ggufc_embed(model_.get(), texts, nullptr, 1, nullptr, odd, 0), kInvalid, "not aligned");

  const int32_t ids[] = {2, 5, 640, 1};
  const size_t lengths[] = {2, 2, SIZE_MAX, 0};
  Expect(ggufc_embed_ids(model_.get(), ids, lengths, 2, nullptr, out_, 0), kInvalid,
         "sequence 1: token 0: id 640 is not in the vocabulary of 640");
  Expect(ggufc_embed_ids(model_.get(), ids, lengths, 3, nullptr, out_, 0), kInvalid, "sequence 2: ");
  Expect(ggufc_embed_ids(model_.get(), ids, lengths + 3, 1, nullptr, out_, 0), kInvalid,
         "sequence 0: the list of ids is empty");
  const int32_t negative[] = {-1};
  const size_t one = 1;
  Expect(ggufc_embed_ids(model_.get(), negative, &one, 1, nullptr, out_, 0), kInvalid, "id -1");
}

TEST_F(ErrorsTest, WrongEmbedOptions) {
  constexpr ggufc_status kInvalid = GGUFC_INVALID_ARGUMENT;
  const auto options = [](auto&& change) {
    ggufc_embed_options o = GGUFC_EMBED_OPTIONS_INIT;
    change(o);
    return o;
  };
  const char* const titles[] = {"title"};
  Expect(EmbedOne("x", options([](auto& o) { o.flags = 16; })), kInvalid, "flags: 0x10 is not known");
  Expect(EmbedOne("x", options([](auto& o) { o.reserved = 1; })), kInvalid, "reserved is 1");
  Expect(EmbedOne("x", options([](auto& o) { o.on_error = [](auto...) {}; })), kInvalid,
         "on_error needs GGUFC_EMBED_SKIP_ERRORS");
  Expect(EmbedOne("x", options([](auto& o) { o.prompt = "nonsense"; })), kInvalid,
         "prompt `nonsense` is not known");
  Expect(EmbedOne("x", options([](auto& o) { o.title = "title"; })), kInvalid, "needs a prompt");
  Expect(EmbedOne("x", options([](auto& o) { o.prompt = "query", o.title = "t"; })), kInvalid,
         "takes no title");
  Expect(EmbedOne("x", options([&](auto& o) { o.titles = titles; })), kInvalid, "titles need a prompt");
  Expect(EmbedOne("x", options([&](auto& o) { o.prompt = "query", o.titles = titles; })), kInvalid,
         "text 0: prompt `query` takes no title");
  Expect(EmbedOne("x", options([&](auto& o) { o.prompt = "document", o.title = "t", o.titles = titles; })),
         kInvalid, "both title and titles");
  // Also where there is nothing to embed.
  const ggufc_embed_options unknown = options([](auto& o) { o.prompt = "nonsense"; });
  Expect(ggufc_embed(model_.get(), nullptr, nullptr, 0, &unknown, nullptr, 0), kInvalid, "nonsense");
  const size_t length = 1;
  const int32_t id = 5;
  for (const ggufc_embed_options& of_texts :
       {options([](auto& o) { o.prompt = "query"; }), options([](auto& o) { o.title = "t"; }),
        options([&](auto& o) { o.titles = titles; }),
        options([](auto& o) { o.flags = GGUFC_EMBED_PLAIN_TEXT; }),
        options([](auto& o) { o.flags = GGUFC_EMBED_ALLOW_EMPTY; })}) {
    EXPECT_EQ(ggufc_embed_ids(model_.get(), &id, &length, 1, &of_texts, out_, 0), kInvalid);
  }
  ggufc_status status = GGUFC_OK;
  size_t count = 0;
  for (const ggufc_embed_options& of_batches : {options([](auto& o) { o.flags = GGUFC_EMBED_SKIP_ERRORS; }),
                                                options([&](auto& o) { o.statuses = &status; })}) {
    Expect(ggufc_tokenize(model_.get(), "x", 1, &of_batches, nullptr, 0, &count), kInvalid,
           "are for batches");
  }
}

// Structs of callers that were compiled against an older or a newer header.
TEST_F(ErrorsTest, SizesOfOptions) {
  constexpr size_t kKnown = sizeof(ggufc_embed_options);
  using Change = std::function<void(unsigned char* bytes, ggufc_embed_options& options)>;
  const auto embed = [&](size_t size, const Change& change) {
    alignas(8) unsigned char bytes[2 * kKnown] = {};
    auto& options = *reinterpret_cast<ggufc_embed_options*>(bytes);
    options.size = size;
    change(bytes, options);
    return EmbedOne("hello", options);
  };
  const auto nothing = [](unsigned char*, ggufc_embed_options&) {};
  for (const size_t size :
       {size_t{0}, size_t{1}, size_t{7}, size_t{12}, kKnown - 4, kKnown + 4, size_t{4104}, SIZE_MAX}) {
    Expect(embed(size, nothing), GGUFC_INVALID_ARGUMENT, "ggufc_embed_options.size is");
  }
  // Older: what lies behind its end does not count.
  for (size_t size = 8; size <= kKnown; size += 8) EXPECT_EQ(embed(size, nothing), GGUFC_OK) << size;
  EXPECT_EQ(embed(16, [](auto*, auto& o) { o.prompt = "nonsense"; }), GGUFC_OK);
  EXPECT_EQ(embed(8, [](auto*, auto& o) { o.flags = 0xffff; }), GGUFC_OK);
  Expect(embed(24, [](auto*, auto& o) { o.prompt = "nonsense"; }), GGUFC_INVALID_ARGUMENT, "nonsense");
  // Newer: the unknown part must be zero.
  EXPECT_EQ(embed(2 * kKnown, nothing), GGUFC_OK);
  Expect(embed(2 * kKnown, [](auto* b, auto&) { b[2 * kKnown - 1] = 1; }), GGUFC_INVALID_ARGUMENT,
         "are not all zero");
  Expect(embed(2 * kKnown, [](auto* b, auto&) { b[kKnown] = 1; }), GGUFC_INVALID_ARGUMENT,
         "are not all zero");
  EXPECT_EQ(embed(kKnown, [](auto* b, auto&) { b[kKnown] = 1; }), GGUFC_OK);

  ggufc_options open = GGUFC_OPTIONS_INIT;
  ggufc_model* model = nullptr;
  open.size = 8;
  open.threads = -5;
  EXPECT_EQ(ggufc_open_code(&Code().code, nullptr, &open, &model), GGUFC_OK) << ggufc_last_error();
  ggufc_close(model);
  open.size = 3;
  Expect(ggufc_open_code(&Code().code, nullptr, &open, &model), GGUFC_INVALID_ARGUMENT,
         "ggufc_options.size is 3");
}

TEST_F(ErrorsTest, WrongOpenOptions) {
  const auto expect = [&](auto&& change, const char* message) {
    ggufc_options options = GGUFC_OPTIONS_INIT;
    options.threads = 1;
    change(options);
    auto* model = reinterpret_cast<ggufc_model*>(8);
    Expect(ggufc_open_code(&Code().code, nullptr, &options, &model), GGUFC_INVALID_ARGUMENT, message);
    EXPECT_EQ(model, nullptr);
  };
  expect([](auto& o) { o.threads = -1; }, "-1 threads (1 to 64");
  expect([](auto& o) { o.threads = 65; }, "65 threads (1 to 64");
  expect([](auto& o) { o.chunk_tokens = -1; }, "chunks of -1 tokens");
  expect([](auto& o) { o.chunk_tokens = INT64_MAX; }, "chunks of 9223372036854775807 tokens");
  expect([](auto& o) { o.flags = 0x80; }, "flags: 0x80 is not known");
  expect([](auto& o) { o.target = "sparc"; }, "target 'sparc' is not among those compiled (");
}

TEST_F(ErrorsTest, TooLong) {
  const auto limit = static_cast<size_t>(Code().context_length());
  std::vector<int32_t> ids(limit + 1, 300);
  const size_t lengths[] = {limit, 1, limit + 1};
  ids.resize(2 * limit + 2, 300);
  Expect(ggufc_embed_ids(model_.get(), ids.data(), lengths, 3, nullptr, out_, 0), GGUFC_TOO_LONG,
         "sequence 2: 513 tokens (the model takes at most 512)");
  std::string text;
  while (text.size() < 8 * limit) text += "cat dog ";
  const char* texts[] = {"a", text.c_str()};
  Expect(ggufc_embed(model_.get(), texts, nullptr, 2, nullptr, out_, 0), GGUFC_TOO_LONG, "text 1: ");
  int32_t two[2];
  size_t count = 0;
  Expect(ggufc_tokenize(model_.get(), "hello", 5, nullptr, two, 2, &count), GGUFC_TOO_LONG,
         "there is room for 2");
}

// A row of the embedding table that holds a NaN spoils the texts that use it, and only those. A text of a later piece
// than the first is counted from the beginning of the batch.
TEST_F(ErrorsTest, NotFinite) {
  CompiledCode broken("tiny-q8_0.gguf");
  const std::string text = "zebra";
  const int32_t bad_id = broken.Ids(text)[1];
  ASSERT_THAT(broken.Ids("hello world"), ::testing::Not(::testing::Contains(bad_id)));
  const uint16_t nan = 0x7e00;  // the f16 scale of the row's first block
  std::memcpy(broken.Row(bad_id).data(), &nan, sizeof(nan));
  broken.Embed();
  ggufc_options options = GGUFC_OPTIONS_INIT;
  options.chunk_tokens = 4;
  options.threads = 2;
  const Handle model = Open(broken.code, options);
  std::vector<int32_t> ids;
  std::vector<size_t> lengths(7, 3);
  for (int32_t i = 0; i < 21; ++i) ids.push_back(i == 16 ? bad_id : bad_id == 5 ? 6 : 5);
  Expect(ggufc_embed_ids(model.get(), ids.data(), lengths.data(), 7, nullptr, out_, 0), GGUFC_NOT_FINITE,
         "sequence 5: the embedding is not finite: component");
  EXPECT_EQ(ggufc_embed_ids(model.get(), ids.data(), lengths.data(), 5, nullptr, out_, 0), GGUFC_OK);
  EXPECT_EQ(Embed(model.get(), {"hello world"}), Code().Reference("hello world"));

  const char* texts[] = {"hello", "hello", "hello", text.c_str()};
  Expect(ggufc_embed(model.get(), texts, nullptr, 4, nullptr, out_, 0), GGUFC_NOT_FINITE,
         "text 3: the embedding");
}

// An arena that no machine has. (Of a valid program: the compiler's, with a wish added.)
TEST_F(ErrorsTest, OutOfMemory) {
  CompiledCode greedy("tiny-q8_0.gguf");
  runtime::Program program =
      Value(runtime::ParseProgram({greedy.targets[0].program, greedy.targets[0].program_bytes}));
  program.arena_bytes += int64_t{1} << 52;
  const std::vector<uint8_t> bytes = runtime::SerializeProgram(program);
  greedy.targets[0].program = bytes.data();
  greedy.targets[0].program_bytes = bytes.size();
  const Handle model = OpenThreads(greedy.code, 1);
  const char* text = "hello";
  for (int i = 0; i < 2; ++i) {
    Expect(ggufc_embed(model.get(), &text, nullptr, 1, nullptr, out_, 0), GGUFC_OUT_OF_MEMORY, "arena for ");
  }
}

TEST_F(ErrorsTest, NoExceptionLeaves) {
  using runtime::Guard;
  Expect(Guard([]() -> Status { throw std::bad_alloc(); }), GGUFC_OUT_OF_MEMORY, "out of memory");
  Expect(Guard([]() -> Status { throw std::runtime_error("what it says"); }), GGUFC_INTERNAL, "what it says");
  Expect(Guard([]() -> Status { throw 7; }), GGUFC_INTERNAL, "unknown exception");
  Expect(Guard([]() -> Status { return Err(ErrorKind::kInternal, "a bug"); }), GGUFC_INTERNAL, "a bug");
  Expect(Guard([]() -> Status { return Err(ErrorKind::kIo, "a disk"); }), GGUFC_IO, "a disk");
  EXPECT_EQ(Guard([]() -> Status { return {}; }), GGUFC_OK);
  EXPECT_STREQ(ggufc_last_error(), "a disk");  // success leaves it
}

TEST_F(ErrorsTest, MessagesAreOneLineOfUtf8AndFitTheirBuffer) {
  ggufc_embed_options options = GGUFC_EMBED_OPTIONS_INIT;
  options.prompt = "two\nlines\x7f \xff caf\xC3\xA9";
  Expect(EmbedOne("x", options), GGUFC_INVALID_ARGUMENT, "`two?lines? ? caf\xC3\xA9`");
  options.prompt =
      "a\xC2\x9B"
      "31m\xC2\x85 b\xE2\x80\xA8 c\xC2\xA0";  // C1 controls, a line end; a space that may stand
  Expect(EmbedOne("x", options), GGUFC_INVALID_ARGUMENT, "`a?31m? b? c\xC2\xA0`");
  const std::string endless = "x" + std::string(3000, '\xC3');  // broken characters, one byte each
  options.prompt = endless.c_str();
  Expect(EmbedOne("x", options), GGUFC_INVALID_ARGUMENT, "`x????");
  std::string euros;
  while (euros.size() < 6000) euros += "\xE2\x82\xAC";
  options.prompt = euros.c_str();
  Expect(EmbedOne("x", options), GGUFC_INVALID_ARGUMENT, "\xE2\x82\xAC");
  const std::string message = ggufc_last_error();
  EXPECT_LT(message.size(), 4096u);
  EXPECT_GT(message.size(), 4080u);
  EXPECT_TRUE(message.ends_with("\xE2\x82\xAC"));
}

TEST_F(ErrorsTest, EachThreadHasItsOwnMessage) {
  EXPECT_EQ(ggufc_embed(nullptr, nullptr, nullptr, 0, nullptr, nullptr, 0), GGUFC_INVALID_ARGUMENT);
  std::thread([&] {
    EXPECT_STREQ(ggufc_last_error(), "");
    EXPECT_EQ(ggufc_embed(model_.get(), nullptr, nullptr, 1, nullptr, out_, 0), GGUFC_INVALID_ARGUMENT);
    EXPECT_STREQ(ggufc_last_error(), "texts is NULL");
  }).join();
  EXPECT_STREQ(ggufc_last_error(), "model is NULL");
}

TEST_F(ErrorsTest, StatusNames) {
  for (int i = GGUFC_OK; i <= GGUFC_SOME_FAILED; ++i) {
    EXPECT_THAT(ggufc_status_name(static_cast<ggufc_status>(i)), ::testing::StartsWith("GGUFC_"));
  }
  EXPECT_STREQ(ggufc_status_name(static_cast<ggufc_status>(11)), "unknown status");
  EXPECT_STREQ(ggufc_status_name(GGUFC_NOT_FINITE), "GGUFC_NOT_FINITE");
}

}  // namespace
}  // namespace ggufc::testing
