// Wrong input: exit status 1 for what a file or a text holds, 2 for the command line; a message that says
// what is wrong and where; nothing on standard output and no output file.
#include <gmock/gmock.h>
#include <unistd.h>

#include <random>

#include "run_ggufc.h"

namespace ggufc::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;
using Arguments = std::vector<std::string>;

class WrongInput : public CliTest {
 protected:
  // `message`: what stderr starts with, behind "ggufc: " or "ggufc COMMAND: ".
  void Expect(int status, const Outcome& outcome, const std::string& message) {
    EXPECT_EQ(outcome.status, status) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(message));
    EXPECT_THAT(outcome.err, StartsWith("ggufc"));
    EXPECT_THAT(outcome.err, HasSubstr(status == 2 ? "--help" : ""));
    EXPECT_THAT(outcome.out, IsEmpty());
    EXPECT_THAT(FilesThere(), IsEmpty()) << "an output file was left behind";
  }
  // `embed MODEL` with more arguments, into a file.
  void ExpectEmbed(int status, Arguments arguments, const std::string& message,
                   const std::string& input = {}) {
    SCOPED_TRACE(::testing::PrintToString(arguments));
    arguments.insert(arguments.begin(), {"embed", model_, "--output", File("out")});
    Expect(status, RunGgufc(arguments, input), message);
  }
};

// Whatever a path holds, an error is one line that a terminal shows and does not obey.
TEST_F(WrongInput, OddPathsPrintSafely) {
  const std::string odd = "b\x1b[31m\nb\xff\u00e9.gguf", shown = "b\\x1b[31m\\x0ab\\xff\u00e9.gguf";
  const std::vector<Arguments> cases = {{"embed", odd, "text"},  {"inspect", odd},
                                        {"verify", odd},         {"tokenize", odd, "x"},
                                        {"dump", odd},           {"compile", odd, "-o", "o"},
                                        {"verify", model_, odd}, {"embed", model_, "--input", odd}};
  for (const Arguments& arguments : cases) {
    SCOPED_TRACE(arguments[0]);
    const Outcome outcome = RunGgufc(arguments);
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(Lines(outcome.err), SizeIs(1));
    EXPECT_THAT(outcome.err, Not(HasSubstr("\x1b")));
  }
  EXPECT_THAT(RunGgufc({"embed", odd, "text"}).err, StartsWith("ggufc: " + shown + ": cannot open"));
  for (const Arguments& arguments :
       std::vector<Arguments>{{odd}, {"inspect", model_, odd}, {"embed", "x", "--" + odd}}) {
    SCOPED_TRACE(arguments[0]);
    const Outcome outcome = RunGgufc(arguments);
    EXPECT_EQ(outcome.status, 2);
    EXPECT_THAT(Lines(outcome.err), SizeIs(2)) << "the second says where there is help";
    EXPECT_THAT(outcome.err, AllOf(Not(HasSubstr("\x1b")), HasSubstr("\\x1b[31m")));
  }
  const Outcome opt = RunProgram(GgufcOptBinary(), {odd});
  EXPECT_THAT(Lines(opt.err), SizeIs(1));
  EXPECT_THAT(opt.err, HasSubstr(shown));
}

