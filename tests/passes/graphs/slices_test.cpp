// Linears whose epilogues slice or deinterleave the result. Each graph is a whole IR text, which also runs through
// ggufc-opt.
#include "graph_case.h"

namespace ggufc::passes {
namespace {

constexpr GraphCase kSliceGraphs[] = {
    // A unit has 64 columns, the last one 32, so that its other panels do not exist.
    {"NarrowLastUnit", R"(
weight @e : f32[50,96]
weight @w : f32[96,96]
weight @q : f32[32,96]
)",
     "f32[B,32]", R"(
  %x = embed %0, @e {scale=1} : f32[T,96]
  %y = linear %x, @w : f32[T,96]
  %d = deinterleave %y {size=32, way=0, ways=2, granule=32} : f32[T,32]
  %p = mean_pool %d : f32[B,32]
  %m = mean_pool %y : f32[B,96]
  %z = linear %m, @q : f32[B,32]
  %s = add %z, %p : f32[B,32]
  return %s
)"},
    {"SlicesNotAlignedToPanels", R"(
weight @e : f32[50,40]
weight @w : f32[56,40]
weight @v : f32[24,21]
)",
     "f32[B,20]", R"(
  %x = embed %0, @e {scale=1} : f32[T,40]
  %y = linear %x, @w : f32[T,56]
  %a = slice %y {offset=3, size=21} : f32[T,21]
  %b = slice %y {offset=24, size=21} : f32[T,21]
  %s = add %a, %b : f32[T,21]
  %z = linear %s, @v : f32[T,24]
  %p = mean_pool %z : f32[B,24]
  %c = slice %p {offset=4, size=20} : f32[B,20]
  return %c
)"},
    {"SlicedThenReadUnsliced", R"(
weight @e : f32[50,32]
weight @w : f32[64,32]
weight @v : f32[32,64]
)",
     "f32[B,32]", R"(
  %x = embed %0, @e {scale=1} : f32[T,32]
  %y = linear %x, @w : f32[T,64]
  %a = slice %y {offset=0, size=32} : f32[T,32]
  %g = gelu %y : f32[T,64]
  %z = linear %g, @v : f32[T,32]
  %s = add %a, %z : f32[T,32]
  %p = mean_pool %s : f32[B,32]
  return %p
)"},
    {"ReadUnslicedThenSliced", R"(
weight @e : f32[50,32]
weight @w : f32[64,32]
)",
     "f32[B,32]", R"(
  %x = embed %0, @e {scale=1} : f32[T,32]
  %y = linear %x, @w : f32[T,64]
  %g = gelu %y : f32[T,64]
  %a = slice %y {offset=0, size=32} : f32[T,32]
  %b = slice %g {offset=32, size=32} : f32[T,32]
  %s = add %a, %b : f32[T,32]
  %p = mean_pool %s : f32[B,32]
  return %p
)"},
    {"SliceAndQuantizeOfOneResult", R"(
weight @e : q8_0[50,64]
weight @w : q8_0[64,64]
weight @v : q8_0[32,64]
)",
     "f32[B,32]", R"(
  %x = embed %0, @e {scale=1} : f32[T,64]
  %y = linear %x, @w : f32[T,64]
  %z = linear %y, @v : f32[T,32]
  %a = slice %y {offset=16, size=32} : f32[T,32]
  %s = add %a, %z : f32[T,32]
  %p = mean_pool %s : f32[B,32]
  return %p
)"},
    {"WaysOfTwoSizes", R"(
weight @e : f32[50,64]
weight @ab : f32[64,64]
weight @n : f32[24,8]
)",
     "f32[B,24]", R"(
  %x = embed %0, @e {scale=1} : f32[T,64]
  %l = linear %x, @ab : f32[T,64]
  %g = deinterleave %l {size=24, way=0, ways=2, granule=32} : f32[T,24]
  %u = deinterleave %l {size=8, way=1, ways=2, granule=32} : f32[T,8]
  %p = mean_pool %g : f32[B,24]
  %v = mean_pool %u : f32[B,8]
  %w = slice %p {offset=0, size=8} : f32[B,8]
  %z = add %v, %w : f32[B,8]
  %n = linear %z, @n : f32[B,24]
  return %n
)"},
    {"WaysOfTwoSizesShorterFirst", R"(
weight @e : f32[50,64]
weight @ab : f32[64,64]
weight @n : f32[24,8]
)",
     "f32[B,24]", R"(
  %x = embed %0, @e {scale=1} : f32[T,64]
  %l = linear %x, @ab : f32[T,64]
  %u = deinterleave %l {size=8, way=1, ways=2, granule=32} : f32[T,8]
  %g = deinterleave %l {size=24, way=0, ways=2, granule=32} : f32[T,24]
  %p = mean_pool %g : f32[B,24]
  %v = mean_pool %u : f32[B,8]
  %n = linear %v, @n : f32[B,24]
  %z = add %n, %p : f32[B,24]
  return %z
)"},
    {"WaysOfTwoGranules", R"(
weight @e : f32[50,64]
weight @ab : f32[128,64]
)",
     "f32[B,32]", R"(
  %x = embed %0, @e {scale=1} : f32[T,64]
  %l = linear %x, @ab : f32[T,128]
  %u = deinterleave %l {size=32, way=1, ways=2, granule=32} : f32[T,32]
  %g = deinterleave %l {size=32, way=3, ways=4, granule=16} : f32[T,32]
  %p = mean_pool %g : f32[B,32]
  %v = mean_pool %u : f32[B,32]
  %z = add %v, %p : f32[B,32]
  return %z
)"},
    {"SliceNotAlignedToPanelsAfterSmallGroups", R"(
weight @e : f32[50,64]
weight @w : f32[48,64]
weight @g : f32[8]
weight @n : f32[48,24]
)",
     "f32[B,48]", R"(
  %x = embed %0, @e {scale=1} : f32[T,64]
  %l = linear %x, @w : f32[T,48]
  %h = rms_norm %l, @g {eps=1e-06, group=8} : f32[T,48]
  %q = slice %l {offset=24, size=24} : f32[T,24]
  %y = linear %q, @n : f32[T,48]
  %s = add %h, %y : f32[T,48]
  %p = mean_pool %s : f32[B,48]
  return %p
)"},
};

class SliceGraphsTest : public testing::TestWithParam<GraphCase> {};

TEST_P(SliceGraphsTest, EveryPassPreservesTheGraph) { ExpectEveryPassPreserves(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Graphs, SliceGraphsTest, testing::ValuesIn(kSliceGraphs), GraphName);

}  // namespace
}  // namespace ggufc::passes
