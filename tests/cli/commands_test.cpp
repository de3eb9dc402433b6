// tokenize, inspect, dump, synth, bench and help.
#include <gmock/gmock.h>

#include <cstring>

#include "ir/text/parser.h"
#include "ir/text/printer.h"
#include "ir/verify/verifier.h"
#include "run_ggufc.h"

namespace ggufc::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
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

// The first tensor of that name in a file gets another type.
std::string WithTensorType(std::string bytes, std::string_view name, uint32_t type) {
  size_t at = bytes.find(name) + name.size();
  uint32_t rank = 0;
  std::memcpy(&rank, &bytes[at], sizeof rank);
  at += sizeof rank + rank * sizeof(uint64_t);
  std::memcpy(&bytes[at], &type, sizeof type);
  return bytes;
}

// What cannot be compiled can be looked at.
TEST_F(Commands, ATypeThatIsNotSupported) {
  const std::string path = File("m.gguf");
  WriteFile(path, WithTensorType(ReadFile(model_), "blk.0.attn_q.weight", 99));
  const std::string text = Run({"inspect", path});
  EXPECT_THAT(text, HasSubstr("\n  type 99 "));
  EXPECT_THAT(text, HasSubstr("q8_0"));
  EXPECT_THAT(
      text, HasSubstr("Warnings\n  the model cannot be compiled: tensor 'blk.0.attn_q.weight' holds type 99 "
                      "(f32, f16, bf16 and q8_0 are supported)"));
  EXPECT_THAT(text, Not(HasSubstr("Compiled for")));
  const json parsed = json::parse(Run({"inspect", path, "--json"}), nullptr, false);
  EXPECT_EQ(parsed["tensors"].size(), 95u);
  EXPECT_TRUE(parsed["compiled"].is_null());
  size_t found = 0;
  for (const json& tensor : parsed["tensors"]) {
    if (tensor["name"] != "blk.0.attn_q.weight") continue;
    ++found;
    EXPECT_EQ(tensor["type"], "type 99");
    EXPECT_GT(tensor["bytes"], 0);
  }
  EXPECT_EQ(found, 1u);
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"embed", path, "a"}, {"compile", path, "-o", File("out")}}) {
    const Outcome outcome = RunGgufc(command);
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.err, HasSubstr(path + ": tensor 'blk.0.attn_q.weight' holds type 99"));
  }
  // The vocabulary is whole.
  EXPECT_EQ(Run({"tokenize", path, "Hello"}), Run({"tokenize", model_, "Hello"}));
}

TEST_F(Commands, WarningsAboutTheVocabulary) {
  const std::string path = File("m.gguf");
  std::string bytes = ReadFile(model_);
  bytes.replace(bytes.find("tokenizer.ggml.bos_token_id"), 27, "tokenizer.ggml.boX_token_id");
  bytes.replace(bytes.find("<x639>"), 6, "<x638>");
  WriteFile(path, bytes);
  const char* const bos =
      "key 'tokenizer.ggml.bos_token_id' is missing: token 1, '<eos>', is put before each text as BOS";
  const char* const repeated =
      "key 'tokenizer.ggml.tokens': 1 of 640 tokens have the piece of an earlier one";
  const std::string text = Run({"inspect", path});
  EXPECT_THAT(text, AllOf(HasSubstr(bos), HasSubstr(repeated)));
  for (int run = 0; run < 2; ++run) {
    for (const char* command : {"embed", "tokenize"}) {
      const Outcome outcome = RunGgufc({command, path, "a", "b"});
      EXPECT_EQ(outcome.status, 0);
      const std::vector<std::string> lines = Lines(outcome.err);
      ASSERT_EQ(lines.size(), 2u) << outcome.err;
      EXPECT_THAT(lines[0], HasSubstr(path + ": " + bos));
      EXPECT_THAT(lines[1], HasSubstr(path + ": " + repeated));
    }
  }
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
