// Documents that are too long or odd, and models whose numbers overflow: nothing is dropped or wrong without a word.
#include <gmock/gmock.h>

#include <cstring>
#include <functional>

#include "frontend/gguf/gguf_reader.h"
#include "run_ggufc.h"

namespace ggufc::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using Arguments = std::vector<std::string>;
using nlohmann::json;

class OddText : public CliTest {
 protected:
  Outcome Embed(Arguments arguments, std::string_view input = {}) {
    arguments.insert(arguments.begin(), {"embed", model_});
    return RunGgufc(arguments, input);
  }
  Arguments TokenLines(Arguments arguments, std::string_view input = {}) {
    arguments.insert(arguments.begin(), {"tokenize", model_});
    const Outcome outcome = RunGgufc(arguments, input);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return Lines(outcome.out);
  }
};

// A JSON line with `tokens` ids, EOS at the end.
std::string DocumentOf(int tokens) {
  std::string line = "{\"ids\":[2";
  for (int i = 2; i < tokens; ++i) line += "," + std::to_string(300 + i % 50);
  return line + ",1]}\n";
}

TEST_F(OddText, TruncationIsReported) {
  const std::string input = DocumentOf(512) + DocumentOf(513) + DocumentOf(10) + DocumentOf(1000);
  const Outcome outcome = Embed({"--input", "-", "--overlength", "truncate", "--stats"}, input);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::vector<json> lines = ParseLines(outcome.out);
  ASSERT_EQ(lines.size(), 4u);
  for (const size_t whole : {0, 2}) EXPECT_FALSE(lines[whole].contains("dropped")) << whole;
  EXPECT_EQ(lines[1]["tokens"], 512);
  EXPECT_EQ(lines[1]["dropped"], 1);
  EXPECT_EQ(lines[3]["tokens"], 512);
  EXPECT_EQ(lines[3]["dropped"], 488);
  EXPECT_THAT(outcome.out, HasSubstr("{\"index\":3,\"tokens\":512,\"dropped\":488,\"embedding\":["));
  const std::string warning = "ggufc: warning: ";
  EXPECT_THAT(outcome.err,
              HasSubstr(warning + "standard input: line 2: 512 of 513 tokens kept, 1 dropped\n" + warning +
                        "standard input: line 4: 512 of 1000 tokens kept, 488 dropped\n"));
  EXPECT_THAT(outcome.err,
              HasSubstr(warning + "2 documents truncated: 1024 of 1513 tokens kept, 489 dropped\n"));
  EXPECT_THAT(outcome.err, HasSubstr("truncated    2 documents: 1,024 tokens kept, 489 dropped\n"));
}

TEST_F(OddText, ManyTruncatedDocumentsAreCounted) {
  std::string input;
  for (int i = 0; i < 25; ++i) input += DocumentOf(514);
  const Outcome outcome = Embed({"--input", "-", "--overlength", "truncate", "--format", "npy"}, input);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const Arguments warnings = Lines(outcome.err);
  ASSERT_EQ(warnings.size(), 11u) << outcome.err;
  EXPECT_EQ(warnings.back(),
            "ggufc: warning: 25 documents truncated: 12800 of 12850 tokens kept, 50 dropped; the first 10 "
            "are named "
            "above");
}

// The line that says "dropped" is ours, whatever the document calls its own.
TEST_F(OddText, AKeyNamedDroppedIsNotKept) {
  const Outcome outcome = Embed({"--input", "-"}, "{\"text\":\"a\",\"dropped\":7,\"x\":8}");
  const std::vector<json> lines = ParseLines(outcome.out);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_FALSE(lines[0].contains("dropped"));
  EXPECT_EQ(lines[0]["x"], 8);
}

TEST_F(OddText, TenMegabytesOfOneCharacter) {
  for (const char* character : {"a", " ", "\xe4\xbd\xa0"}) {
    std::string text;
    while (text.size() < 10'000'000) text += character;
    const std::string line = json{{"text", text}}.dump();
    SCOPED_TRACE(character);
    const Outcome refused = Embed({"--input", "-"}, line);
    EXPECT_EQ(refused.status, 1);
    EXPECT_THAT(refused.err, StartsWith("ggufc: standard input: line 1: "));
    EXPECT_THAT(refused.err, HasSubstr(" tokens (the model takes at most 512); --overlength truncate"));
    const Outcome cut = Embed({"--input", "-", "--overlength", "truncate"}, line);
    EXPECT_EQ(cut.status, 0) << cut.err;
    EXPECT_THAT(cut.err, HasSubstr("line 1: 512 of "));
    const std::vector<json> lines = ParseLines(cut.out);
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_EQ(lines[0]["tokens"], 512);
  }
}

TEST_F(OddText, ZeroBytesAreCharacters) {
  const Arguments escaped = TokenLines({"--input", "-"}, "{\"text\":\"a\\u0000b\"}\n{\"text\":\"ab\"}\n");
  ASSERT_EQ(escaped.size(), 2u);
  EXPECT_NE(escaped[0], escaped[1]);
  WriteFile(File("in.txt"), std::string_view("a\0b\nab\n", 7));
  EXPECT_EQ(TokenLines({"--input", File("in.txt")}), escaped);
  EXPECT_EQ(ParseLines(Embed({"--input", File("in.txt")}).out).size(), 2u);
}

TEST_F(OddText, InvalidUtf8) {
  // In plain text every byte counts; JSON is UTF-8.
  WriteFile(File("in.txt"), "\xff\xfe\xc3(\xed\xa0\x80\n");
  const Arguments ids = TokenLines({"--input", File("in.txt")});
  ASSERT_EQ(ids.size(), 1u);
  EXPECT_EQ(json::parse(ids[0]).size(), 2u + 7u) << ids[0];
  EXPECT_EQ(Embed({"--input", File("in.txt")}).status, 0);
  const Outcome outcome = Embed({"--input", "-"}, "{\"text\":\"\xc3(\"}");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, StartsWith("ggufc: standard input: line 1: not valid JSON"));
}

