// Executables and shared libraries: the same answers as `ggufc embed`, to the byte, and the same manners.
#include <dlfcn.h>
#include <gmock/gmock.h>

#include <cstring>
#include <filesystem>

#include "artifact_test.h"
#include "runtime/api/ggufc.h"

namespace ggufc::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class Executable : public ArtifactTest {
 protected:
  // What the program and `ggufc embed` give for the same arguments must be the same, messages included.
  void ExpectAsEmbed(const Arguments& arguments, std::string_view input = {}) const {
    Arguments embed = {"embed", model_};
    embed.insert(embed.end(), arguments.begin(), arguments.end());
    const Outcome expected = RunGgufc(embed, input);
    const Outcome outcome = RunProgram(File("tiny"), arguments, input);
    SCOPED_TRACE(fmt::format("{}", fmt::join(arguments, " ")));
    EXPECT_EQ(outcome.status, expected.status);
    EXPECT_TRUE(outcome.out == expected.out) << outcome.out.substr(0, 200) << "\n"
                                             << expected.out.substr(0, 200);
    // The program has its own name in messages.
    std::string err = expected.err;
    for (const std::string name : {"ggufc embed:", "ggufc embed ", "ggufc:"}) {
      for (size_t at = 0; (at = err.find(name, at)) != std::string::npos; at += 4) {
        err.replace(at, name.size(), "tiny" + std::string(1, name.back()));
      }
    }
    EXPECT_EQ(outcome.err, err);
  }
};

TEST_F(Executable, AnswersLikeEmbed) {
  Compile(model_, "tiny", {"--emit", "exe"});
  EXPECT_THAT(FilesThere(), ElementsAre("tiny", "tiny.weights"));
  const std::string lines = R"({"text":"The cat sleeps.","id":7,"tags":["a",{"b":null}]})"
                            "\n"
                            R"({"ids":[2,300,301,1],"index":9,"embedding":0})"
                            "\n";
  ExpectAsEmbed({"The cat sleeps.", "[in, brackets]", "++", "--ids", "2,300,301,1", "--", "-x"});
  ExpectAsEmbed({"--input", "-"}, lines);
  ExpectAsEmbed({"--input", "-", "--prompt", "document", "--title", "Cats", "--threads", "2"}, lines);
  ExpectAsEmbed({"--prompt", "query", "where do cats sleep?", "--format", "text"});
  ExpectAsEmbed({"<bos>control<eos>", "--plain-text", "--threads", "1"});
  ExpectAsEmbed({"a", "b", "--format", "npy"});
  std::string longer;
  for (int i = 0; i < 20000; ++i) longer += "cat ";
  WriteFile(File("long.txt"), longer + "\nshort\n" + longer + "\n");
  ExpectAsEmbed({"--input", File("long.txt"), "--overlength", "truncate"});
  ExpectAsEmbed({"", "--allow-empty", "--prompt", "query"});
}

TEST_F(Executable, RefusesLikeEmbed) {
  Compile(model_, "tiny", {"--emit", "exe", "--target", "generic,native", "--weights", "embed"});
  EXPECT_THAT(FilesThere(), ElementsAre("tiny"));
  ExpectAsEmbed({""});
  ExpectAsEmbed({"--ids", "2,99999999"});
  ExpectAsEmbed({"--ids", "x"});
  ExpectAsEmbed({"--input", File("missing.jsonl")});
  ExpectAsEmbed({"--input", "-"}, "{\"text\":\"good\"}\n{\"text\":1}\n");
  ExpectAsEmbed({"--prompt", "nonsense", "text"});
  ExpectAsEmbed({"--nonsense", "text"});
  ExpectAsEmbed({"--input", "-", "text"});
  std::string longer;
  for (int i = 0; i < 20000; ++i) longer += "cat ";
  ExpectAsEmbed({longer});
  const Outcome none = RunProgram(File("tiny"), {});
  EXPECT_EQ(none.status, 2);
  const Outcome full = RunProgram(File("tiny"), {"text"}, {}, Stdout::kFullDevice);
  EXPECT_EQ(full.status, 1);
  EXPECT_THAT(full.err, HasSubstr("standard output"));
}

// 96 lines, of which one has 20,000 words: what `ggufc embed` writes for them, which is, but for that line, what it writes
// without it (tests/cli/on_error_test.cpp).
TEST_F(Executable, SkipsLikeEmbed) {
  Compile(model_, "tiny", {"--emit", "exe"});
  std::string lines, others;
  for (int i = 0; i < 96; ++i) {
    std::string text = "document number " + std::to_string(i * i);
    for (int words = i == 49 ? 20000 : i % 9; words > 0; --words) text += " word";
    const std::string line = nlohmann::json{{"id", i}, {"text", text}}.dump() + "\n";
    lines += line;
    if (i != 49) others += line;
  }
  for (const char* format : {"jsonl", "npy", "text"}) {
    ExpectAsEmbed({"--input", "-", "--on-error", "skip", "--format", format}, lines);
    ExpectAsEmbed({"--input", "-", "--format", format}, lines);
  }
  ExpectAsEmbed({"--input", "-", "--on-error", "skip"}, "{\"text\":\"a\"}\noops\n{\"id\":7,\"text\":\"\"}\n");

  const Outcome skipped = RunProgram(File("tiny"), {"--input", "-", "--on-error", "skip"}, lines);
  EXPECT_EQ(skipped.status, 1);
  EXPECT_EQ(skipped.err, "tiny: 1 of 96 documents failed\n");
  std::vector<nlohmann::json> all = ParseLines(skipped.out);
  const std::vector<nlohmann::json> good = ParseLines(RunProgram(File("tiny"), {"--input", "-"}, others).out);
  ASSERT_EQ(all.size(), 96u);
  ASSERT_EQ(good.size(), 95u);
  EXPECT_EQ(all[49]["index"], 49);
  EXPECT_EQ(all[49]["id"], 49);
  EXPECT_THAT(all[49]["error"].get<std::string>(), StartsWith("standard input: line 50: "));
  all.erase(all.begin() + 49);
  for (size_t i = 0; i < 95; ++i) {
    EXPECT_EQ(all[i]["embedding"].dump(), good[i]["embedding"].dump()) << i;
  }
}

