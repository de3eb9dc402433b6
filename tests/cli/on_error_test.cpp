// What one wrong document costs: with --on-error skip its own vector, with fail all that come after it.
#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <functional>

#include "frontend/gguf/gguf_reader.h"
#include "run_ggufc.h"

namespace ggufc::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using Arguments = std::vector<std::string>;
using nlohmann::json;

class OnError : public CliTest {
 protected:
  Outcome Embed(Arguments arguments, std::string_view input = {}) {
    arguments.insert(arguments.begin(), {"embed", model_});
    return RunGgufc(arguments, input);
  }
};

// 96 JSON lines with ids 0 to 95; line `bad`, where there is one, has 20,000 words.
std::string Documents(int bad, bool without = false) {
  std::string lines;
  for (int i = 0; i < 96; ++i) {
    if (i == bad && without) continue;
    std::string text = "document number " + std::to_string(i * i);
    for (int words = i == bad ? 20000 : i % 9; words > 0; --words) text += " word";
    lines += json{{"id", "doc-" + std::to_string(i)}, {"text", text}}.dump() + "\n";
  }
  return lines;
}

std::vector<std::string> Embeddings(const std::vector<json>& lines) {
  std::vector<std::string> embeddings;
  for (const json& line : lines) {
    if (line.contains("embedding")) embeddings.push_back(line["embedding"].dump());
  }
  return embeddings;
}

TEST_F(OnError, SkipCostsOneVector) {
  const Outcome outcome = Embed({"--input", "-", "--on-error", "skip"}, Documents(49));
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "ggufc: 1 of 96 documents failed\n");
  const std::vector<json> lines = ParseLines(outcome.out);
  ASSERT_EQ(lines.size(), 96u);
  for (int i = 0; i < 96; ++i) {
    const json& line = lines[static_cast<size_t>(i)];
    EXPECT_EQ(line["index"], i);
    EXPECT_EQ(line["id"], "doc-" + std::to_string(i));
    EXPECT_EQ(line.contains("error"), i == 49);
    EXPECT_EQ(line.contains("embedding"), i != 49);
  }
  EXPECT_EQ(lines[49].size(), 3u) << lines[49];
  EXPECT_THAT(
      lines[49]["error"].get<std::string>(),
      ::testing::MatchesRegex("standard input: line 50: [0-9]* tokens \\(the model takes at most 512\\); "
                              "--overlength truncate cuts the rest off"));
  const Outcome without = Embed({"--input", "-"}, Documents(49, true));
  ASSERT_EQ(without.status, 0) << without.err;
  EXPECT_EQ(Embeddings(lines), Embeddings(ParseLines(without.out)));
}

TEST_F(OnError, FailWritesWhatComesBefore) {
  const Outcome outcome = Embed({"--input", "-"}, Documents(49));
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, StartsWith("ggufc: standard input: line 50: "));
  EXPECT_THAT(outcome.err, HasSubstr("--overlength truncate"));
  const Outcome whole = Embed({"--input", "-"}, Documents(-1));
  const Arguments lines = Lines(outcome.out), all = Lines(whole.out);
  ASSERT_EQ(lines.size(), 49u);
  EXPECT_TRUE(std::equal(lines.begin(), lines.end(), all.begin()));

  const Outcome npy = Embed({"--input", "-", "--format", "npy"}, Documents(49));
  EXPECT_EQ(npy.status, 1);
  EXPECT_THAT(npy.out.substr(0, 128), HasSubstr("'shape': (49, 128)"));
  EXPECT_EQ(npy.out.size(), 128 + 49 * 128 * sizeof(float));
  const Outcome text = Embed({"--input", "-", "--format", "text"}, Documents(49));
  EXPECT_EQ(Lines(text.out).size(), 49u);
  // A file appears when it is complete, and this one never is.
  EXPECT_EQ(Embed({"--input", "-", "--output", File("out")}, Documents(49)).status, 1);
  EXPECT_THAT(FilesThere(), IsEmpty());
}

