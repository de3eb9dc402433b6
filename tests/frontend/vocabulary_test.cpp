#include "frontend/tokenizer/vocabulary.h"

#include <gmock/gmock.h>

#include <functional>
#include <limits>

#include "frontend/gguf/gguf_writer.h"
#include "test_files.h"
#include "test_paths.h"

namespace ggufc::frontend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Vocabulary, OfAGoldenFile) {
  const Result<GgufFile> file = GgufFile::Open(DataPath("tiny-q8_0.gguf"));
  ASSERT_TRUE(file);
  const Result<Vocabulary> vocabulary = LoadVocabulary(*file);
  ASSERT_TRUE(vocabulary) << vocabulary.error().message;
  ASSERT_EQ(vocabulary->pieces.size(), 640u);
  EXPECT_EQ(vocabulary->pieces[2], "<bos>");
  EXPECT_EQ(vocabulary->pieces[260], "\u2581");
  EXPECT_EQ(vocabulary->scores[260], -261.0f);
  EXPECT_EQ(vocabulary->types[3], static_cast<int32_t>(TokenType::kUnknown));
  EXPECT_EQ(vocabulary->bos, 2u);
  EXPECT_EQ(vocabulary->eos, 1u);
  EXPECT_EQ(vocabulary->unknown, 3u);
  EXPECT_TRUE(vocabulary->add_bos);
  EXPECT_TRUE(vocabulary->add_eos);
  EXPECT_FALSE(vocabulary->add_space_prefix);
}

TEST(Vocabulary, BytesOfPieces) {
  EXPECT_EQ(ByteOfPiece("<0x00>"), 0);
  EXPECT_EQ(ByteOfPiece("<0xFf>"), 255);
  EXPECT_EQ(ByteOfPiece("<0xa0>"), 160);
  for (const char* piece : {"", "<0x0>", "<0xG0>", "<0x00", "<0x000>", "<0X00>", "0x00>>", "<0x0g>"}) {
    EXPECT_EQ(ByteOfPiece(piece), std::nullopt) << piece;
  }
}

// The keys of a valid file; each test changes one of them.
struct Keys {
  std::string model = "llama";
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>", "a", "<0x41>"};
  std::vector<float> scores = {0, 0, 0, -1, 0};
  std::vector<int32_t> types = {2, 3, 3, 1, 6};
  std::optional<uint32_t> bos, eos, unknown;
  std::optional<bool> add_bos, add_eos;
  bool with_scores = true;
};

std::string LoadMessage(const std::function<void(Keys&)>& change,
                        std::vector<std::string>* warnings = nullptr) {
  Keys keys;
  change(keys);
  const TempDirectory directory;
  const std::string path = directory.File("v.gguf");
  Result<GgufWriter> writer = GgufWriter::Create(path);
  EXPECT_TRUE(writer);
  EXPECT_TRUE(writer->AddString("tokenizer.ggml.model", keys.model));
  EXPECT_TRUE(writer->AddStringArray("tokenizer.ggml.tokens", keys.tokens));
  if (keys.with_scores) {
    EXPECT_TRUE(writer->AddArray<float>("tokenizer.ggml.scores", keys.scores));
  }
  EXPECT_TRUE(writer->AddArray<int32_t>("tokenizer.ggml.token_type", keys.types));
  if (keys.bos) {
    EXPECT_TRUE(writer->Add<uint32_t>("tokenizer.ggml.bos_token_id", *keys.bos));
  }
  if (keys.eos) {
    EXPECT_TRUE(writer->Add<uint32_t>("tokenizer.ggml.eos_token_id", *keys.eos));
  }
  if (keys.unknown) {
    EXPECT_TRUE(writer->Add<uint32_t>("tokenizer.ggml.unknown_token_id", *keys.unknown));
  }
  if (keys.add_bos) {
    EXPECT_TRUE(writer->Add<bool>("tokenizer.ggml.add_bos_token", *keys.add_bos));
  }
  if (keys.add_eos) {
    EXPECT_TRUE(writer->Add<bool>("tokenizer.ggml.add_eos_token", *keys.add_eos));
  }
  EXPECT_TRUE(writer->Finish());
  const Result<GgufFile> file = GgufFile::Open(path);
  EXPECT_TRUE(file);
  const Result<Vocabulary> vocabulary = LoadVocabulary(*file);
  if (vocabulary) {
    if (warnings != nullptr) *warnings = vocabulary->warnings;
    return fmt::format("bos {} eos {} unknown {} {} {} {}", vocabulary->bos, vocabulary->eos,
                       vocabulary->unknown, vocabulary->add_bos, vocabulary->add_eos,
                       vocabulary->add_space_prefix);
  }
  EXPECT_THAT(vocabulary.error().message, ::testing::StartsWith(path + ": "));
  return vocabulary.error().message;
}