TEST_F(WrongInput, CommandLine) {
  ExpectEmbed(2, {}, "no documents");
  ExpectEmbed(2, {"text", "--foo"}, "--foo");
  ExpectEmbed(2, {"text", "-x"}, "-x");
  ExpectEmbed(2, {"text", "--input", "-"}, "not from both");
  ExpectEmbed(2, {"text", "--format"}, "--format");
  ExpectEmbed(2, {"text", "--format", "csv"}, "'csv' is none of jsonl, npy, text");
  ExpectEmbed(2, {"text", "--dims", "0"}, "--dims");
  ExpectEmbed(2, {"text", "--dims", "many"}, "--dims");
  ExpectEmbed(2, {"text", "--threads", "0"}, "--threads");
  ExpectEmbed(2, {"text", "--threads", "65"}, "--threads: '65' is not a number from 1 to 64");
  ExpectEmbed(2, {"text", "--threads", "4x"}, "--threads: '4x' is not a number from 1 to 64");
  ExpectEmbed(2, {"text", "--target", "sse9"}, "'sse9'");
  ExpectEmbed(2, {"text", "--activations", "i4"}, "'i4'");
  ExpectEmbed(2, {"text", "--overlength", "wrap"}, "'wrap'");
  ExpectEmbed(2, {"text", "--prompt", "poem"},
              "prompt `poem` is not known; the prompts are: query, document");
  ExpectEmbed(2, {"text", "--title", "A"}, "--title needs --prompt document");
  ExpectEmbed(2, {"text", "--prompt", "query", "--title", "A"}, "takes no title");
  ExpectEmbed(2, {"--ids", ""}, "is not a list of token ids");
  for (const char* list : {"2,x", "2,,1", "2,1,", "-1", "2 1", "99999999999"}) {
    ExpectEmbed(2, {std::string("--ids=") + list}, "is not a list of token ids");
  }
  Expect(2, RunGgufc({}), "Usage: ggufc COMMAND");
  Expect(2, RunGgufc({"transmogrify"}), "'transmogrify' is no command");
  Expect(2, RunGgufc({"embed"}), "MODEL is required");
  Expect(2, RunGgufc({"inspect", model_, "more"}), "more");
  Expect(2, RunGgufc({"dump", model_, "--after", "magic"}), "'magic'");
  Expect(2, RunGgufc({"dump", model_, "--after-all"}), "--dir");
  Expect(2, RunGgufc({"dump", model_, "--stage", "object"}), "'object'");
  Expect(2, RunGgufc({"bench", model_, "--tokens", "0"}), "--tokens");
  Expect(2, RunGgufc({"bench", model_, "--serve", "--json"}), "excludes");
  Expect(2, RunGgufc({"synth"}), "--output is required");
  Expect(2, RunGgufc({"synth", "-o", File("m"), "--layers", "two"}),
         "--layers: 'two' is not a number from 0 to");
  Expect(2, RunGgufc({"synth", "-o", File("m"), "--seed", "two"}), "--seed: 'two' is not a number");
  Expect(2, RunGgufc({"synth", "-o", File("m"), "--type", "q4_0"}), "'q4_0'");
  Expect(2, RunProgram(GgufcOptBinary(), {}), "ggufc-opt: FILE is required");
  Expect(2, RunProgram(GgufcOptBinary(), {"-", "--passes", "magic"}), "no pass magic (see --list-passes)");
  Expect(2, RunProgram(GgufcOptBinary(), {"-", "--interpret"}), "--interpret needs --ids");
  for (const char* list : {"2,x", "-1", ""}) {
    Expect(2, RunProgram(GgufcOptBinary(), {"--interpret", "--ids", list, "-"}),
           "is not a list of token ids");
  }
  Expect(2, RunProgram(GgufcOptBinary(), {"-", "--seed", "one"}), "--seed: 'one' is not a number");
}

TEST_F(WrongInput, Documents) {
  ExpectEmbed(1, {"text", ""}, "ggufc: text 2: the text is empty");
  ExpectEmbed(1, {"", "--prompt", "query"}, "ggufc: text 1: the text is empty");
  ExpectEmbed(1, {"--ids", "2,640,1"},
              "ggufc: --ids list 1: token 1: id 640 is not in the vocabulary of 640");
  ExpectEmbed(1, {"text", "--dims", "129"}, model_ + ": 129 dimensions are requested (1 to 128 are allowed)");
}

TEST_F(WrongInput, OverlongDocument) {
  std::string text;
  for (int i = 0; i < 600; ++i) text += "word ";
  ExpectEmbed(1, {text}, "(the model takes at most 512); --overlength truncate cuts the rest off");
}