TEST_F(OddText, ControlTokensInTexts) {
  const std::string text = "a<eos>b<bos><unk>";
  const json parsed = json::parse(TokenLines({text})[0]);
  EXPECT_THAT(parsed, ::testing::Contains(1).Times(2)) << "<eos> in the text and the one behind it";
  const json plain = json::parse(TokenLines({text, "--plain-text"})[0]);
  EXPECT_EQ(plain.front(), 2);
  EXPECT_EQ(plain.back(), 1);
  for (size_t i = 1; i + 1 < plain.size(); ++i) EXPECT_GT(plain[i], 3) << plain;
  // From JSON lines too, and what is embedded is what tokenize shows.
  const std::string line = json{{"text", text}}.dump();
  EXPECT_EQ(json::parse(TokenLines({"--input", "-", "--plain-text"}, line)[0]), plain);
  std::string ids = plain.dump();
  ids = ids.substr(1, ids.size() - 2);
  const std::string want = Embed({"--ids", ids}).out;
  EXPECT_EQ(Embed({text, "--plain-text"}).out, want);
  EXPECT_EQ(Embed({"--input", "-", "--plain-text"}, line).out, want);
  EXPECT_NE(Embed({text}).out, want);
}

// Models whose weights are finite and whose values are not.
class Overflow : public CliTest {
 protected:
  using Change = std::function<void(const frontend::GgufFile&, std::string&)>;

  // A copy of tests/data/`name`, changed.
  std::string Changed(const std::string& name, const Change& change) {
    const Result<frontend::GgufFile> file = frontend::GgufFile::Open(DataPath(name));
    EXPECT_TRUE(file) << file.error().message;
    std::string bytes = ReadFile(DataPath(name));
    change(*file, bytes);
    WriteFile(File("m.gguf"), bytes);
    return File("m.gguf");
  }

  // Values [first, first + count) of an f32 tensor become `value`.
  static void Fill(const frontend::GgufFile& file, std::string& bytes, const std::string& name, float value,
                   size_t first = 0, size_t count = SIZE_MAX) {
    const frontend::Tensor* tensor = file.FindTensor(name);
    ASSERT_NE(tensor, nullptr) << name;
    ASSERT_EQ(tensor->type, frontend::GgmlType::F32) << name;
    const auto offset = static_cast<size_t>(tensor->data.data() - file.bytes().data());
    count = std::min(count, tensor->data.size() / sizeof(float) - first);
    for (size_t i = first; i < first + count; ++i) {
      std::memcpy(bytes.data() + offset + i * sizeof(float), &value, sizeof value);
    }
  }
};

TEST_F(Overflow, OfGainsIsAnErrorOnEveryTarget) {
  const std::vector<Arguments> cases = {
      {"blk.0.attn_norm.weight"},     {"blk.1.attn_q_norm.weight", "blk.1.attn_k_norm.weight"},
      {"blk.0.attn_q_norm.weight"},   {"blk.2.post_attention_norm.weight"},
      {"blk.0.ffn_norm.weight"},      {"blk.6.post_ffw_norm.weight"},
      {"blk.3.post_ffw_norm.weight"}, {"output_norm.weight"},
  };
  const Arguments options[] = {{}, {"--target", "generic"}, {"--activations", "i8"}, {"--no-normalize"}};
  size_t turn = 0;  // each tensor meets all options, two in each file
  for (const Arguments& tensors : cases) {
    ++turn;
    for (const char* file : {"tiny-q8_0.gguf", "tiny-f32.gguf"}) {
      const std::string model = Changed(file, [&](const frontend::GgufFile& gguf, std::string& bytes) {
        for (const std::string& name : tensors) Fill(gguf, bytes, name, 3e38f);
      });
      ++turn;
      for (const Arguments& flags : {options[turn % 4], options[(turn + 2) % 4]}) {
        SCOPED_TRACE(std::string(file) + ", " + tensors[0] + ", " + ::testing::PrintToString(flags));
        Arguments arguments = {"embed", model, "The cat sleeps.", "--output", File("out")};
        arguments.insert(arguments.end(), flags.begin(), flags.end());
        const Outcome outcome = RunGgufc(arguments);
        EXPECT_EQ(outcome.status, 1);
        EXPECT_THAT(outcome.err,
                    StartsWith("ggufc: " + model + ": text 1: the embedding is not finite: component "));
        EXPECT_THAT(FilesThere(), ElementsAre("m.gguf"));
      }
    }
  }
}

TEST_F(Overflow, NamesTheDocument) {
  const std::string model = Changed("tiny-f32.gguf", [](const frontend::GgufFile& file, std::string& bytes) {
    const size_t dim = file.FindTensor("token_embd.weight")->dims[0];
    Fill(file, bytes, "token_embd.weight", 3e38f, 400 * dim, dim);
  });
  std::string input;
  for (int i = 0; i < 1500; ++i) input += i == 1203 ? "{\"ids\":[2,400,1]}\n" : "{\"ids\":[2,300,1]}\n";
  const Outcome outcome = RunGgufc({"embed", model, "--input", "-"}, input);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(
      outcome.err,
      StartsWith("ggufc: " + model + ": standard input: line 1204: the embedding is not finite: component "));
  // What came before is whole.
  const std::vector<json> lines = ParseLines(outcome.out);
  EXPECT_EQ(lines.size(), 1203u);
  EXPECT_THAT(outcome.out, Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace ggufc::testing