TEST_F(OnError, SkipInNpyAndText) {
  const std::vector<std::string> good =
      Lines(Embed({"--input", "-", "--format", "text"}, Documents(49, true)).out);
  const Outcome text = Embed({"--input", "-", "--format", "text", "--on-error", "skip"}, Documents(49));
  EXPECT_EQ(text.status, 1);
  const Arguments messages = Lines(text.err);
  ASSERT_EQ(messages.size(), 2u) << text.err;
  EXPECT_THAT(messages[0], StartsWith("ggufc: standard input: line 50: "));
  EXPECT_EQ(messages[1], "ggufc: 1 of 96 documents failed");
  Arguments rows = Lines(text.out);
  ASSERT_EQ(rows.size(), 96u);
  std::string nan_row = "nan";
  for (int i = 1; i < 128; ++i) nan_row += " nan";
  EXPECT_EQ(rows[49], nan_row);
  rows.erase(rows.begin() + 49);
  EXPECT_EQ(rows, good);

  const Outcome npy = Embed(
      {"--input", "-", "--format", "npy", "--on-error", "skip", "--output", File("out.npy")}, Documents(49));
  EXPECT_EQ(npy.status, 1);
  EXPECT_EQ(npy.err, text.err);
  std::string bytes = ReadFile(File("out.npy"));
  ASSERT_EQ(bytes.size(), 128 + 96 * 128 * sizeof(float));
  EXPECT_THAT(bytes.substr(0, 128), HasSubstr("'shape': (96, 128)"));
  const size_t row_bytes = 128 * sizeof(float), bad = 128 + 49 * row_bytes;
  for (size_t i = 0; i < 128; ++i) {
    float value = 0;
    std::memcpy(&value, bytes.data() + bad + i * sizeof value, sizeof value);
    EXPECT_TRUE(std::isnan(value)) << i;
  }
  bytes.erase(bad, row_bytes);
  const std::string without = Embed({"--input", "-", "--format", "npy"}, Documents(49, true)).out;
  EXPECT_TRUE(bytes.substr(128) == without.substr(128));
}

TEST_F(OnError, EveryKindOfWrongLine) {
  const std::string input =
      "{\"id\":0,\"text\":\"good\"}\n"
      "not JSON\n"
      "{\"id\":2,\"text\":\"\"}\n"
      "{\"id\":3,\"ids\":[2,640,1]}\n"
      "{\"id\":4,\"tags\":[1,{\"a\":2}],\"error\":\"mine\"}\n"
      "{\"id\":5,\"id\":5,\"text\":\"twice\"}\n"
      "{\"id\":6,\"text\":7}\n"
      "{\"id\":7,\"ids\":[]}\n"
      "{\"id\":8,\"text\":\"\xff\"}\n"
      "{\"id\":9,\"text\":\"good\",\"error\":\"mine\"}\n";
  const Outcome outcome = Embed({"--input", "-", "--on-error", "skip"}, input);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "ggufc: 8 of 10 documents failed\n");
  const std::vector<json> lines = ParseLines(outcome.out);
  ASSERT_EQ(lines.size(), 10u);
  const auto expect = [&](size_t i, bool has_id, const char* message) {
    EXPECT_EQ(lines[i]["index"], i);
    EXPECT_EQ(lines[i].contains("id"), has_id) << lines[i];
    EXPECT_THAT(lines[i].value("error", ""),
                StartsWith("standard input: line " + std::to_string(i + 1) + ": " + message));
  };
  expect(1, false, "not valid JSON: 'not JSON'");
  expect(2, true, "the text is empty");
  expect(3, true, "token 1: id 640 is not in the vocabulary of 640");
  expect(4, true, "the object has neither `text` and `ids`");
  expect(5, false, "key 'id' appears twice");
  expect(6, true, "`text` is of type number");
  expect(7, true, "the list of ids is empty");
  expect(8, false, "not valid JSON");
  EXPECT_EQ(lines[4]["tags"], json::parse("[1,{\"a\":2}]"));
  EXPECT_EQ(lines[0]["embedding"], lines[9]["embedding"]);
  EXPECT_FALSE(lines[9].contains("error")) << "a good line has no error";
  // From arguments; and where nothing is good.
  const Outcome arguments = Embed({"a", "", "b", "--ids", "2,640", "--on-error", "skip"});
  EXPECT_EQ(arguments.err, "ggufc: 2 of 4 documents failed\n");
  EXPECT_EQ(ParseLines(arguments.out)[1]["error"], "text 2: the text is empty");
  EXPECT_EQ(ParseLines(arguments.out)[3]["error"],
            "--ids list 1: token 1: id 640 is not in the vocabulary of 640");
  const Outcome none = Embed({"", "", "--on-error", "skip"});
  EXPECT_EQ(none.err, "ggufc: 2 of 2 documents failed\n");
  EXPECT_EQ(Lines(none.out).size(), 2u);
}

