// Loops are found in assembly text. Cycles come from llvm-mca if it is installed.
#include "tools/roofline/machine/mca.h"

#include <gtest/gtest.h>

#include "study_fixture.h"
#include "tools/roofline/machine/assembly.h"
#include "tools/roofline/report.h"

namespace ggufc::testing {
namespace {

TEST(AssemblyTest, FindsNestedLoopsOfAFunction) {
  constexpr std::string_view kText = R"(
other:
	ret
.Lfunc_end0:
f.x.h2:                                 # @f
	xorl	%eax, %eax
	.p2align	4, 0x90
.LBB1_1:                                # outer
	movl	%eax, %ecx
.LBB1_2:
	decl	%ecx
	jne	.LBB1_2
	incl	%eax
	jb	.LBB1_1
	jmp	.LBB1_9
.LBB1_9:
	retq
.Lfunc_end1:
)";
  const roofline::AsmFunction code = roofline::FindFunction(kText, "f.x.h2");
  ASSERT_EQ(code.instructions.size(), 8u);
  EXPECT_EQ(code.instructions[0], "xorl %eax, %eax");
  ASSERT_EQ(code.loops.size(), 2u);
  EXPECT_EQ(code.loops[0].first, 2u);
  EXPECT_EQ(code.loops[0].last, 4u);
  EXPECT_EQ(code.loops[1].first, 1u);
  EXPECT_EQ(code.loops[1].last, 6u);
  EXPECT_TRUE(code.loops[1].Contains(code.loops[0]));
  EXPECT_TRUE(roofline::FindFunction(kText, "f.x").instructions.empty());
  EXPECT_TRUE(roofline::FindFunction(kText, "f").instructions.empty());
}

TEST(CyclesTest, MissingToolIsAnError) {
  const TinyModel tiny("no-tool");
  const driver::CompileOptions options = tiny.Options("avx512vnni");
  const driver::CompiledProgram compiled = Value(driver::CompileProgram(tiny.model(), options));
  for (const char* tool : {"ggufc-there-is-no-such-tool", "/bin/false", "/bin/true"}) {
    const auto cycles = roofline::CountCycles(compiled.module, *options.target, options.emit,
                                              {.tool = tool, .cpu = "znver4"});
    ASSERT_FALSE(cycles.has_value()) << tool;
    EXPECT_NE(cycles.error().message.find(tool), std::string::npos) << cycles.error().message;
  }
}

TEST(CyclesTest, EveryMicroKernelHasCycles) {
  const TinyModel tiny("cycles");
  for (const char* target : {"avx2", "avxvnni", "avx512vnni"}) {
    const driver::CompileOptions options = tiny.Options(target);
    const driver::CompiledProgram compiled = Value(driver::CompileProgram(tiny.model(), options));
    const auto cycles = roofline::CountCycles(compiled.module, *options.target, options.emit);
    if (!cycles.has_value()) GTEST_SKIP() << cycles.error().message;
    size_t tiles = 0, micros = 0;
    for (const ir::Function& function : compiled.module.functions)
      micros += function.kind == ir::Function::Kind::kMicro;
    for (const roofline::MicroKernel& kernel : cycles->kernels) {
      for (const roofline::TileCycles& tile : kernel.tiles) {
        ++tiles;
        // A block of 32 k for 16 columns, or one k.
        EXPECT_TRUE(tile.macs == tile.rows * 16 * 32 || tile.macs == tile.rows * 16) << kernel.name;
        // The upper bound is four 512-bit multipliers of bytes.
        EXPECT_GT(tile.MacsPerCycle(), 0) << kernel.name;
        EXPECT_LT(tile.MacsPerCycle(), 256) << kernel.name;
      }
    }
    EXPECT_EQ(tiles, micros) << target;
    const std::string text = roofline::TextReport(*cycles);
    for (const roofline::MicroKernel& kernel : cycles->kernels) {
      EXPECT_NE(text.find("\n" + kernel.name + " "), std::string::npos) << text;
    }
  }
}

}  // namespace
}  // namespace ggufc::testing
