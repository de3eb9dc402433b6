// The inner loops that determine the model's speed: the instructions of hand-written code, and no stack accesses.
#include <gtest/gtest.h>

#include "asm_check.h"
#include "codegen/object_emitter.h"
#include "ir/core/builder.h"
#include "micro_shapes.h"
#include "run_kernel.h"
#include "support/check.h"

namespace ggufc::testing {
namespace {

std::string Assembly(const ir::Module& module, const char* target) {
  const auto text = codegen::PrintAssembly(module, **codegen::FindTarget(target));
  CHECK(text, "{}", text.error().message);
  return *text;
}

// The loop over k of a tile, which must be its only innermost loop.
AsmLoop KLoop(const std::string& assembly) {
  const auto loops = InnermostLoops(assembly, "mk");
  EXPECT_EQ(loops.size(), 1u) << assembly;
  if (loops.empty()) return {};
  // An instruction of three sources whose operand in memory has an index register is two operations on Intel's cores.
  EXPECT_EQ(loops[0].indexed_operands, 0) << loops[0].Text();
  // Instructions of two operands overwrite one, so that SSE copies what it still needs.
  if (assembly.find("%ymm") != std::string::npos || assembly.find("%zmm") != std::string::npos) {
    EXPECT_EQ(loops[0].vector_moves, 0) << loops[0].Text();
  }
  return loops[0];
}

MicroShape Shape(const char* target, ir::Scalar activation, int rows = 0) {
  const ir::TargetInfo& info = (*codegen::FindTarget(target))->info;
  MicroShape shape;
  shape.rows = rows == 0 ? info.rows : rows;
  shape.pack = info.Pack(activation);
  shape.seven_bit_dot = activation == ir::Scalar::kQ7 && info.seven_bit_dot;
  shape.sums_in_registers = info.sums_in_registers;
  return shape;
}

TEST(MicroAsmTest, Avx2Uses16BitDots) {
  for (const ir::Scalar activation : {ir::Scalar::kQ16, ir::Scalar::kQ8}) {
    const std::string assembly = Assembly(MicroModule(Shape("avx2", activation)), "avx2");
    const AsmLoop loop = KLoop(assembly);
    EXPECT_EQ(loop.Count({"vpmovsxbw", "(%r", "%ymm"}), 2) << loop.Text();
    EXPECT_EQ(loop.Count({"vpbroadcastd", "(%r", "%ymm"}), 6) << loop.Text();
    EXPECT_EQ(loop.Count({"vpmaddwd", "%ymm"}), 12) << loop.Text();
    EXPECT_EQ(loop.Count({"vpaddd", "%ymm"}), 12) << loop.Text();
    EXPECT_LE(loop.instructions.size(), 37u) << loop.Text();
    EXPECT_EQ(WholeFunction(assembly, "mk").stack_accesses, 0) << assembly;
  }
}

TEST(MicroAsmTest, Avx2Uses7BitDots) {
  const AsmLoop loop = KLoop(Assembly(MicroModule(Shape("avx2", ir::Scalar::kQ7)), "avx2"));
  EXPECT_EQ(loop.Count({"vpmaddubsw", "%ymm"}), 12) << loop.Text();
  EXPECT_EQ(loop.Count({"vpmaddwd", "%ymm"}), 12) << loop.Text();
  EXPECT_EQ(loop.Count({"vpbroadcastd", "(%r", "%ymm"}), 6) << loop.Text();
  EXPECT_LE(loop.instructions.size(), 51u) << loop.Text();
  // With 6 rows one accumulator has no register (target.cpp): one load and one store per iteration.
  EXPECT_LE(loop.stack_accesses, 2) << loop.Text();
  const AsmLoop lower = KLoop(Assembly(MicroModule(Shape("avx2", ir::Scalar::kQ7, 5)), "avx2"));
  EXPECT_EQ(lower.stack_accesses, 0) << lower.Text();
}

TEST(MicroAsmTest, AvxVnniUsesVexDots) {
  for (const auto& [activation, dot, size] : {std::tuple{ir::Scalar::kQ16, "vpdpwssd", 25u},
                                              {ir::Scalar::kQ8, "vpdpbusd", 25u},
                                              {ir::Scalar::kQ7, "vpdpbusd", 25u}}) {
    const std::string assembly = Assembly(MicroModule(Shape("avxvnni", activation)), "avxvnni");
    const AsmLoop loop = KLoop(assembly);
    EXPECT_EQ(loop.Count({"{vex}", dot, "%ymm"}), 12) << loop.Text();
    EXPECT_EQ(loop.Count({"vpbroadcastd", "(%r", "%ymm"}), 6) << loop.Text();
    EXPECT_LE(loop.instructions.size(), size) << loop.Text();
    EXPECT_EQ(WholeFunction(assembly, "mk").stack_accesses, 0) << assembly;
  }
}

TEST(MicroAsmTest, Avx512BroadcastsFromMemory) {
  for (const auto& [activation, dot] : {std::pair{ir::Scalar::kQ16, "vpdpwssd"},
                                        {ir::Scalar::kQ8, "vpdpbusd"},
                                        {ir::Scalar::kQ7, "vpdpbusd"}}) {
    const std::string assembly = Assembly(MicroModule(Shape("avx512vnni", activation)), "avx512vnni");
    const AsmLoop loop = KLoop(assembly);
    EXPECT_EQ(loop.Count({dot, "){1to16}", "%zmm"}), 12) << loop.Text();
    EXPECT_EQ(loop.Count({activation == ir::Scalar::kQ16 ? "vpmovsxbw" : "vmovdqu64", "(%r", "%zmm"}), 1)
        << loop.Text();
    EXPECT_LE(loop.instructions.size(), 18u) << loop.Text();
    EXPECT_EQ(WholeFunction(assembly, "mk").stack_accesses, 0) << assembly;
  }
}

TEST(MicroAsmTest, GenericUsesPmaddwd) {
  const AsmLoop loop = KLoop(Assembly(MicroModule(Shape("generic", ir::Scalar::kQ16)), "generic"));
  EXPECT_EQ(loop.Count({"pmaddwd"}), 8) << loop.Text();
  EXPECT_EQ(loop.stack_accesses, 0) << loop.Text();
}

TEST(MicroAsmTest, NoTileHeightSpills) {
  for (const char* target : {"avx2", "avxvnni", "avx512vnni"}) {
    for (const ir::Scalar activation : {ir::Scalar::kQ16, ir::Scalar::kQ8}) {
      for (int rows = 1; rows <= (*codegen::FindTarget(target))->info.rows; ++rows) {
        const std::string assembly = Assembly(MicroModule(Shape(target, activation, rows)), target);
        EXPECT_EQ(KLoop(assembly).stack_accesses, 0) << target << ", " << rows << " rows\n" << assembly;
      }
    }
  }
}

TEST(MicroAsmTest, KLoopsAreAlignedToCacheLines) {
  for (const char* target : {"generic", "avx2", "avxvnni", "avx512vnni"}) {
    const std::string tile = Assembly(MicroModule(Shape(target, ir::Scalar::kQ16)), target);
    EXPECT_EQ(KLoop(tile).alignment, 6) << target << "\n" << tile;
    const std::string floats = Assembly(FloatMicroModule(2, 768, ir::Scalar::kF32), target);
    EXPECT_EQ(KLoop(floats).alignment, 6) << target << "\n" << floats;
  }
}

TEST(MicroAsmTest, FloatTilesUseFma) {
  for (const auto& [weight, load] : {std::pair{ir::Scalar::kF32, "vmovups"},
                                     {ir::Scalar::kF16, "vcvtph2ps"},
                                     {ir::Scalar::kBF16, "vpmovzxwd"}}) {
    const std::string narrow = Assembly(FloatMicroModule(6, 768, weight), "avx2");
    const AsmLoop avx2 = KLoop(narrow);
    EXPECT_EQ(avx2.Count({"vfmadd", "%ymm"}), 12) << avx2.Text();
    EXPECT_EQ(avx2.Count({"vbroadcastss", "(%r"}), 6) << avx2.Text();
    EXPECT_EQ(avx2.Count({load, "(%r"}), 2) << avx2.Text();
    EXPECT_EQ(WholeFunction(narrow, "mk").stack_accesses, 0) << narrow;
    const std::string wide = Assembly(FloatMicroModule(12, 768, weight), "avx512vnni");
    const AsmLoop avx512 = KLoop(wide);
    EXPECT_EQ(avx512.Count({"vfmadd", "){1to16}", "%zmm"}), 12) << avx512.Text();
    EXPECT_EQ(avx512.Count({load, "(%r", "%zmm"}), 1) << avx512.Text();
    EXPECT_EQ(WholeFunction(wide, "mk").stack_accesses, 0) << wide;
  }
}

TEST(MicroAsmTest, PrefetchCostsOneInstruction) {
  for (const auto& [target, size] : {std::pair{"avx2", 38u}, {"avxvnni", 26u}, {"avx512vnni", 19u}}) {
    MicroShape shape = Shape(target, ir::Scalar::kQ16);
    shape.prefetch_ahead = shape.panel_bytes();
    const std::string assembly = Assembly(MicroModule(shape), target);
    const AsmLoop loop = KLoop(assembly);
    EXPECT_EQ(loop.Count({"prefetcht0"}), 1) << loop.Text();
    EXPECT_LE(loop.instructions.size(), size) << loop.Text();
    EXPECT_EQ(WholeFunction(assembly, "mk").stack_accesses, 0) << assembly;
  }
}

// In a row-wise loop each op of norms and activations is one instruction at full vector width. Only an emulated fma is a
// call.
TEST(MicroAsmTest, RowOpsAreSingleInstructions) {
  using ir::Builder, ir::OpKind, ir::ValueId;
  struct Case {
    OpKind kind;
    const char* avx2;
    const char* avx512;
    const char* generic;
  };
  for (const Case& c : {Case{OpKind::kMin, "vminps", "vminps", "minps"},
                        {OpKind::kMax, "vmaxps", "vmaxps", "maxps"},
                        {OpKind::kAdd, "vaddps", "vaddps", "addps"},
                        {OpKind::kDiv, "vdivps", "vdivps", "divps"},
                        {OpKind::kSqrt, "vsqrtps", "vsqrtps", "sqrtps"},
                        {OpKind::kFma, "vfmadd", "vfmadd", "callq"}}) {
    const ir::Module module = KernelModule([&](Builder& b, const KernelParams& p) {
      b.For(p.r0, p.r1, 64, [&](ValueId i) {
        const ValueId x = b.Load(ir::F32x16(), p.in, i), y = b.Load(ir::F32x16(), p.out, i);
        std::vector<ValueId> operands(static_cast<size_t>(ir::Info(c.kind).operands), y);
        operands[0] = x;
        b.Store(b.Emit(c.kind, operands), p.out, i);
      });
    });
    for (const auto& [target, mnemonic, reg, count] :
         {std::tuple{"avx2", c.avx2, "%ymm", 2},
          {"avx512vnni", c.avx512, "%zmm", 1},
          {"generic", c.generic, c.kind == OpKind::kFma ? "fma.f32x16" : "%xmm",
           c.kind == OpKind::kFma ? 1 : 4}}) {
      const auto loops = InnermostLoops(Assembly(module, target), "k");
      ASSERT_EQ(loops.size(), 1u);
      EXPECT_EQ(loops[0].Count({mnemonic, reg}), count) << target << "\n" << loops[0].Text();
    }
  }
}

}  // namespace
}  // namespace ggufc::testing