TEST_F(OnError, ALineThatIsTooLongIsSkipped) {
  const std::string input = "{\"text\":\"a\"}\n" + std::string((64 << 20) + 70000, 'x') +
                            "\n{\"text\":\"b\"}\n" + std::string((64 << 20) + 1, 'x') + "\n{\"text\":\"a\"}";
  const Outcome outcome = Embed({"--input", "-", "--on-error", "skip"}, input);
  EXPECT_EQ(outcome.err, "ggufc: 2 of 5 documents failed\n");
  const std::vector<json> lines = ParseLines(outcome.out);
  ASSERT_EQ(lines.size(), 5u);
  for (const size_t bad : {1, 3}) {
    EXPECT_EQ(lines[bad]["error"],
              "standard input: line " + std::to_string(bad + 1) + ": longer than 67108864 bytes");
  }
  EXPECT_EQ(lines[4]["embedding"], lines[0]["embedding"]);
  EXPECT_NE(lines[2]["embedding"], lines[0]["embedding"]);
}

TEST_F(OnError, AllowEmpty) {
  const Outcome empty = Embed({"", "--allow-empty"});
  ASSERT_EQ(empty.status, 0) << empty.err;
  const Outcome tokens = RunGgufc({"tokenize", model_, ""});
  ASSERT_EQ(tokens.out, "[2,1]\n");
  EXPECT_EQ(empty.out, Embed({"--ids", "2,1"}).out);
  EXPECT_EQ(Embed({"", "--allow-empty", "--prompt", "query"}).out,
            Embed({"task: search result | query: "}).out);
  EXPECT_EQ(Embed({"--input", "-", "--allow-empty"}, "{\"text\":\"\"}\n").out, empty.out);
  EXPECT_EQ(Embed({"--input", "-", "--allow-empty"}, "{\"ids\":[]}\n").status, 1);
}

TEST_F(OnError, CommandLine) {
  const Outcome outcome = Embed({"a", "--on-error", "retry"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("'retry' is none of fail, skip"));
  const Outcome help = RunGgufc({"embed", "--help"});
  EXPECT_THAT(help.out, HasSubstr("--on-error fail|skip"));
  EXPECT_THAT(help.out, HasSubstr("{\"index\":0,\"error\":\"...\"}"));
  // The input as such is no document.
  EXPECT_EQ(Embed({"--input", File("missing"), "--on-error", "skip"}).status, 1);
}

// A row of the embedding table so large that the vectors of all documents that use it overflow.
TEST_F(OnError, NotFinite) {
  const Result<frontend::GgufFile> file = frontend::GgufFile::Open(DataPath("tiny-f32.gguf"));
  ASSERT_TRUE(file) << file.error().message;
  std::string bytes = ReadFile(DataPath("tiny-f32.gguf"));
  const frontend::Tensor* const table = file->FindTensor("token_embd.weight");
  ASSERT_NE(table, nullptr);
  const size_t dim = table->dims[0];
  const auto offset =
      static_cast<size_t>(table->data.data() - file->bytes().data()) + 400 * dim * sizeof(float);
  const std::vector<float> huge(dim, 3e38f);
  std::memcpy(bytes.data() + offset, huge.data(), dim * sizeof(float));
  const std::string model = File("m.gguf");
  WriteFile(model, bytes);

  std::string input, good;
  for (int i = 0; i < 30; ++i) {
    const std::string line = "{\"ids\":[2," + std::to_string(i % 7 == 3 ? 400 : 300 + i) + ",1]}\n";
    input += line;
    if (i % 7 != 3) good += line;
  }
  const Outcome outcome = RunGgufc({"embed", model, "--input", "-", "--on-error", "skip"}, input);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "ggufc: 4 of 30 documents failed\n");
  const std::vector<json> lines = ParseLines(outcome.out);
  ASSERT_EQ(lines.size(), 30u);
  EXPECT_THAT(lines[3]["error"].get<std::string>(),
              StartsWith(model + ": standard input: line 4: the embedding is not finite: component "));
  EXPECT_EQ(Embeddings(lines), Embeddings(ParseLines(RunGgufc({"embed", model, "--input", "-"}, good).out)));
}

}  // namespace
}  // namespace ggufc::testing