TEST_F(Executable, KnowsItself) {
  Compile(model_, "tiny", {"--emit", "exe"});
  const Outcome version = RunProgram(File("tiny"), {"--version"});
  EXPECT_EQ(version.status, 0) << version.err;
  EXPECT_THAT(version.out,
              AllOf(StartsWith("tiny: model 'synthetic', fingerprint "), HasSubstr("128 floats")));
  const Outcome verify = RunProgram(File("tiny"), {"--verify", "--target", "generic"});
  EXPECT_EQ(verify.status, 0) << verify.err;
  EXPECT_THAT(verify.out,
              AllOf(HasSubstr("target generic"), EndsWith("4 golden vectors equal on generic\n")));
  const Outcome help = RunProgram(File("tiny"), {"--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.out,
              AllOf(StartsWith("Usage: tiny [TEXT...]"), HasSubstr("--weights"), HasSubstr("Exit status")));
  // Elsewhere, it looks beside itself, and takes what --weights says.
  std::filesystem::create_directory(File("elsewhere"));
  std::filesystem::rename(File("tiny.weights"), File("elsewhere/moved"));
  const Outcome lost = RunProgram(File("tiny"), {"text"});
  EXPECT_EQ(lost.status, 1);
  EXPECT_THAT(lost.err, AllOf(StartsWith("tiny: "), HasSubstr(File("tiny.weights"))));
  EXPECT_EQ(RunProgram(File("tiny"), {"text", "--weights", File("elsewhere/moved")}).status, 0);
}

TEST_F(ArtifactTest, SharedLibraryExportsItsInterfaceOnly) {
#ifdef GGUFC_SANITIZE
  GTEST_SKIP() << "a library that is instrumented cannot be loaded by programs that are not";
#endif
  Compile(model_, "libtiny", {"--emit", "shared", "--name", "tiny"});
  EXPECT_THAT(FilesThere(), ElementsAre("libtiny.h", "libtiny.so", "tiny.weights"));
  const Outcome nm = RunProgram("/usr/bin/nm", {"-D", "--defined-only", File("libtiny.so")});
  for (const std::string& line : Lines(nm.out)) {
    const std::string name = line.substr(line.rfind(' ') + 1);
    EXPECT_TRUE(name == "tiny_open" || name.starts_with("ggufc_")) << line;
  }
  EXPECT_THAT(nm.out, AllOf(HasSubstr(" T tiny_open"), HasSubstr(" T ggufc_embed\n"),
                            HasSubstr(" T ggufc_last_error")));

  void* library = dlopen(File("libtiny.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  const auto open = reinterpret_cast<ggufc_status (*)(const char*, const ggufc_options*, ggufc_model**)>(
      dlsym(library, "tiny_open"));
  const auto embed = reinterpret_cast<decltype(&ggufc_embed)>(dlsym(library, "ggufc_embed"));
  const auto close = reinterpret_cast<decltype(&ggufc_close)>(dlsym(library, "ggufc_close"));
  const auto last_error = reinterpret_cast<decltype(&ggufc_last_error)>(dlsym(library, "ggufc_last_error"));
  ASSERT_TRUE(open && embed && close && last_error);
  // The weights are found beside the library, whatever the working directory.
  ggufc_model* model = nullptr;
  ASSERT_EQ(open(nullptr, nullptr, &model), GGUFC_OK) << last_error();
  const char* text = "The cat sleeps.";
  std::string vector(128 * sizeof(float), '\0');
  EXPECT_EQ(embed(model, &text, nullptr, 1, nullptr, reinterpret_cast<float*>(vector.data()), 0), GGUFC_OK);
  EXPECT_EQ(vector, Embed(model_, {text}));
  close(model);
  dlclose(library);
}

TEST_F(ArtifactTest, LinkingSaysWhatItLacks) {
  // env(1) sets the variables for one run.
  const auto compile = [&](const std::string& variable, const char* emit) {
    return RunProgram("/usr/bin/env", {variable, GgufcBinary(), "compile", model_, "--emit", emit, "--target",
                                       "generic", "-o", File("out")});
  };
  const Outcome no_compiler = compile("CC=/no/such/cc", "shared");
  EXPECT_EQ(no_compiler.status, 1);
  EXPECT_THAT(no_compiler.err, HasSubstr("cannot run '/no/such/cc': "));
  const Outcome no_library = compile("GGUFC_RUNTIME_LIBRARY=/no/such/libggufc_runtime.a", "shared");
  EXPECT_EQ(no_library.status, 1);
  EXPECT_THAT(no_library.err, HasSubstr("/no/such/libggufc_runtime.a: not found"));
  const Outcome no_main = compile("GGUFC_RUNTIME_LIBRARY=/no/such/libggufc_runtime.a", "exe");
  EXPECT_THAT(no_main.err, HasSubstr("/no/such/libggufc_main.a: not found"));
  const Outcome fails = compile("CC=/bin/false", "exe");
  EXPECT_EQ(fails.status, 1);
  EXPECT_THAT(fails.err, HasSubstr("'/bin/false' could not link: exit status 1"));
  EXPECT_THAT(FilesThere(), ElementsAre());
}

}  // namespace
}  // namespace ggufc::testing