TEST_F(WrongInput, JsonLines) {
  const auto expect = [&](const std::string& line, const std::string& message) {
    SCOPED_TRACE(line.substr(0, 80));
    ExpectEmbed(1, {"--input", "-"}, "ggufc: standard input: line 2: " + message,
                "{\"text\":\"good\"}\n" + line + "\n");
  };
  expect("", "not valid JSON");
  expect("plain text", "not valid JSON: 'plain text'");
  expect("{\"text\":\"a\"", "not valid JSON");
  expect("{\"text\":\"\xff\"}", "not valid JSON");
  expect("{\"text\":\"a\"} {}", "not valid JSON");
  expect("\"text\"", "a JSON object with `text` or `ids` is expected, not string");
  expect("[{\"text\":\"a\"}]", "a JSON object with `text` or `ids` is expected, not array");
  expect("{}", "the object has neither `text` and `ids`");
  expect("{\"text\":\"a\",\"ids\":[2]}", "the object has both `text` and `ids`");
  expect("{\"text\":\"a\",\"text\":\"b\"}", "key 'text' appears twice");
  expect("{\"x\":1,\"text\":\"a\",\"x\":1}", "key 'x' appears twice");
  std::string many = "{\"text\":\"a\"";
  for (int i = 0; i < 1024; ++i) many += ",\"" + std::to_string(i) + "\":0";
  expect(many + "}", "more than 1024 keys");
  expect("\x1b[2J", "not valid JSON: '\\x1b[2J'");
  expect("{\"text\":{\"text\":\"a\"}}", "`text` is of type object");
  expect("{\"text\":7}", "`text` is of type number");
  expect("{\"text\":null}", "`text` is of type null");
  expect("{\"text\":\"\"}", "the text is empty");
  expect("{\"ids\":\"2,1\"}", "`ids` is of type string");
  expect("{\"ids\":[]}", "the list of ids is empty");
  expect("{\"ids\":[2,1.5]}", "`ids`: element 1 is 1.5");
  expect("{\"ids\":[2,-1]}", "`ids`: element 1 is -1");
  expect("{\"ids\":[2,4294967298]}", "`ids`: element 1 is 4294967298");
  expect("{\"ids\":[2,[1]]}", "`ids`: element 1 is array");
  expect("{\"ids\":[2,640]}", "token 1: id 640 is not in the vocabulary");
  expect("{\"x\":1e999,\"text\":\"a\"}", "not valid JSON");
  expect("{\"text\":\"a\",\"x\":" + std::string(100000, '[') + std::string(100000, ']') + "}",
         "values are nested deeper than 256 levels");
}

TEST_F(WrongInput, LineThatNeverEnds) {
  ExpectEmbed(1, {"--input", "-"}, "standard input: line 1: longer than 67108864 bytes",
              std::string((64 << 20) + 1, 'a'));
}

TEST_F(WrongInput, PlainLines) {
  const std::string path = ::testing::TempDir() + "ggufc-lines-" + std::to_string(getpid()) + ".txt";
  WriteFile(path, "good\n\nalso good\n");
  ExpectEmbed(1, {"--input", path}, "ggufc: " + path + ": line 2: the text is empty");
  std::remove(path.c_str());
  ExpectEmbed(1, {"--input", path}, "ggufc: " + path + ": cannot open: No such file or directory");
  ExpectEmbed(1, {"--input", ::testing::TempDir()}, "cannot read: Is a directory");
}

TEST_F(WrongInput, LateErrorLeavesNoFile) {
  // The first batch is computed and written before the error is met.
  std::string input;
  for (int i = 0; i < 1100; ++i) input += "{\"ids\":[2,300,1]}\n";
  ExpectEmbed(1, {"--input", "-"}, "line 1101: not valid JSON", input + "oops\n");
  ExpectEmbed(1, {"--input", "-", "--format", "npy"}, "line 1101: not valid JSON", input + "oops\n");
}

TEST_F(WrongInput, ErrorKeepsTheOldFile) {
  const std::string out = File("out");
  WriteFile(out, "old");
  EXPECT_EQ(RunGgufc({"embed", model_, "good", "", "--output", out}).status, 1);
  EXPECT_EQ(ReadFile(out), "old");
  EXPECT_THAT(FilesThere(), ::testing::ElementsAre("out"));
}

TEST_F(WrongInput, OutputThatCannotBeWritten) {
  Expect(1, RunGgufc({"embed", model_, "text", "--output", "/nowhere/out"}),
         "ggufc: /nowhere/out: cannot create: No such");
  Expect(1, RunGgufc({"embed", model_, "text", "--output", "/tmp"}), "ggufc: /tmp: cannot write");
  Expect(1, RunGgufc({"embed", model_, "text", "--output", "/dev/full"}),
         "ggufc: /dev/full: cannot write: No space left");
  for (const Arguments& arguments :
       {Arguments{"embed", model_, "text"}, Arguments{"embed", model_, "text", "--format", "npy"},
        Arguments{"tokenize", model_, "text"}, Arguments{"inspect", model_}, Arguments{"dump", model_},
        Arguments{"embed", "--help"}, Arguments{"--version"}}) {
    SCOPED_TRACE(::testing::PrintToString(arguments));
    Expect(1, RunGgufc(arguments, {}, Stdout::kClosedPipe),
           "ggufc: standard output: cannot write: Broken pipe");
    Expect(1, RunGgufc(arguments, {}, Stdout::kFullDevice),
           "ggufc: standard output: cannot write: No space left");
  }
}

