// From a model file to a C program that embeds, linked with the runtime alone: bit for bit what `ggufc embed` gives.
#include <gmock/gmock.h>

#include <filesystem>

#include "artifact_test.h"

namespace ggufc::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kModels[] = {"tiny-bf16.gguf", "tiny-f16.gguf", "tiny-f32.gguf", "tiny-nodense.gguf",
                                   "tiny-q8_0.gguf"};

class Linked : public ArtifactTest {
 protected:
  Outcome Call(const std::string& program, const std::string& threads, const Arguments& documents,
               const std::string& weights = "-") const {
    Arguments arguments = {threads, weights};
    arguments.insert(arguments.end(), documents.begin(), documents.end());
    return RunProgram(program, arguments);
  }
};

TEST_F(Linked, SameBitsAsEmbed) {
  for (const char* name : kModels) {
    for (const char* activations : {"i16", "i8"}) {
      const std::string model = DataPath(name);
      const std::string expected =
          Embed(model, Documents(), {"--activations", activations, "--threads", "1"});
      // Where the weights lie is nothing to the code: both places once, for the usual model.
      std::vector<std::string> places = {"sidecar"};
      if (model == model_ && std::string_view(activations) == "i16") places.emplace_back("embed");
      for (const std::string& weights : places) {
        SCOPED_TRACE(fmt::format("{} {} {}", name, activations, weights));
        Compile(model, "model", {"--activations", activations, "--weights", weights});
        if (HasFatalFailure()) return;
        const std::string program = Link(File("model.o"));
        if (weights == "embed") std::filesystem::remove(File("model.weights"));
        for (const char* threads : {"1", "2"}) {
          const Outcome outcome = Call(program, threads, Documents());
          EXPECT_EQ(outcome.status, 0) << outcome.err;
          EXPECT_EQ(outcome.out, expected) << threads << " threads";
        }
        EXPECT_EQ(Call(program, "1", {}).out, "4 vectors\n");
      }
    }
  }
}

TEST_F(Linked, OptionsOfTheModelAreCompiledIn) {
  const Arguments options = {"--dims", "32", "--no-normalize", "--activations", "i7"};
  const std::string expected = Embed(model_, Documents(), options);
  EXPECT_EQ(expected.size(), Documents().size() * 32 * sizeof(float));
  Compile(model_, "model", options);
  EXPECT_EQ(Call(Link(File("model.o")), "2", Documents()).out, expected);
  EXPECT_THAT(ReadFile(File("model.h")),
              AllOf(HasSubstr("#define MODEL_DIMS 32\n"), HasSubstr("activations i7")));
}

TEST_F(Linked, FilesAndNames) {
  Compile(model_, "some-model.o", {"--target", "generic"});
  EXPECT_THAT(FilesThere(), ElementsAre("some-model.h", "some-model.o", "some_model.weights"));
  EXPECT_THAT(ReadFile(File("some-model.h")), HasSubstr("ggufc_status some_model_open("));
  Compile(model_, "sub.dir.o", {"--target", "generic", "--name", "other", "--weights", "embed"});
  EXPECT_THAT(FilesThere(),
              ElementsAre("some-model.h", "some-model.o", "some_model.weights", "sub.dir.h", "sub.dir.o"));
  EXPECT_THAT(ReadFile(File("sub.dir.h")), HasSubstr("ggufc_status other_open("));
  for (const char* name : {"9lives", "a-b", "", "ggufc_x", "ä"}) {
    if (*name == '\0') continue;
    const Outcome outcome = RunGgufc({"compile", model_, "-o", File("x"), "--name", name});
    EXPECT_EQ(outcome.status, 2) << name;
    EXPECT_THAT(outcome.err, HasSubstr("name ")) << name;
  }
  EXPECT_EQ(FilesThere().size(), 5u);
}

