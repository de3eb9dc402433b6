// The import of tokenizer.json files, from text in the test.
#include <gmock/gmock.h>

#include <optional>

#include "frontend/gguf/gguf_reader.h"
#include "frontend/synth.h"
#include "frontend/tokenizer/token_table.h"
#include "frontend/tokenizer/vocabulary.h"
#include "test_files.h"

namespace ggufc::frontend {
namespace {

using ::testing::HasSubstr;

// Ids out of order, no id 10, both forms of merges, added tokens within and beyond the model's vocabulary.
constexpr const char* kGood = R"({
  "version": "1.0",
  "added_tokens": [
    {"id": 0, "content": "<pad>", "special": true},
    {"id": 1, "content": "<eos>", "special": true},
    {"id": 2, "content": "<bos>", "special": true},
    {"id": 3, "content": "<unk>", "special": true},
    {"id": 4, "content": "\u2581\u2581", "special": false},
    {"id": 5, "content": "<h1>", "special": false},
    {"id": 13, "content": "<image>", "special": true}
  ],
  "model": {
    "type": "BPE", "unk_token": "<unk>", "byte_fallback": true,
    "vocab": {"<pad>": 0, "<eos>": 1, "<bos>": 2, "<unk>": 3, "\u2581\u2581": 4, "<h1>": 5, "<0x0A>": 6,
              "\u2581": 12, "h": 11, "a": 7, "ha": 9, "\u2581ha": 8},
    "merges": [["\u2581", "\u2581"], "h a", ["\u2581", "ha"], "\u2581h a"]
  }
})";

