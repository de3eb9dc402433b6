// tokenize, inspect, dump, synth, bench and help.
#include <gmock/gmock.h>

#include "ir/text/parser.h"
#include "ir/text/printer.h"
#include "ir/verify/verifier.h"
#include "run_ggufc.h"

namespace ggufc::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class Commands : public CliTest {
 protected:
  std::string Run(const std::vector<std::string>& arguments, std::string_view input = {}) {
    const Outcome outcome = RunGgufc(arguments, input);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.out;
  }
};

TEST_F(Commands, HelpAndVersion) {
  EXPECT_THAT(Run({"--version"}), StartsWith("ggufc "));
  const std::string help = Run({"--help"});
  for (const char* command : {"embed", "tokenize", "inspect", "bench", "dump", "synth"}) {
    EXPECT_THAT(help, HasSubstr(command));
    const std::string own = Run({command, "--help"});
    EXPECT_THAT(own, StartsWith(std::string("Usage: ggufc ") + command));
    EXPECT_THAT(own, HasSubstr("Examples:\n  ggufc "));
    EXPECT_EQ(Run({"help", command}), own);
    for (const std::string& line : Lines(own)) EXPECT_LE(line.size(), 120u) << line;
  }
}

TEST_F(Commands, TokenizeWritesIdsWithBosAndEos) {
  const std::vector<json> ids = ParseLines(Run({"tokenize", model_, "Hello", "", "[a, b]"}));
  ASSERT_EQ(ids.size(), 3u);
  for (const json& list : ids) {
    EXPECT_EQ(list.front(), 2);
    EXPECT_EQ(list.back(), 1);
  }
  EXPECT_EQ(ids[1], json::parse("[2,1]"));
  EXPECT_EQ(Run({"tokenize", model_, "a", "--prompt", "query"}),
            Run({"tokenize", model_, "--input", "-"}, "{\"text\":\"task: search result | query: a\"}"));
  // The ids of a text are the text.
  std::string list = ids[0].dump();
  EXPECT_EQ(Run({"embed", model_, "--ids", list.substr(1, list.size() - 2)}),
            Run({"embed", model_, "Hello"}));
}

TEST_F(Commands, Inspect) {
  const std::string text = Run({"inspect", model_});
  for (const char* what : {"fingerprint ", "sliding_window     16", "tokenizer.ggml.tokens", "q8_0",
                           "ffn_gate_up", "packed weights: ", "No warnings"}) {
    EXPECT_THAT(text, HasSubstr(what));
  }
  EXPECT_THAT(Run({"inspect", DataPath("tiny-nodense.gguf")}), HasSubstr("no dense modules"));
  const json parsed = json::parse(Run({"inspect", model_, "--json"}), nullptr, false);
  ASSERT_TRUE(parsed.is_object());
  EXPECT_EQ(parsed["config"]["layers"], 7);
  EXPECT_EQ(parsed["config"]["architecture"], "gemma-embedding");
  EXPECT_EQ(parsed["tensors"].size(), 95u);
  EXPECT_EQ(parsed["compiled"]["dims"], 128);
  EXPECT_THAT(parsed["warnings"], IsEmpty());
  // A tokenizer that cannot be used does not keep ids from being embedded, and is told.
  std::string bytes = ReadFile(model_);
  bytes.replace(bytes.find("llama", bytes.find("tokenizer.ggml.model")), 5, "other");
  WriteFile(File("m.gguf"), bytes);
  EXPECT_THAT(Run({"inspect", File("m.gguf")}),
              HasSubstr("Warnings\n  without a tokenizer texts cannot be embedded, only ids: " +
                        File("m.gguf") + ": key 'tokenizer.ggml.model': tokenizer 'other' is not supported"));
  EXPECT_THAT(Run({"embed", File("m.gguf"), "--ids", "2,300,1"}), HasSubstr("embedding"));
  int64_t attention = 0;
  for (const json& kernel : parsed["compiled"]["kernels"]) {
    if (kernel["name"].get<std::string>().starts_with("attention."))
      attention += kernel["calls"].get<int64_t>();
  }
  EXPECT_EQ(attention, 7);
  // The fingerprint tells apart what computes other bits.
  EXPECT_EQ(parsed["fingerprint"].get<std::string>().size(), 32u);
  const json other = json::parse(Run({"inspect", model_, "--json", "--activations", "i8"}), nullptr, false);
  EXPECT_NE(parsed["fingerprint"], other["fingerprint"]);
}

