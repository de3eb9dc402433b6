// The assembly of every micro-kernel of a model with EmbeddingGemma's widths, on every target with vectors: the dot
// instruction that the target is for, and no stack traffic in the inner loops. Of the golden models, every kernel on every
// target: loops over k without index registers, moves and spills.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

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

// The instructions of a product: dots of integers and fused multiply-adds, which generic code calls.
bool IsProduct(const std::string& text) {
  for (const std::string_view part : {"vpdp", "pmaddwd", "pmaddubsw", "vfmadd", "fma.f32x16"}) {
    if (text.find(part) != std::string::npos) return true;
  }
  return false;
}

bool IsIntegerDot(const std::string& text) {
  return IsProduct(text) && text.find("fma") == std::string::npos;
}

// A micro-kernel. The loop over k is the innermost one; a loop over blocks may lie around it.
void ExpectLeanMicroKernel(const std::string& assembly, const std::string& name,
                           const codegen::Target& target) {
  const bool sse = target.vector_bits == 128;
  // Without an fma instruction the f32 of a product goes through calls, with arguments and saved sums on the stack, and the
  // f16 of scales is converted by other instructions, which leave too few registers for the sums.
  const bool uses_calls = sse && WholeFunction(assembly, name).Count({"callq"}) > 0;
  int products = 0;
  for (const AsmLoop& loop : InnermostLoops(assembly, name)) {
    const auto count = std::ranges::count_if(loop.instructions, IsProduct);
    if (count == 0) continue;
    products += static_cast<int>(count);
    EXPECT_EQ(loop.indexed_operands, 0) << loop.Text();
    // SSE's instructions of two operands overwrite one of them, so that what is still needed is copied.
    if (!sse) {
      EXPECT_EQ(loop.vector_moves, 0) << loop.Text();
    }
    const bool calls = loop.Count({"callq"}) > 0;
    if (!calls) {
      EXPECT_EQ(loop.stack_accesses, 0) << loop.Text();
    }
  }
  EXPECT_GT(products, 0) << WholeFunction(assembly, name).Text();
  const AsmLoop all = AllLoops(assembly, name);
  if (!uses_calls) {
    EXPECT_EQ(WholeFunction(assembly, name).stack_accesses, 0) << all.Text();
  }
  if (target.info.sums_in_registers) {
    EXPECT_EQ(all.indexed_operands, 0) << all.Text();
  } else {
    // A block adds to its result's rows, whose distance is an argument: only they may have an index register.
    for (const std::string& text : all.instructions) {
      if (text.find("vbroadcast") == std::string::npos && text.find("vcvtph2ps") == std::string::npos &&
          text.find("vpmov") == std::string::npos) {
        continue;
      }
      EXPECT_FALSE(HasIndexRegister(text)) << text << "\n" << all.Text();
    }
  }
  // Outside the loop over k one move per row and block of 32 k is left: of a sum, because LLVM lets the scaled dots overwrite
  // the dots (AVX-512), or of the compensation that both halves of a row's dots start with (AVX2 with packs of four).
  if (!sse) {
    const int height = std::stoi(name.substr(name.rfind(".h") + 2));
    EXPECT_LE(all.vector_moves, height) << all.Text();
  }
}

class LoopAssemblyTest : public ::testing::TestWithParam<const char*> {};

TEST_P(LoopAssemblyTest, LoopsOverKHaveNoIndexRegisterMoveOrSpill) {
  const auto model = Value(driver::SourceModel::Open(DataPath(GetParam())));
  const bool quantised = std::string_view(GetParam()) == "tiny-q8_0.gguf";
  std::vector<ir::Scalar> modes = {ir::Scalar::kQ16};
  if (quantised) modes = {ir::Scalar::kQ16, ir::Scalar::kQ8, ir::Scalar::kQ7};
  for (const char* target : {"generic", "avx2", "avxvnni", "avx512vnni"}) {
    for (const ir::Scalar mode : modes) {
      driver::CompileOptions options;
      options.target = Value(codegen::FindTarget(target));
      options.activations = mode;
      const driver::CompiledProgram compiled = Value(driver::CompileProgram(*model, options));
      const std::string assembly =
          Value(codegen::PrintAssembly(compiled.module, *options.target, options.emit));
      int micro_kernels = 0;
      for (const ir::Function& function : compiled.module.functions) {
        SCOPED_TRACE(fmt::format("{} {} {}", target, driver::ActivationsName(mode), function.name));
        if (function.kind == ir::Function::Kind::kMicro) {
          ++micro_kernels;
          ExpectLeanMicroKernel(assembly, function.name, *options.target);
        } else if (function.kind == ir::Function::Kind::kKernel) {
          // A kernel's own loops go over the columns of a row (norms, rope, the exponentials of softmax and gelu). They may have
          // index registers, as a place is a row and a column, and spills, as an exponential needs more constants than AVX2
          // has registers. Dots of integers are not among them.
          for (const AsmLoop& loop : InnermostLoops(assembly, function.name)) {
            EXPECT_TRUE(std::ranges::none_of(loop.instructions, IsIntegerDot)) << loop.Text();
          }
        }
      }
      EXPECT_GE(micro_kernels, 3 * options.target->info.Rows(mode));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, LoopAssemblyTest,
                         ::testing::Values("tiny-q8_0.gguf", "tiny-f32.gguf", "tiny-f16.gguf",
                                           "tiny-bf16.gguf"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
                           return name;
                         });

}  // namespace
}  // namespace ggufc::testing
