// Row-wise ops: lookups, norms, scales, pooling. Each graph is a whole IR text, which also runs through ggufc-opt.
#include "graph_case.h"

namespace ggufc::passes {
namespace {

constexpr GraphCase kRowWiseGraphs[] = {
    {"EmbeddingsOnly", R"(
weight @e : f32[50,20]
)",
     "f32[B,20]", R"(
  %x = embed %0, @e {scale=3} : f32[T,20]
  %p = mean_pool %x : f32[B,20]
  return %p
)"},
    {"ScalesThatAreNotFolded", R"(
weight @e : f32[50,32]
weight @g : f32[32]
weight @w : f32[32,32]
)",
     "f32[B,32]", R"(
  %x = embed %0, @e {scale=1} : f32[T,32]
  %h = rms_norm %x, @g {eps=1e-06} : f32[T,32]
  %a = scale %h {scale=0.5} : f32[T,32]
  %b = add %a, %h : f32[T,32]
  %y = linear %b, @w : f32[T,32]
  %c = scale %y {scale=3} : f32[T,32]
  %p = mean_pool %c : f32[B,32]
  %d = scale %p {scale=7} : f32[B,32]
  return %d
)"},
    {"ScalesOfNormsWithOneGain", R"(
weight @e : f32[50,32]
weight @g : f32[32]
)",
     "f32[B,32]", R"(
  %x = embed %0, @e {scale=1} : f32[T,32]
  %h = rms_norm %x, @g {eps=1e-06} : f32[T,32]
  %a = scale %h {scale=0.3} : f32[T,32]
  %i = rms_norm %a, @g {eps=1e-06} : f32[T,32]
  %b = scale %i {scale=0.7} : f32[T,32]
  %j = rms_norm %b, @g {eps=1e-06} : f32[T,32]
  %c = scale %j {scale=0.3} : f32[T,32]
  %s = scale %c {scale=2} : f32[T,32]
  %y = add %a, %s : f32[T,32]
  %p = mean_pool %y : f32[B,32]
  return %p
)"},
    {"ScaleOfAScaleWithTwoReaders", R"(
weight @e : f32[50,20]
)",
     "f32[B,20]", R"(
  %x = embed %0, @e {scale=1} : f32[T,20]
  %a = scale %x {scale=1.5} : f32[T,20]
  %b = scale %a {scale=2} : f32[T,20]
  %s = add %a, %b : f32[T,20]
  %p = mean_pool %s : f32[B,20]
  return %p
)"},
    {"ScaleOfZero", R"(
weight @e : q8_0[50,32]
weight @g : f32[32]
weight @w : q8_0[20,32]
)",
     "f32[B,20]", R"(
  %x = embed %0, @e {scale=1} : f32[T,32]
  %h = rms_norm %x, @g {eps=1e-06} : f32[T,32]
  %z = scale %h {scale=0} : f32[T,32]
  %y = linear %z, @w : f32[T,20]
  %p = mean_pool %y : f32[B,20]
  %n = l2_normalize %p : f32[B,20]
  return %n
)"},
    {"DeadCodeAfterTheResult", R"(
weight @e : f32[50,20]
weight @a : f32[20,20]
weight @b : f32[33,20]
weight @g : f32[20]
)",
     "f32[B,20]", R"(
  %x = embed %0, @e {scale=1} : f32[T,20]
  %d = embed %0, @e {scale=2} : f32[T,20]
  %p = mean_pool %x : f32[B,20]
  %q = mean_pool %d : f32[B,20]
  %y = linear %p, @a : f32[B,20]
  %z = gelu %y : f32[B,20]
  %w = linear %z, @b : f32[B,33]
  return %y
)"},
    {"PooledValuesWithOtherReaders", R"(
weight @e : q8_0[50,32]
weight @g : f32[32]
weight @w : q8_0[32,32]
)",
     "f32[B,32]", R"(
  %x = embed %0, @e {scale=1} : f32[T,32]
  %h = rms_norm %x, @g {eps=1e-06} : f32[T,32]
  %s = add %x, %h : f32[T,32]
  %p = mean_pool %s : f32[B,32]
  %y = linear %h, @w : f32[T,32]
  %q = mean_pool %y : f32[B,32]
  %r = mean_pool %s : f32[B,32]
  %a = add %p, %q : f32[B,32]
  %b = add %a, %r : f32[B,32]
  return %b
)"},
};

class RowWiseGraphsTest : public testing::TestWithParam<GraphCase> {};

TEST_P(RowWiseGraphsTest, EveryPassPreservesTheGraph) { ExpectEveryPassPreserves(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Graphs, RowWiseGraphsTest, testing::ValuesIn(kRowWiseGraphs), GraphName);

}  // namespace
}  // namespace ggufc::passes
