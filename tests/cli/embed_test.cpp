// What embed writes: formats, documents, prompts, truncation, and the numbers themselves.
#include <gmock/gmock.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <sstream>

#include "run_ggufc.h"

namespace ggufc::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Arguments = std::vector<std::string>;
using nlohmann::json;

class Embed : public CliTest {
 protected:
  Outcome Run(Arguments arguments, std::string_view input = {}) {
    arguments.insert(arguments.begin(), {"embed", model_});
    Outcome outcome = RunGgufc(arguments, input);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome;
  }
  std::vector<json> RunLines(const Arguments& arguments, std::string_view input = {}) {
    return ParseLines(Run(arguments, input).out);
  }
};

TEST_F(Embed, GoldenEmbeddings) {
  const json golden = json::parse(ReadFile(DataPath("embeddings.json")));
  int compared = 0;
  for (const json& row : golden) {
    if (row["ids"].size() != 17 && row["ids"].size() != 3) continue;
    SCOPED_TRACE(row["model"].get<std::string>());
    const Outcome outcome =
        RunGgufc({"embed", DataPath(row["model"]), "--input", "-"}, json{{"ids", row["ids"]}}.dump());
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    const std::vector<json> lines = ParseLines(outcome.out);
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_EQ(lines[0]["tokens"], row["ids"].size());
    const auto got = lines[0]["embedding"].get<std::vector<double>>();
    const auto want = row["embedding"].get<std::vector<double>>();
    ASSERT_EQ(got.size(), want.size());
    // i16 activations are within 1e-7 in 1 - cos (docs/decisions.md): a difference of length sqrt(2e-7).
    double square = 0;
    for (size_t i = 0; i < got.size(); ++i) square += (got[i] - want[i]) * (got[i] - want[i]);
    EXPECT_LT(std::sqrt(square), 4.5e-4);
    ++compared;
  }
  EXPECT_EQ(compared, 10);
}

TEST_F(Embed, FormatsHoldTheSameBits) {
  const Arguments documents = {"The cat sleeps.", "[in, brackets]", "++", "--ids", "2,300,301,1"};
  std::vector<std::vector<float>> rows;
  const std::vector<json> lines = RunLines(documents);
  ASSERT_EQ(lines.size(), 4u);
  for (size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i]["index"], i);
    rows.push_back(lines[i]["embedding"].get<std::vector<float>>());
    ASSERT_EQ(rows.back().size(), 128u);
  }
  const auto with = [&](Arguments more) {
    more.insert(more.begin(), documents.begin(), documents.end());
    return Run(more).out;
  };
  const std::vector<std::string> text = Lines(with({"--format", "text"}));
  ASSERT_EQ(text.size(), 4u);
  for (size_t i = 0; i < text.size(); ++i) {
    std::istringstream in(text[i]);
    std::vector<float> values;
    for (float value = 0; in >> value;) values.push_back(value);
    EXPECT_EQ(values, rows[i]);
  }
  // To a pipe and to a file: the same bytes.
  const std::string npy = with({"--format", "npy"});
  EXPECT_THAT(with({"--format", "npy", "--output", File("out.npy")}), IsEmpty());
  EXPECT_EQ(ReadFile(File("out.npy")), npy);
  ASSERT_EQ(npy.size(), 128 + 4 * 128 * sizeof(float));
  EXPECT_EQ(npy.substr(0, 10), std::string("\x93NUMPY\x01\x00\x76\x00", 10));
  EXPECT_THAT(npy.substr(10, 118),
              HasSubstr("{'descr': '<f4', 'fortran_order': False, 'shape': (4, 128), }"));
  EXPECT_EQ(npy[127], '\n');
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(std::memcmp(npy.data() + 128 + i * 128 * sizeof(float), rows[i].data(), 128 * sizeof(float)), 0)
        << i;
  }
  EXPECT_THAT(FilesThere(), ElementsAre("out.npy"));
}

TEST_F(Embed, NumbersHaveNineDigits) {
  for (const std::string& number :
       Lines(Run({"text", "--dims", "1", "--no-normalize", "--format", "text"}).out)) {
    float value = 0;
    ASSERT_EQ(std::sscanf(number.c_str(), "%g", &value), 1);
    char again[32];
    std::snprintf(again, sizeof again, "%.9g", static_cast<double>(value));
    EXPECT_EQ(number, again);
  }
}