std::string Replace(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(TokenizerJson, Imports) {
  const Result<TokenTable> table = ParseTokenizerJson("t.json", kGood, 13);
  ASSERT_TRUE(table) << table.error().message;
  const std::vector<std::string> pieces = {"<pad>", "<eos>",    "<bos>", "<unk>",     "  ", "<h1>",  "<0x0A>",
                                           "a",     "\u2581ha", "ha",    "<unused0>", "h",  "\u2581"};
  EXPECT_EQ(table->pieces, pieces);
  EXPECT_EQ(table->types, (std::vector<int32_t>{3, 3, 3, 2, 4, 4, 6, 1, 1, 1, 5, 1, 1}));
  const float none = -4.0f;
  EXPECT_EQ(table->scores, (std::vector<float>{none, none, none, none, -0.0f, none, none, none, -2, -1,
                                               kUnreachableScore, none, none}));
  EXPECT_EQ(table->bos, 2u);
  EXPECT_EQ(table->eos, 1u);
  EXPECT_EQ(table->unknown, 3u);
  EXPECT_EQ(table->padding, 0u);
}

TEST(TokenizerJson, LargeVocabularyIncludesAllAddedTokens) {
  const Result<TokenTable> table = ParseTokenizerJson("t.json", kGood, 16);
  ASSERT_TRUE(table) << table.error().message;
  ASSERT_EQ(table->pieces.size(), 16u);
  EXPECT_EQ(table->pieces[13], "<image>");
  EXPECT_EQ(table->types[13], static_cast<int32_t>(TokenType::kControl));
  EXPECT_EQ(table->pieces[14], "<unused1>");
  EXPECT_EQ(table->types[14], static_cast<int32_t>(TokenType::kUnused));
}

TEST(TokenizerJson, RoundTripThroughAModelFile) {
  const TempDirectory directory;
  WriteFile(directory.File("tokenizer.json"), kGood);
  SynthOptions options;
  options.layers = 1, options.dim = 32, options.heads = 1, options.head_dim = 32, options.ffn = 32,
  options.dense = 0;
  options.vocab = 13;
  const Status status =
      WriteSyntheticModel(options, directory.File("tokenizer.json"), directory.File("m.gguf"));
  ASSERT_TRUE(status) << status.error().message;
  const Result<GgufFile> file = GgufFile::Open(directory.File("m.gguf"));
  ASSERT_TRUE(file) << file.error().message;
  const Result<Vocabulary> vocabulary = LoadVocabulary(*file);
  ASSERT_TRUE(vocabulary) << vocabulary.error().message;
  EXPECT_EQ(vocabulary->pieces.size(), 13u);
  EXPECT_EQ(vocabulary->pieces[4], "  ");
  EXPECT_EQ(vocabulary->pieces[8], "\u2581ha");
  EXPECT_EQ(vocabulary->bos, 2u);
  EXPECT_TRUE(vocabulary->add_eos);
  EXPECT_FALSE(WriteSyntheticModel(options, directory.File("none.json"), directory.File("n.gguf")));
  EXPECT_EQ(directory.List().size(), 2u);
}

std::string Repeated(std::string_view text, size_t count) {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += text;
  return all;
}

TEST(TokenizerJson, Refuses) {
  struct Case {
    std::string text;
    const char* message;
  };
  const std::string good = kGood;
  const Case cases[] = {
      {"", "not valid JSON"},
      {"{", "not valid JSON"},
      {good.substr(0, good.size() / 2), "not valid JSON"},
      {"{\"model\": \"\xff\"}", "not valid JSON"},
      {std::string(100000, '['), "values are nested deeper than 16 levels"},
      {std::string(16, '[') + "1", "not valid JSON"},
      {std::string(17, '[') + "1", "values are nested deeper than 16 levels"},
      {"[" + Repeated("{},", 1 << 20) + "1]", "the file is not an object"},
      {"[" + Repeated("{},", 1 << 22) + "1]", "more than 4194304 values"},
      {Replace(good, R"("a": 7)", R"("a": 7, "a": 7)"), "an object has two values for the same key"},
      {Replace(good, R"("version": "1.0",)", R"("version": "1.0", "version": "1.0",)"),
       "an object has two values for the same key"},
      {"[]", "the file is not an object"},
      {"{}", "the file has no \"model\""},
      {R"({"model": []})", "\"model\" of the file is of type array (object is expected)"},
      {R"({"model": {"type": 1}})", "\"type\" of model is of type number (string is expected)"},
      {R"({"model": {"type": "Unigram"}})", "model.type is 'Unigram' ('BPE' is supported)"},
      {Replace(good, R"("unk_token": "<unk>")", R"("unk_token": null)"),
       "\"unk_token\" of model is of type null"},
      {Replace(good, R"("unk_token": "<unk>")", R"("unk_token": "<?>")"),
       "neither model.vocab nor added_tokens has '<?>'"},
      {Replace(good, R"("merges": [)", R"("merges": [7, )"),
       "model.merges: element 0 is not a pair of pieces"},
      {Replace(good, R"("h a")", R"("ha")"), "model.merges: element 1 is not a pair of pieces"},
      {Replace(good, R"("h a")", R"("h a a")"), "model.merges: element 1 is not a pair of pieces"},
      {Replace(good, R"("h a")", R"(["h", "a", "a"])"), "model.merges: element 1 is not a pair of pieces"},
      {Replace(good, R"("h a")", R"(["h", 1])"), "model.merges: element 1 is not a pair of pieces"},
      {Replace(good, R"("h a")", R"(["a", "h"])"),
       "model.merges: element 1 makes 'ah', which is not in model.vocab"},
      {Replace(good, R"("merges": [)", R"("merge": [)"), "model has no \"merges\""},
      {Replace(good, R"("a": 7)", R"("a": 13)"),
       "model.vocab: the id of 'a' is 13 (a number below 13 is expected)"},
      {Replace(good, R"("a": 7)", R"("a": -7)"), "the id of 'a' is -7"},
      {Replace(good, R"("a": 7)", R"("a": 7.0)"), "the id of 'a' is 7.0"},
      {Replace(good, R"("a": 7)", R"("a": [7])"), "the id of 'a' is array"},
      {Replace(good, R"("a": 7)", R"("a": 18446744073709551616)"), "the id of 'a' is 1.8"},
      {Replace(good, R"("a": 7)", R"("a": 11)"), "'a' and 'h' have the same id 11"},
      {Replace(good, R"("a": 7)", R"("": 7)"), "model.vocab: a piece of 0 bytes"},
      {Replace(good, R"("a": 7)", R"("a": 7, "b": 10, "c": 20)"),
       "model.vocab has 14 pieces, the model has room for 13"},
      {Replace(good, R"("id": 5)", R"("id": 6)"),
       "element 5 of added_tokens: '<h1>' has id 6, which model.vocab contradicts"},
      {Replace(good, R"("content": "<h1>")", R"("content": "<h2>")"),
       "'<h2>' has id 5, which model.vocab contradicts"},
      {Replace(good, R"("id": 5)", R"("id": "5")"), "\"id\" of element 5 of added_tokens is of type string"},
      {Replace(good, R"("id": 5, )", ""), "element 5 of added_tokens has no \"id\""},
      {Replace(good, R"({"id": 5, "content": "<h1>", "special": false})", "5"),
       "element 5 of added_tokens is not an object"},
      {Replace(good, R"("content": "<h1>")", R"("content": "")"),
       "element 5 of added_tokens: a piece of 0 bytes"},
      {Replace(good, R"("special": false)", R"("special": 0)"),
       "\"special\" of element 4 of added_tokens is of type number"},
      {Replace(Replace(good, R"({"id": 2, "content": "<bos>", "special": true},)", ""), R"("<bos>": 2,)", ""),
       "neither model.vocab nor added_tokens has '<bos>'"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.message);
    const Result<TokenTable> table = ParseTokenizerJson("t.json", c.text, 13);
    ASSERT_FALSE(table);
    EXPECT_THAT(table.error().message, ::testing::StartsWith("t.json: "));
    EXPECT_THAT(table.error().message, HasSubstr(c.message));
  }
  EXPECT_FALSE(ParseTokenizerJson("t.json", kGood, 0));
  EXPECT_FALSE(ParseTokenizerJson("t.json", kGood, uint64_t{1} << 40));
}

TEST(TokenizerJson, EveryProperPrefixIsAnError) {
  const std::string good = kGood;
  for (size_t length = 0; length < good.rfind('}'); ++length) {
    EXPECT_FALSE(ParseTokenizerJson("t.json", std::string_view(good).substr(0, length), 13)) << length;
  }
  EXPECT_TRUE(ParseTokenizerJson("t.json", good, 13));
}

}  // namespace
}  // namespace ggufc::frontend