TEST(Vocabulary, DefaultsOfAbsentKeys) {
  EXPECT_EQ(LoadMessage([](Keys&) {}), "bos 1 eos 2 unknown 0 true false true");
  EXPECT_EQ(LoadMessage([](Keys& k) { k.bos = 4; }), "bos 4 eos 2 unknown 0 true false true");
}

TEST(Vocabulary, WarnsOfDefaultsThatTextsGet) {
  const auto warnings = [](const std::function<void(Keys&)>& change) {
    std::vector<std::string> all;
    LoadMessage(change, &all);
    return all;
  };
  const std::string bos =
      "key 'tokenizer.ggml.bos_token_id' is missing: token 1, '<s>', is put before each text as BOS";
  const std::string eos =
      "key 'tokenizer.ggml.eos_token_id' is missing: token 2, '</s>', is put after each text as EOS";
  const std::string unknown =
      "key 'tokenizer.ggml.unknown_token_id' is missing: token 0, '<unk>', is taken for characters that no "
      "other token "
      "has";
  EXPECT_THAT(warnings([](Keys&) {}), ElementsAre(bos, unknown));
  EXPECT_THAT(warnings([](Keys& k) { k.add_bos = true; }), ElementsAre(bos, unknown));
  EXPECT_THAT(warnings([](Keys& k) { k.add_eos = true; }), ElementsAre(bos, eos, unknown));
  EXPECT_THAT(warnings([](Keys& k) { k.add_bos = false, k.unknown = 0; }), IsEmpty());
  EXPECT_THAT(warnings([](Keys& k) { k.bos = 1, k.unknown = 0; }), IsEmpty());
  EXPECT_THAT(warnings([](Keys& k) { k.add_eos = true, k.bos = 1, k.eos = 2, k.unknown = 0; }), IsEmpty());
  // Where every byte has a token no text gets the unknown one.
  EXPECT_THAT(warnings([](Keys& k) {
                k.bos = 1;
                k.tokens = {"<unk>", "<s>", "</s>"};
                k.types = {2, 3, 3};
                for (int byte = 0; byte < 256; ++byte) {
                  k.tokens.push_back(fmt::format("<0x{:02X}>", byte));
                  k.types.push_back(6);
                }
                k.scores.assign(k.tokens.size(), 0);
              }),
              IsEmpty());
}

TEST(Vocabulary, Refuses) {
  EXPECT_THAT(LoadMessage([](Keys& k) { k.model = "gpt2"; }), HasSubstr("tokenizer 'gpt2' is not supported"));
  EXPECT_THAT(LoadMessage([](Keys& k) { k.tokens = {}; }), HasSubstr("0 pieces (1 to 4194304 are allowed)"));
  EXPECT_THAT(
      LoadMessage([](Keys& k) { k.scores.pop_back(); }),
      HasSubstr("key 'tokenizer.ggml.scores': 4 elements, but key 'tokenizer.ggml.tokens' has 5 pieces"));
  EXPECT_THAT(LoadMessage([](Keys& k) { k.types.push_back(1); }),
              HasSubstr("key 'tokenizer.ggml.token_type': 6 elements"));
  EXPECT_THAT(LoadMessage([](Keys& k) { k.with_scores = false; }),
              HasSubstr("'tokenizer.ggml.scores' is missing"));
  EXPECT_THAT(LoadMessage([](Keys& k) { k.types[3] = 0; }), HasSubstr("element 3 is 0 (1 to 6 are known)"));
  EXPECT_THAT(LoadMessage([](Keys& k) { k.types[3] = 7; }), HasSubstr("element 3 is 7 (1 to 6 are known)"));
  EXPECT_THAT(LoadMessage([](Keys& k) { k.types[3] = 6; }),
              HasSubstr("byte token 3 is 'a' (<0xNN> is expected)"));
  EXPECT_THAT(LoadMessage([](Keys& k) { k.tokens[3] = "<0x41>", k.types[3] = 6; }),
              HasSubstr("a second token for byte '<0x41>', token 4"));
  EXPECT_THAT(LoadMessage([](Keys& k) { k.tokens[3] = ""; }), HasSubstr("piece 3 has 0 bytes"));
  EXPECT_THAT(LoadMessage([](Keys& k) { k.tokens[3] = std::string(4097, 'a'); }),
              HasSubstr("piece 3 has 4097 bytes"));
  EXPECT_THAT(LoadMessage([](Keys& k) { k.scores[3] = std::numeric_limits<float>::quiet_NaN(); }),
              HasSubstr("'tokenizer.ggml.scores': element 3 is not finite"));
  EXPECT_THAT(LoadMessage([](Keys& k) { k.bos = 5; }),
              HasSubstr("'tokenizer.ggml.bos_token_id': token 5 of a vocabulary of 5"));
}

}  // namespace
}  // namespace ggufc::frontend