TEST_F(Embed, OtherKeysAreKept) {
  const std::string input =
      "\xef\xbb\xbf{\"id\":7,\"text\":\"A "
      "cat.\",\"nested\":{\"z\":[1,null,true],\"a\":\"\\u0000\\ud83d\\ude00\"}}\r\n"
      "{\"ids\":[2,300,1],\"\\u00fcber\\n\":\"x\",\"index\":99,\"embedding\":0,\"tokens\":\"no\"}";
  const std::vector<json> lines = RunLines({"--input", "-"}, input);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["id"], 7);
  EXPECT_EQ(lines[0]["nested"], json::parse("{\"z\":[1,null,true],\"a\":\"\\u0000\\ud83d\\ude00\"}"));
  EXPECT_FALSE(lines[0].contains("text"));
  EXPECT_EQ(lines[1]["\u00fcber\n"], "x");
  EXPECT_EQ(lines[1]["index"], 1);
  EXPECT_EQ(lines[1]["tokens"], 3);
  EXPECT_EQ(lines[1]["embedding"].size(), 128u);
}

TEST_F(Embed, NumbersKeepTheirSpelling) {
  const Outcome outcome =
      RunGgufc({"embed", model_, "--input", "-"},
               "{ \"price\" : 1.50, \"ids\" : [2, 300, 1], \"big\" : [12345678901234567890123, -0.0] }");
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(
      outcome.out,
      ::testing::StartsWith(
          R"({"index":0,"tokens":3,"price":1.50,"big":[12345678901234567890123,-0.0],"embedding":[)"));
}

TEST_F(Embed, PlainLinesAreTexts) {
  WriteFile(File("in.txt"), "The cat sleeps.\r\n{\"text\":\"not JSON here\"}\n\xff\xfe any bytes");
  const std::vector<json> lines = RunLines({"--input", File("in.txt")});
  const std::vector<json> same =
      RunLines({"The cat sleeps.", "{\"text\":\"not JSON here\"}", "\xff\xfe any bytes"});
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines, same);
}

TEST_F(Embed, NoDocumentsIsNoOutput) {
  EXPECT_THAT(Run({"--input", "-"}, "").out, IsEmpty());
  EXPECT_THAT(Run({"--input", "-", "--format", "npy"}, "").out, HasSubstr("'shape': (0, 128)"));
}

TEST_F(Embed, ManyDocumentsInBatches) {
  std::string input;
  for (int i = 0; i < 2500; ++i) {
    input += "{\"ids\":[2," + std::to_string(300 + i % 7) + ",1],\"n\":" + std::to_string(i) + "}\n";
  }
  const std::vector<json> lines = RunLines({"--input", "-"}, input);
  ASSERT_EQ(lines.size(), 2500u);
  for (size_t i = 0; i < lines.size(); ++i) {
    ASSERT_EQ(lines[i]["index"], i);
    ASSERT_EQ(lines[i]["n"], i);
    ASSERT_EQ(lines[i]["embedding"], lines[i % 7]["embedding"]) << i;
  }
}

TEST_F(Embed, PromptsStandBeforeTextsOnly) {
  EXPECT_EQ(Run({"cat", "--prompt", "query"}).out, Run({"task: search result | query: cat"}).out);
  EXPECT_EQ(Run({"cat", "--prompt", "document", "--title", "[A]"}).out, Run({"title: [A] | text: cat"}).out);
  EXPECT_EQ(Run({"--ids", "2,300,1", "--prompt", "query"}).out, Run({"--ids", "2,300,1"}).out);
}

TEST_F(Embed, TextsMayLookLikeFlagsAndCommands) {
  EXPECT_EQ(RunLines({"bench", "-5 degrees", "--dims", "4", "--", "--dims", "-x", "--"}).size(), 5u);
}

TEST_F(Embed, TruncationKeepsEos) {
  std::string ids = "2";
  for (int i = 0; i < 510; ++i) ids.append(",").append(std::to_string(300 + i % 50));
  // 512 tokens fit; with three more in the middle the last three of the text go, EOS stays.
  const std::string fits = ids + ",1";
  const std::string too_long = ids + ",400,401,402,1";
  const Outcome cut = Run({"--ids", too_long, "--overlength", "truncate"});
  const nlohmann::json line = nlohmann::json::parse(cut.out);
  const nlohmann::json whole = nlohmann::json::parse(Run({"--ids", fits}).out);
  EXPECT_EQ(line["embedding"], whole["embedding"]);
  EXPECT_EQ(line["tokens"], 512);
  EXPECT_EQ(line["dropped"], 3);
  EXPECT_FALSE(whole.contains("dropped"));
  EXPECT_THAT(cut.err, HasSubstr("512 of 515 tokens kept, 3 dropped"));
}

