// Attention: sources of its keys, head sizes, readers of its result. Each graph is a whole IR text, which also runs
// through ggufc-opt.
#include "graph_case.h"

namespace ggufc::passes {
namespace {

constexpr GraphCase kAttentionGraphs[] = {
    {"AttentionAndMlpOfOneNorm", R"(
weight @e : q8_0[50,64]
weight @g : f32[64]
weight @q : q8_0[64,64]
weight @k : q8_0[32,64]
weight @v : q8_0[32,64]
weight @gate : q8_0[96,64]
weight @up : q8_0[96,64]
weight @o : q8_0[64,64]
weight @down : q8_0[64,96]
)",
     "f32[B,64]", R"(
  %x = embed %0, @e {scale=1} : f32[T,64]
  %h = rms_norm %x, @g {eps=1e-06} : f32[T,64]
  %q = linear %h, @q : f32[T,64]
  %k = linear %h, @k : f32[T,32]
  %v = linear %h, @v : f32[T,32]
  %a = attention %q, %k, %v {heads=2, kv_heads=1, head_dim=32, window=4} : f32[T,64]
  %o = linear %a, @o : f32[T,64]
  %gate = linear %h, @gate : f32[T,96]
  %up = linear %h, @up : f32[T,96]
  %gelu = gelu %gate : f32[T,96]
  %m = mul %gelu, %up : f32[T,96]
  %d = linear %m, @down : f32[T,64]
  %s = add %o, %d : f32[T,64]
  %y = add %x, %s : f32[T,64]
  %p = mean_pool %y : f32[B,64]
  return %p
)"},
    {"QueryKeyAndValueWeightsOfThreeTypes", R"(
weight @e : bf16[50,64]
weight @g : f32[64]
weight @q : q8_0[64,64]
weight @k : f16[64,64]
weight @v : f32[64,64]
weight @o : q8_0[64,64]
)",
     "f32[B,64]", R"(
  %x = embed %0, @e {scale=1} : f32[T,64]
  %h = rms_norm %x, @g {eps=1e-06} : f32[T,64]
  %q = linear %h, @q : f32[T,64]
  %k = linear %h, @k : f32[T,64]
  %v = linear %h, @v : f32[T,64]
  %a = attention %q, %k, %v {heads=2, kv_heads=2, head_dim=32, window=0} : f32[T,64]
  %o = linear %a, @o : f32[T,64]
  %s = add %o, %h : f32[T,64]
  %p = mean_pool %s : f32[B,64]
  return %p
)"},
    {"KeysFromARowWiseKernel", R"(
weight @e : f32[50,40]
weight @g : f32[40]
weight @gk : f32[20]
)",
     "f32[B,40]", R"(
  %x = embed %0, @e {scale=1} : f32[T,40]
  %k = rms_norm %x, @gk {eps=1e-06, group=20} : f32[T,40]
  %rk = rope %k {theta=100, head_dim=20} : f32[T,40]
  %q = rms_norm %x, @g {eps=1e-06} : f32[T,40]
  %a = attention %q, %rk, %x {heads=2, kv_heads=2, head_dim=20, window=6} : f32[T,40]
  %p = mean_pool %a : f32[B,40]
  return %p
)"},
    {"AttentionResultWithTwoReaders", R"(
weight @e : q8_0[50,32]
weight @q : q8_0[32,32]
weight @k : q8_0[32,32]
weight @o : q8_0[32,32]
)",
     "f32[B,32]", R"(
  %x = embed %0, @e {scale=1} : f32[T,32]
  %q = linear %x, @q : f32[T,32]
  %k = linear %x, @k : f32[T,32]
  %a = attention %q, %k, %x {heads=1, kv_heads=1, head_dim=32, window=0} : f32[T,32]
  %o = linear %a, @o : f32[T,32]
  %s = add %a, %o : f32[T,32]
  %p = mean_pool %s : f32[B,32]
  return %p
)"},
    {"TwoHeadSizes", R"(
weight @e : f32[50,32]
weight @q : f32[64,32]
weight @k : f32[64,32]
weight @v : f32[64,32]
weight @q2 : f32[64,64]
weight @k2 : f32[64,64]
weight @v2 : f32[64,64]
)",
     "f32[B,64]", R"(
  %x = embed %0, @e {scale=1} : f32[T,32]
  %q = linear %x, @q : f32[T,64]
  %k = linear %x, @k : f32[T,64]
  %v = linear %x, @v : f32[T,64]
  %a = attention %q, %k, %v {heads=1, kv_heads=1, head_dim=64, window=0} : f32[T,64]
  %q2 = linear %a, @q2 : f32[T,64]
  %k2 = linear %a, @k2 : f32[T,64]
  %v2 = linear %a, @v2 : f32[T,64]
  %b = attention %q2, %k2, %v2 {heads=4, kv_heads=4, head_dim=16, window=0} : f32[T,64]
  %p = mean_pool %b : f32[B,64]
  return %p
)"},
    {"HeadSizeTwelve", R"(
weight @e : f32[50,30]
weight @q : f32[36,30]
weight @gq : f32[12]
weight @k : f32[36,36]
weight @gk : f32[12]
)",
     "f32[B,36]", R"(
  %x = embed %0, @e {scale=1} : f32[T,30]
  %q = linear %x, @q : f32[T,36]
  %nq = rms_norm %q, @gq {eps=1e-06, group=12} : f32[T,36]
  %k = linear %nq, @k : f32[T,36]
  %nk = rms_norm %k, @gk {eps=1e-06, group=12} : f32[T,36]
  %rk = rope %nk {theta=100, head_dim=12} : f32[T,36]
  %a = attention %nq, %rk, %nq {heads=3, kv_heads=3, head_dim=12, window=6} : f32[T,36]
  %p = mean_pool %a : f32[B,36]
  return %p
)"},
    {"KeyPanelsWithANarrowLastUnit", R"(
weight @e : f32[50,64]
weight @w : f32[256,64]
weight @wq : f32[96,64]
)",
     "f32[B,96]", R"(
  %x = embed %0, @e {scale=1} : f32[T,64]
  %n = scale %x {scale=2} : f32[T,64]
  %l = linear %x, @w : f32[T,256]
  %q = linear %n, @wq : f32[T,96]
  %k = deinterleave %l {size=96, way=0, ways=2, granule=64} : f32[T,96]
  %v = deinterleave %l {size=96, way=1, ways=2, granule=64} : f32[T,96]
  %a = attention %q, %k, %v {heads=3, kv_heads=3, head_dim=32, window=0} : f32[T,96]
  %p = mean_pool %a : f32[B,96]
  return %p
)"},
    {"SliceThatEndsInsideAUnit", R"(
weight @e : f32[50,64]
weight @w : f32[160,64]
weight @n : f32[32,16]
)",
     "f32[B,32]", R"(
  %x = embed %0, @e {scale=1} : f32[T,64]
  %l = linear %x, @w : f32[T,160]
  %k = slice %l {offset=0, size=32} : f32[T,32]
  %z = slice %l {offset=32, size=16} : f32[T,16]
  %q = slice %l {offset=64, size=32} : f32[T,32]
  %v = slice %l {offset=96, size=32} : f32[T,32]
  %a = attention %q, %k, %v {heads=1, kv_heads=1, head_dim=32, window=0} : f32[T,32]
  %zn = linear %z, @n : f32[T,32]
  %s = add %a, %zn : f32[T,32]
  %p = mean_pool %s : f32[B,32]
  return %p
)"},
    {"KeysOfTwoHeadSizesLargerFirst", R"(
weight @e : f32[50,64]
weight @w1 : f32[64,64]
weight @w2 : f32[64,64]
weight @w3 : f32[64,64]
)",
     "f32[B,64]", R"(
  %x = embed %0, @e {scale=1} : f32[T,64]
  %k1 = linear %x, @w1 : f32[T,64]
  %k2 = linear %x, @w2 : f32[T,64]
  %v = linear %x, @w3 : f32[T,64]
  %a = attention %x, %k1, %v {heads=1, kv_heads=1, head_dim=64, window=0} : f32[T,64]
  %b = attention %x, %k2, %v {heads=2, kv_heads=2, head_dim=32, window=0} : f32[T,64]
  %s = add %a, %b : f32[T,64]
  %p = mean_pool %s : f32[B,64]
  return %p
)"},
    {"KeysOfTwoHeadSizes", R"(
weight @e : f32[50,64]
weight @w1 : f32[64,64]
weight @w2 : f32[64,64]
weight @w3 : f32[64,64]
)",
     "f32[B,64]", R"(
  %x = embed %0, @e {scale=1} : f32[T,64]
  %k1 = linear %x, @w1 : f32[T,64]
  %k2 = linear %x, @w2 : f32[T,64]
  %v = linear %x, @w3 : f32[T,64]
  %a = attention %x, %k1, %v {heads=2, kv_heads=2, head_dim=32, window=0} : f32[T,64]
  %b = attention %x, %k2, %v {heads=1, kv_heads=1, head_dim=64, window=0} : f32[T,64]
  %s = add %a, %b : f32[T,64]
  %p = mean_pool %s : f32[B,64]
  return %p
)"},
};

class AttentionGraphsTest : public testing::TestWithParam<GraphCase> {};

TEST_P(AttentionGraphsTest, EveryPassPreservesTheGraph) { ExpectEveryPassPreserves(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Graphs, AttentionGraphsTest, testing::ValuesIn(kAttentionGraphs), GraphName);

}  // namespace
}  // namespace ggufc::passes