TEST_F(WrongInput, NotAModel) {
  Expect(1, RunGgufc({"embed", "/nowhere/model.gguf", "text"}),
         "ggufc: /nowhere/model.gguf: cannot open: No such file");
  Expect(1, RunGgufc({"embed", "/tmp", "text"}), "ggufc: /tmp: not a regular file");
  Expect(1, RunGgufc({"embed", "/dev/null", "text"}), "ggufc: /dev/null: not a regular file");
  const std::string json = DataPath("embeddings.json");
  Expect(1, RunGgufc({"embed", json, "text"}), "ggufc: " + json + ": ");
}

// Copies of a model with bytes changed.
class WrongModel : public CliTest {
 protected:
  // Replaces the first `from`; both are of the same length.
  void Expect(const std::string& from, const std::string& to, const std::string& message) {
    SCOPED_TRACE(message);
    std::string bytes = ReadFile(model_);
    const size_t at = bytes.find(from);
    ASSERT_NE(at, std::string::npos);
    ASSERT_EQ(from.size(), to.size());
    bytes.replace(at, from.size(), to);
    const std::string path = File("changed.gguf");
    WriteFile(path, bytes);
    for (const char* command : {"embed", "inspect"}) {
      Arguments arguments = {command, path};
      if (command == std::string("embed"))
        arguments.insert(arguments.end(), {"text", "--output", File("out")});
      const Outcome outcome = RunGgufc(arguments);
      EXPECT_EQ(outcome.status, 1) << outcome.err;
      EXPECT_THAT(outcome.err, StartsWith("ggufc: " + path + ": "));
      EXPECT_THAT(outcome.err, HasSubstr(message));
      EXPECT_THAT(outcome.out, IsEmpty());
      EXPECT_THAT(FilesThere(), ::testing::ElementsAre("changed.gguf"));
    }
  }
};

std::string U64(uint64_t value) { return {reinterpret_cast<const char*>(&value), sizeof value}; }
std::string U32(uint32_t value) { return {reinterpret_cast<const char*>(&value), sizeof value}; }

TEST_F(WrongModel, Header) {
  const std::string start = "GGUF" + U32(3);
  Expect(start, "GGML" + U32(3), "GG");
  Expect(start, "GGUF" + U32(9), "version 9");
}

TEST_F(WrongModel, Contents) {
  const std::string architecture = U64(15) + "gemma-embedding";
  Expect(U32(8) + architecture, U32(8) + U64(15) + "llama-embedding", "llama-embedding");
  Expect("gemma-embedding.block_count", "gemma-embedding.blokc_count", "gemma-embedding.block_count");
  Expect("blk.1.ffn_gate.weight", "blk.1.ffn_etag.weight", "blk.1.ffn_gate.weight");
  const std::string gate = "blk.0.ffn_gate.weight" + U32(2);
  Expect(gate + U64(128) + U64(160), gate + U64(160) + U64(128), "blk.0.ffn_gate.weight");
}

TEST_F(WrongModel, TruncatedAnywhere) {
  const std::string bytes = ReadFile(model_);
  const std::string path = File("short.gguf");
  constexpr uint32_t kSeed = 20240917;
  std::mt19937 random(kSeed);
  for (int round = 0; round < 300; ++round) {
    // Half of them within the metadata and the list of tensors, where most can go wrong.
    const size_t length = random() % (round % 2 == 0 ? 40000 : bytes.size());
    SCOPED_TRACE("seed " + std::to_string(kSeed) + ", cut to " + std::to_string(length) + " bytes");
    WriteFile(path, std::string_view(bytes).substr(0, length));
    const Outcome outcome = RunGgufc({"embed", path, "text", "--output", File("out")});
    ASSERT_EQ(outcome.status, 1) << outcome.err;
    ASSERT_THAT(outcome.err, StartsWith("ggufc: " + path + ": "));
    ASSERT_THAT(outcome.out, IsEmpty());
    ASSERT_THAT(FilesThere(), ::testing::ElementsAre("short.gguf"));
  }
}

}  // namespace
}  // namespace ggufc::testing