TEST_F(Embed, DimsCutAndNormalize) {
  const auto full = RunLines({"cat", "--no-normalize"})[0]["embedding"].get<std::vector<double>>();
  const auto cut = RunLines({"cat", "--dims", "32"})[0]["embedding"].get<std::vector<double>>();
  ASSERT_EQ(full.size(), 128u);
  ASSERT_EQ(cut.size(), 32u);
  double square = 0;
  for (size_t i = 0; i < 32; ++i) square += full[i] * full[i];
  for (size_t i = 0; i < 32; ++i) EXPECT_NEAR(cut[i], full[i] / std::sqrt(square), 1e-6);
}

TEST_F(Embed, OneAnswerWhateverTheThreadsAndTarget) {
  const Arguments documents = {"The cat sleeps.", "A cat is asleep on the roof of the house."};
  const std::string want = Run(documents).out;
  for (const Arguments& more :
       {Arguments{"--threads", "1"}, Arguments{"--threads", "3"}, Arguments{"--target", "generic"}}) {
    Arguments arguments = documents;
    arguments.insert(arguments.end(), more.begin(), more.end());
    EXPECT_EQ(Run(arguments).out, want) << ::testing::PrintToString(more);
  }
}

TEST_F(Embed, WarnsOfModelsWithoutDenseModules) {
  const Outcome outcome = RunGgufc({"embed", DataPath("tiny-nodense.gguf"), "text"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.err, HasSubstr("ggufc: warning: " + DataPath("tiny-nodense.gguf") + ": "));
  EXPECT_THAT(outcome.err, HasSubstr("no dense modules"));
}

TEST_F(Embed, StatsGoToStderr) {
  const Outcome plain = Run({"text"});
  EXPECT_THAT(plain.err, IsEmpty());
  const Outcome stats = Run({"text", "--stats", "--no-cache"});
  EXPECT_EQ(stats.out, plain.out);
  for (const char* what :
       {"fingerprint  ", "target  ", "codegen ", "bytes packed", "tokens/s", "peak ", "ffn_down"}) {
    EXPECT_THAT(stats.err, HasSubstr(what));
  }
}

TEST_F(Embed, LinksAndDevicesStayWhatTheyAre) {
  WriteFile(File("real"), "old");
  ASSERT_EQ(symlink(File("real").c_str(), File("link").c_str()), 0);
  const std::string want = Run({"text"}).out;
  EXPECT_THAT(Run({"text", "--output", File("link")}).out, IsEmpty());
  EXPECT_EQ(ReadFile(File("real")), want);
  EXPECT_THAT(FilesThere(), ElementsAre("link", "real"));
  EXPECT_EQ(Run({"text", "--output", "/dev/stdout"}).out, want);
}

// A model may be the only copy of itself.
TEST_F(Embed, AnOutputDoesNotTakeTheInputsPlace) {
  const std::string model = ReadFile(model_), line = "{\"text\":\"a\"}\n";
  WriteFile(File("m.weights"), model);
  WriteFile(File("in.jsonl"), line);
  ASSERT_EQ(symlink("m.weights", File("link").c_str()), 0);
  const std::vector<Arguments> commands = {
      {"embed", File("m.weights"), "a", "--output", File("link")},
      {"embed", model_, "--input", File("in.jsonl"), "--output", File("in.jsonl")},
      {"compile", File("m.weights"), "--emit", "exe", "-o", File("m.weights")},
      {"compile", File("m.weights"), "-o", File("m")},
      {"compile", File("link"), "--emit", "asm", "-o", File("m.weights.s"), "--name", "m"}};
  for (const Arguments& arguments : commands) {
    const bool reads_only = arguments.back() == "m";  // assembly has another name
    const Outcome outcome = RunGgufc(arguments);
    EXPECT_EQ(outcome.status, reads_only ? 0 : 1) << arguments[0] << outcome.err;
    if (!reads_only) {
      EXPECT_THAT(outcome.err, HasSubstr("and would replace it; choose another output"));
    }
  }
  EXPECT_EQ(ReadFile(File("m.weights")), model);
  EXPECT_EQ(ReadFile(File("in.jsonl")), line);
}

}  // namespace
}  // namespace ggufc::testing
