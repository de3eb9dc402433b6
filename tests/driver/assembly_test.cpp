// The assembly of every micro-kernel of a model with EmbeddingGemma's widths, on every target with vectors: the dot
// instruction that the target is for, and no stack traffic in the inner loops.
#include <gtest/gtest.h>
#include <unistd.h>

#include "asm_check.h"
#include "codegen/object_emitter.h"
#include "test_models.h"

namespace ggufc::testing {
namespace {

class AssemblyTest : public ::testing::Test {
 protected:
  // One layer is enough: layers share their kernels.
  void SetUp() override {
    frontend::SynthOptions options;
    options.layers = 1;
    options.vocab = 600;
    path_ = fmt::format("{}/ggufc-assembly-{}.gguf", ::testing::TempDir(), getpid());
    const Status written = frontend::WriteSyntheticModel(options, std::nullopt, path_);
    ASSERT_TRUE(written.has_value()) << written.error().message;
    model_ = Value(driver::SourceModel::Open(path_));
  }
  void TearDown() override { unlink(path_.c_str()); }

  std::string path_;
  std::shared_ptr<driver::SourceModel> model_;
};

struct Expectation {
  const char* target;
  ir::Scalar activations;
  std::vector<std::string_view> dot;  // parts of the instruction that does the work
  int per_row;                        // such instructions a row and turn of the k loop
};

TEST_F(AssemblyTest, MicroKernelsUseTheDotInstructionAndNoStack) {
  const Expectation expectations[] = {
      {"avx2", ir::Scalar::kQ16, {"vpmaddwd", "%ymm"}, 2},
      {"avx2", ir::Scalar::kQ8, {"vpmaddwd", "%ymm"}, 2},
      {"avx2", ir::Scalar::kQ7, {"vpmaddubsw", "%ymm"}, 2},
      {"avxvnni", ir::Scalar::kQ16, {"{vex}", "vpdpwssd", "%ymm"}, 2},
      {"avxvnni", ir::Scalar::kQ8, {"{vex}", "vpdpbusd", "%ymm"}, 2},
      {"avxvnni", ir::Scalar::kQ7, {"{vex}", "vpdpbusd", "%ymm"}, 2},
      {"avx512vnni", ir::Scalar::kQ16, {"vpdpwssd", "{1to16}", "%zmm"}, 1},
      {"avx512vnni", ir::Scalar::kQ8, {"vpdpbusd", "{1to16}", "%zmm"}, 1},
      {"avx512vnni", ir::Scalar::kQ7, {"vpdpbusd", "{1to16}", "%zmm"}, 1},
  };
  for (const Expectation& expectation : expectations) {
    driver::CompileOptions options;
    options.target = Value(codegen::FindTarget(expectation.target));
    options.activations = expectation.activations;
    const driver::CompiledProgram compiled = Value(driver::CompileProgram(*model_, options));
    const std::string assembly =
        Value(codegen::PrintAssembly(compiled.module, *options.target, options.emit));
    int integer_kernels = 0;
    for (const ir::Function& function : compiled.module.functions) {
      if (function.kind != ir::Function::Kind::kMicro) continue;
      SCOPED_TRACE(fmt::format("{} {} {}", expectation.target,
                               driver::ActivationsName(expectation.activations), function.name));
      const std::vector<AsmLoop> loops = InnermostLoops(assembly, function.name);
      ASSERT_FALSE(loops.empty());
      const int height = std::stoi(function.name.substr(function.name.rfind(".h") + 2));
      int stack = 0, dots = 0;
      for (const AsmLoop& loop : loops) {
        stack += loop.stack_accesses;
        for (const std::string& instruction : loop.instructions) {
          bool all = true;
          for (const std::string_view part : expectation.dot)
            all = all && instruction.find(part) != std::string::npos;
          dots += all;
        }
      }
      EXPECT_EQ(stack, 0) << loops[0].Text();
      if (function.name.starts_with("mk.q")) {
        ++integer_kernels;
        EXPECT_GE(dots, height * expectation.per_row) << loops[0].Text();
      }
    }
    // Five linears of a layer and two dense ones, in all heights; equal shapes share.
    EXPECT_GE(integer_kernels, 3 * options.target->info.Rows(expectation.activations));
  }
}

}  // namespace
}  // namespace ggufc::testing