TEST_F(Commands, DumpedProgramsParse) {
  for (const char* stage : {"graph", "kernel", "loop"}) {
    SCOPED_TRACE(stage);
    const std::string text = Run({"dump", model_, "--stage", stage});
    const Result<ir::Module> module = ir::Parse(text, stage);
    ASSERT_TRUE(module) << module.error().message;
    EXPECT_TRUE(ir::Verify(*module));
    EXPECT_EQ(ir::Name(module->stage), std::string(stage));
    EXPECT_EQ(ir::Print(*module), text);
  }
  EXPECT_THAT(Run({"dump", model_, "--stage", "llvm", "--target", "avx512vnni"}), HasSubstr("define"));
  EXPECT_THAT(Run({"dump", model_, "--stage", "asm", "--target", "avx512vnni"}), HasSubstr("vpdpwssd"));
  EXPECT_THAT(Run({"dump", model_, "--stage", "asm", "--target", "avx2"}), ::testing::Not(HasSubstr("zmm")));
}

TEST_F(Commands, DumpAfterPasses) {
  EXPECT_THAT(Run({"dump", model_, "--after-all", "--dir", File("passes")}), IsEmpty());
  EXPECT_EQ(ReadFile(File("passes/00-import.tir")), Run({"dump", model_}));
  EXPECT_EQ(ReadFile(File("passes/05-fuse.tir")), Run({"dump", model_, "--after", "fuse"}));
  EXPECT_EQ(ReadFile(File("passes/06-assign-layouts.tir")), Run({"dump", model_, "--stage", "kernel"}));
  EXPECT_EQ(ReadFile(File("passes/10-simplify.tir")), Run({"dump", model_, "--stage", "loop"}));
}

TEST_F(Commands, SyntheticModelsRun) {
  for (const char* type : {"q8_0", "f32", "f16", "bf16"}) {
    SCOPED_TRACE(type);
    const std::vector<std::string> synth = {"synth",   "-o",         File("m.gguf"), "--layers", "2",
                                            "--dim",   "64",         "--heads",      "4",        "--kv-heads",
                                            "2",       "--head-dim", "16",           "--ffn",    "96",
                                            "--vocab", "600",        "--dense",      "0",        "--window",
                                            "8",       "--context",  "64",           "--type",   type};
    EXPECT_THAT(Run(synth), IsEmpty());
    const std::vector<json> lines = ParseLines(Run({"embed", File("m.gguf"), "cat", "dog"}));
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[0]["embedding"].size(), 64u);
    EXPECT_NE(lines[0]["embedding"], lines[1]["embedding"]);
    const std::string first = ReadFile(File("m.gguf"));
    Run(synth);
    EXPECT_EQ(ReadFile(File("m.gguf")), first) << "equal options give equal bytes";
  }
}

TEST_F(Commands, BenchMeasures) {
  WriteFile(File("docs.jsonl"), "{\"text\":\"one\"}\n{\"ids\":[2,300,1]}\n");
  const json rows = json::parse(
      Run({"bench", model_, "--tokens", "3,40", "--threads", "1", "--batch", File("docs.jsonl"), "--json"}),
      nullptr, false);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0]["tokens"], 3);
  EXPECT_EQ(rows[1]["tokens"], 40);
  EXPECT_EQ(rows[2]["documents"], 2);
  for (const json& row : rows) {
    EXPECT_EQ(row["threads"], 1);
    EXPECT_GE(row["runs"], 5);
    EXPECT_GT(row["min_ms"], 0);
    EXPECT_LE(row["min_ms"], row["median_ms"]);
    EXPECT_LE(row["median_ms"], row["max_ms"]);
    EXPECT_GT(row["tokens_per_s"], 0);
    EXPECT_GT(row["gmacs"], 0);
    double kernels = 0;
    for (const json& kernel : row["kernels"]) kernels += kernel["ms"].get<double>();
    EXPECT_GT(kernels, 0);
    EXPECT_LE(kernels, row["max_ms"].get<double>());
  }
}

TEST_F(Commands, BenchServesLineByLine) {
  const std::vector<json> answers =
      ParseLines(Run({"bench", model_, "--serve", "--threads", "1"},
                     "run 1\nrun 11\nrun 11,64,3\nrun 0\nwalk 3\nrun 513\nrun 5"));
  ASSERT_EQ(answers.size(), 7u);
  EXPECT_EQ(answers[0]["tokens"], 1);
  EXPECT_EQ(answers[1]["tokens"], 11);
  EXPECT_EQ(answers[2]["tokens"], 78);
  EXPECT_GT(answers[2]["ms"], 0);
  for (const size_t wrong : {3, 4, 5}) EXPECT_TRUE(answers[wrong]["error"].is_string()) << answers[wrong];
  EXPECT_EQ(answers[6]["tokens"], 5);
}

}  // namespace
}  // namespace ggufc::testing
