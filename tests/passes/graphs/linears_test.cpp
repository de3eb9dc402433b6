// Linears and their epilogues: gates, norms, quantized results. Each graph is a whole IR text, which also runs through
// ggufc-opt.
#include "graph_case.h"

namespace ggufc::passes {
namespace {

constexpr GraphCase kLinearGraphs[] = {
    {"LinearIsTheModelsResult", R"(
weight @e : f16[50,20]
weight @w : f16[40,20]
)",
     "f32[B,40]", R"(
  %x = embed %0, @e {scale=1} : f32[T,20]
  %p = mean_pool %x : f32[B,20]
  %y = linear %p, @w : f32[B,40]
  return %y
)"},
    {"LinearResultWithTwoReaders", R"(
weight @e : f32[50,32]
weight @w : f32[32,32]
)",
     "f32[B,32]", R"(
  %x = embed %0, @e {scale=1} : f32[T,32]
  %p = mean_pool %x : f32[B,32]
  %y = linear %p, @w : f32[B,32]
  %g = gelu %y : f32[B,32]
  %z = linear %g, @w : f32[B,32]
  %s = add %y, %z : f32[B,32]
  return %s
)"},
    {"MlpWithoutGate", R"(
weight @e : q8_0[50,64]
weight @up : q8_0[96,64]
weight @down : q8_0[64,96]
)",
     "f32[B,64]", R"(
  %x = embed %0, @e {scale=1} : f32[T,64]
  %u = linear %x, @up : f32[T,96]
  %g = gelu %u : f32[T,96]
  %d = linear %g, @down : f32[T,64]
  %s = add %x, %d : f32[T,64]
  %p = mean_pool %s : f32[B,64]
  %n = l2_normalize %p : f32[B,64]
  return %n
)"},
    {"GateAfterUp", R"(
weight @e : f32[50,24]
weight @gate : f32[50,24]
weight @up : f32[50,24]
weight @down : f32[24,50]
)",
     "f32[B,24]", R"(
  %x = embed %0, @e {scale=1} : f32[T,24]
  %u = linear %x, @up : f32[T,50]
  %g = linear %x, @gate : f32[T,50]
  %a = gelu %g : f32[T,50]
  %m = mul %u, %a : f32[T,50]
  %d = linear %m, @down : f32[T,24]
  %p = mean_pool %d : f32[B,24]
  return %p
)"},
    {"GateWithAnotherReader", R"(
weight @e : q8_0[50,32]
weight @gate : q8_0[64,32]
weight @up : q8_0[64,32]
weight @down : q8_0[32,64]
)",
     "f32[B,32]", R"(
  %x = embed %0, @e {scale=1} : f32[T,32]
  %g = linear %x, @gate : f32[T,64]
  %u = linear %x, @up : f32[T,64]
  %a = gelu %g : f32[T,64]
  %m = mul %a, %u : f32[T,64]
  %s = add %m, %g : f32[T,64]
  %d = linear %s, @down : f32[T,32]
  %p = mean_pool %d : f32[B,32]
  return %p
)"},
    {"LinearsOfDerivedWeights", R"(
weight @e : q8_0[50,32]
weight @a : q8_0[16,32]
weight @b : q8_0[16,32]
weight @c = concat(@a, @b) : q8_0[32,32]
weight @d = interleave(@a, @b) : q8_0[32,32] {granule=4}
weight @w : q8_0[32,32]
)",
     "f32[B,32]", R"(
  %x = embed %0, @e {scale=1} : f32[T,32]
  %y = linear %x, @c : f32[T,32]
  %z = linear %x, @d : f32[T,32]
  %w = linear %x, @w : f32[T,32]
  %s = add %y, %z : f32[T,32]
  %t = add %s, %w : f32[T,32]
  %p = mean_pool %t : f32[B,32]
  return %p
)"},
    {"NormWiderThanAGranule", R"(
weight @e : q8_0[50,32]
weight @gate : q8_0[128,32]
weight @up : q8_0[128,32]
weight @g : f32[64]
weight @down : q8_0[32,128]
)",
     "f32[B,32]", R"(
  %x = embed %0, @e {scale=1} : f32[T,32]
  %gate = linear %x, @gate : f32[T,128]
  %up = linear %x, @up : f32[T,128]
  %gelu = gelu %gate : f32[T,128]
  %m = mul %gelu, %up : f32[T,128]
  %n = rms_norm %m, @g {eps=1e-06, group=64} : f32[T,128]
  %d = linear %n, @down : f32[T,32]
  %p = mean_pool %d : f32[B,32]
  return %p
)"},
    {"HeadNormBeforeAQuantize", R"(
weight @e : q8_0[50,32]
weight @w : q8_0[128,32]
weight @g : f32[64]
weight @down : q8_0[32,128]
)",
     "f32[B,32]", R"(
  %x = embed %0, @e {scale=1} : f32[T,32]
  %y = linear %x, @w : f32[T,128]
  %n = rms_norm %y, @g {eps=1e-06, group=64} : f32[T,128]
  %d = linear %n, @down : f32[T,32]
  %p = mean_pool %d : f32[B,32]
  return %p
)"},
    {"QuantizedWaysWithANarrowLastUnit", R"(
weight @e : f32[50,64]
weight @a : f32[96,64]
weight @b : f32[96,64]
weight @ab = interleave(@a, @b) : f32[256,64] {granule=64}
weight @d : q8_0[32,96]
)",
     "f32[B,32]", R"(
  %x = embed %0, @e {scale=1} : f32[T,64]
  %l = linear %x, @ab : f32[T,256]
  %g = deinterleave %l {size=96, way=0, ways=2, granule=64} : f32[T,96]
  %u = deinterleave %l {size=96, way=1, ways=2, granule=64} : f32[T,96]
  %ge = gelu %g : f32[T,96]
  %m = mul %ge, %u : f32[T,96]
  %y = linear %m, @d : f32[T,32]
  %p = mean_pool %y : f32[B,32]
  return %p
)"},
    {"QuantizeWithANarrowLastUnit", R"(
weight @e : f32[50,64]
weight @w : f32[96,64]
weight @d : q8_0[32,96]
)",
     "f32[B,32]", R"(
  %x = embed %0, @e {scale=1} : f32[T,64]
  %l = linear %x, @w : f32[T,96]
  %g = gelu %l : f32[T,96]
  %u = deinterleave %l {size=32, way=0, ways=2, granule=32} : f32[T,32]
  %y = linear %g, @d : f32[T,32]
  %s = add %y, %u : f32[T,32]
  %p = mean_pool %s : f32[B,32]
  return %p
)"},
    {"TwoQuantizesInOneEpilogue", R"(
weight @e : q8_0[50,64]
weight @w : q8_0[96,64]
weight @a : q8_0[32,96]
weight @b : q8_0[32,96]
)",
     "f32[B,32]", R"(
  %x = embed %0, @e {scale=1} : f32[T,64]
  %y = linear %x, @w : f32[T,96]
  %a = linear %y, @a : f32[T,32]
  %g = gelu %y : f32[T,96]
  %b = linear %g, @b : f32[T,32]
  %s = add %a, %b : f32[T,32]
  %p = mean_pool %s : f32[B,32]
  return %p
)"},
};

class LinearGraphsTest : public testing::TestWithParam<GraphCase> {};

TEST_P(LinearGraphsTest, EveryPassPreservesTheGraph) { ExpectEveryPassPreserves(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Graphs, LinearGraphsTest, testing::ValuesIn(kLinearGraphs), GraphName);

}  // namespace
}  // namespace ggufc::passes