TEST_F(Linked, HeaderIsStrictC) {
  Compile(model_, "model", {"--target", "generic"});
  WriteFile(File("main.c"),
            "#include \"model.h\"\n#include \"model.h\"\nint main(void) {\n"
            "  return model_open(0, 0, 0) == GGUFC_OK && MODEL_DIMS == 128 && MODEL_FINGERPRINT[0];\n}\n");
  const Arguments common = {
      "-I" + BuildPath("include"), "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"};
  for (const Arguments& language :
       {Arguments{"-x", "c", "-std=c99"}, {"-x", "c", "-std=c17"}, {"-x", "c++", "-std=c++20"}}) {
    Arguments arguments = language;
    arguments.insert(arguments.end(), common.begin(), common.end());
    arguments.push_back(File("main.c"));
    const Outcome outcome = RunLinker(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
  }
}

// Two models in one program: kernels of the same names, one runtime.
TEST_F(Linked, TwoModelsInOneProgram) {
  Compile(model_, "model", {"--target", "generic", "--weights", "embed"});
  Compile(DataPath("tiny-f32.gguf"), "second", {"--target", "generic", "--weights", "embed"});
  WriteFile(File("two.c"), R"(#include "model.h"
#include "second.h"
#include <stdio.h>
int main(void) {
  ggufc_model *a, *b;
  if (model_open(0, 0, &a) != GGUFC_OK || second_open(0, 0, &b) != GGUFC_OK) return 1;
  printf("%s %s\n", ggufc_name(a), ggufc_name(b));
  int differ = ggufc_verify(a, 0) != GGUFC_OK || ggufc_verify(b, 0) != GGUFC_OK;
  ggufc_close(a);
  ggufc_close(b);
  return differ;
}
)");
  const Outcome linked = RunLinker({"-I" + BuildPath("include"), "-x", "c", File("two.c"), "-x", "none",
                                    File("model.o"), File("second.o"), BuildPath("lib/libggufc_runtime.a"),
                                    "-lm", "-lpthread", "-o", File("two")});
  ASSERT_EQ(linked.status, 0) << linked.err;
  const Outcome outcome = RunProgram(File("two"), {});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "synthetic synthetic\n");
}

TEST_F(Linked, NothingOfTheCompilerIsInTheProgram) {
#ifdef GGUFC_SANITIZE
  GTEST_SKIP() << "instrumented archives are not stripped down";
#endif
  Compile(model_, "model");
  const std::string program = Link(File("model.o"));
  const Outcome nm = RunProgram("/usr/bin/nm", {program});
  ASSERT_EQ(nm.status, 0) << nm.err;
  EXPECT_THAT(nm.out, AllOf(HasSubstr(" T model_open\n"), HasSubstr("avx512vnni."), Not(HasSubstr("llvm")),
                            Not(HasSubstr("LLVM")), Not(HasSubstr("5ggufc8compiler")),
                            Not(HasSubstr("5ggufc7codegen")), Not(HasSubstr("5ggufc6passes")),
                            Not(HasSubstr("5ggufc8frontend")), Not(HasSubstr("5ggufc2ir"))));
  const Outcome needed = RunProgram("/usr/bin/readelf", {"-d", program});
  EXPECT_THAT(needed.out, AllOf(HasSubstr("libc.so"), Not(HasSubstr("libstdc++")), Not(HasSubstr("LLVM")),
                                Not(HasSubstr("fmt"))));
}

TEST_F(Linked, EqualInputGivesEqualBytes) {
  std::filesystem::create_directory(File("a"));
  std::filesystem::create_directory(File("b"));
  for (const char* emit : {"obj", "shared", "exe", "llvm", "asm"}) {
    const std::string file = fmt::format("{}_model", emit);
    for (const char* folder : {"a", "b"}) {
      // The second time on one processor, which changes how golden vectors are computed.
      Arguments arguments = {
          GgufcBinary(), "compile", model_,          "-o", File(fmt::format("{}/{}", folder, file)),
          "--emit",      emit,      "--activations", "i8"};
      const bool one = *folder == 'b';
      if (one) arguments.insert(arguments.begin(), {"-c", "0"});
      const Outcome outcome =
          one ? RunProgram("/usr/bin/taskset", arguments)
              : RunProgram(GgufcBinary(), Arguments(arguments.begin() + 1, arguments.end()));
      ASSERT_EQ(outcome.status, 0) << outcome.err;
    }
  }
  size_t compared = 0;
  for (const auto& entry : std::filesystem::directory_iterator(File("a"))) {
    const std::string name = entry.path().filename();
    EXPECT_TRUE(ReadFile(File("a/" + name)) == ReadFile(File("b/" + name))) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 10u);
  // And the text for reading has all targets in it.
  EXPECT_THAT(ReadFile(File("a/asm_model.s")),
              AllOf(HasSubstr("vpdpbusd"), HasSubstr("vpmaddwd"), HasSubstr("generic.")));
  EXPECT_THAT(ReadFile(File("a/llvm_model.ll")), HasSubstr("define"));
}

}  // namespace
}  // namespace ggufc::testing
