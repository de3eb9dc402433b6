// The real vocabulary of Gemma 3 on texts whose ids come from the reference implementation, and properties
// that need a real vocabulary. scripts/fetch_tokenizer.sh fetches the vocabulary; without it these tests are
// skipped.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "frontend/tokenizer/token_table.h"
#include "reference_bpe.h"
#include "test_paths.h"
#include "test_vocabulary.h"

namespace ggufc::runtime {
namespace {

class GoldenTest : public testing::Test {
 protected:
  // Parsing the file takes most of a second, so all tests share one.
  static void SetUpTestSuite() {
    const char* variable = std::getenv("GGUFC_TOKENIZER_JSON");
    path_ = variable != nullptr ? std::string(variable) : SourcePath("build/cache/tokenizer.json");
    if (!std::filesystem::exists(path_)) return;
    auto table = frontend::ReadTokenizerJson(path_, 262144);
    ASSERT_TRUE(table) << table.error().message;
    vocabulary_ = std::make_unique<TestVocabulary>();
    vocabulary_->pieces = std::move(table->pieces);
    vocabulary_->scores = std::move(table->scores);
    vocabulary_->types = std::move(table->types);
    vocabulary_->options = {
        .bos = table->bos, .eos = table->eos, .unknown = table->unknown, .add_bos = true, .add_eos = true};
    auto tokenizer = Tokenizer::Create(vocabulary_->View());
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    tokenizer_ = std::make_unique<Tokenizer>(std::move(*tokenizer));
  }
  static void TearDownTestSuite() {
    tokenizer_.reset();
    vocabulary_.reset();
  }
  void SetUp() override {
    if (tokenizer_ == nullptr) {
      GTEST_SKIP() << "NO REAL VOCABULARY: " << path_
                   << " is not there; run scripts/fetch_tokenizer.sh, or set "
                   << "GGUFC_TOKENIZER_JSON";
    }
  }

  static std::vector<int32_t> Encode(std::string_view text) {
    std::vector<int32_t> ids;
    const Status status = tokenizer_->Encode(text, ids, {.add_bos = false, .add_eos = false});
    EXPECT_TRUE(status) << status.error().message;
    return ids;
  }

  static std::string path_;
  static std::unique_ptr<TestVocabulary> vocabulary_;
  static std::unique_ptr<Tokenizer> tokenizer_;
};

std::string GoldenTest::path_;
std::unique_ptr<TestVocabulary> GoldenTest::vocabulary_;
std::unique_ptr<Tokenizer> GoldenTest::tokenizer_;

TEST_F(GoldenTest, EveryRowIsIdentical) {
  std::ifstream file(DataPath("gemma3-tokens.json"));
  const auto rows = nlohmann::json::parse(file);
  ASSERT_EQ(rows.size(), 120u);
  for (const auto& row : rows) {
    const auto text = row["text"].get<std::string>();
    EXPECT_EQ(Encode(text), row["ids"].get<std::vector<int32_t>>()) << row["text"];
  }
}

TEST_F(GoldenTest, TheTablesEncodeTheSameWhereTheyLie) {
  const std::vector<uint8_t> bytes = tokenizer_->Serialize();
  const auto opened = Tokenizer::FromBytes(bytes);
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->size(), 262144u);
  std::ifstream file(DataPath("gemma3-tokens.json"));
  for (const auto& row : nlohmann::json::parse(file)) {
    std::vector<int32_t> ids;
    ASSERT_TRUE(opened->Encode(row["text"].get<std::string>(), ids, {.add_bos = false, .add_eos = false}));
    EXPECT_EQ(ids, row["ids"].get<std::vector<int32_t>>()) << row["text"];
  }
}

TEST_F(GoldenTest, BosAndEosAreAddedByDefault) {
  std::vector<int32_t> ids;
  ASSERT_TRUE(tokenizer_->Encode("Hello world", ids));
  EXPECT_EQ(ids, (std::vector<int32_t>{2, 9259, 1902, 1}));
}

TEST_F(GoldenTest, AgreesWithTheDefinitionOnRandomText) {
  const ReferenceTokenizer reference(vocabulary_->View());
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    const std::string text = RandomText(seed, 80);
    ASSERT_EQ(Encode(text), reference.Encode(text))
        << "seed " << seed << ": " << testing::PrintToString(text);
    ASSERT_EQ(Spelled(*tokenizer_, Encode(text)), Marked(text)) << "seed " << seed;
  }
}

TEST_F(GoldenTest, ControlTokensCanBePlainText) {
  std::vector<int32_t> ids;
  const std::string text = "<bos>a<eos><b>";
  ASSERT_TRUE(tokenizer_->Encode(text, ids, {.add_bos = false, .add_eos = false, .parse_control = false}));
  for (const int32_t id : ids) EXPECT_NE(tokenizer_->Type(id), TokenType::kControl);
  EXPECT_EQ(ids.back(), 200);  // <b> is user-defined, and stays so
  EXPECT_EQ(Spelled(*tokenizer_, ids), text);
}

}  // namespace
}  // namespace ggufc::runtime
