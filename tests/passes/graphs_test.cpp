// Graphs that no importer writes today: every pass keeps what they compute, or refuses them.
//
// One long table of IR texts, each whole, so that it can be read and run through ggufc-opt as it stands.
#include <gtest/gtest.h>

#include <random>

#include "equivalence.h"
#include "ir/interpret/random_weights.h"
#include "ir/text/parser.h"
#include "ir/verify/verifier.h"
#include "passes/pipeline.h"
#include "random_model.h"

namespace ggufc::passes {
namespace {

struct Graph {
  const char* name;
  const char* weights;
  const char* result;  // its type
  const char* body;
};

std::string Text(const Graph& graph) {
  return fmt::format("module @graph stage graph\n{}func @forward(%0: i32[T]) -> ({}) {{\n{}}}\n",
                     graph.weights, graph.result, graph.body);
}

constexpr Graph kGraphs[] = {
    {"EmbeddingsOnly", R"(
weight @e : f32[50,20]
)",
     "f32[B,20]", R"(
  %x = embed %0, @e {scale=3} : f32[T,20]
  %p = mean_pool %x : f32[B,20]
  return %p
)"},
    {"ResultOfALinear", R"(
weight @e : f16[50,20]
weight @w : f16[40,20]
)",
     "f32[B,40]", R"(
  %x = embed %0, @e {scale=1} : f32[T,20]
  %p = mean_pool %x : f32[B,20]
  %y = linear %p, @w : f32[B,40]
  return %y
)"},
    {"ResultThatIsReadToo", R"(
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
    // Units of 64 columns, of which the last has 32: its other panels do not exist.
    {"LastUnitIsNarrow", R"(
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
    {"GateBehindUp", R"(
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
    {"GateThatIsReadElsewhere", R"(
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
    {"LinearsOfSeveralTypes", R"(
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
    {"KeysOutOfAPrologue", R"(
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
    {"AttentionReadTwice", R"(
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
    {"SlicesOffThePanelGrid", R"(
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
    {"SlicesAndTheWhole", R"(
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
    {"ScalesThatStay", R"(
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
    {"ScalesOfOneGain", R"(
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
    {"ScaleOfAScaleThatIsReadToo", R"(
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
    {"DeadCodeBehindTheResult", R"(
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
    {"PooledAndReadByOthers", R"(
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
    {"DerivedMatrices", R"(
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
    {"HeadsOfTwoSizes", R"(
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
    {"WholeThenSlices", R"(
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
    {"SliceBesideAQuantize", R"(
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
    {"HeadsOfTwelve", R"(
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
    {"NormOverGranules", R"(
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
    {"NormedHeadsIntoALinear", R"(
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
    {"PanelsWithANarrowLastUnit", R"(
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
    {"WaysOfTwoSizesTheShorterFirst", R"(
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
    {"SliceThatEndsInAUnit", R"(
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
    {"SliceOffThePanelGridBehindSmallGroups", R"(
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

class GraphsTest : public testing::TestWithParam<Graph> {};

TEST_P(GraphsTest, EveryPassPreservesTheGraph) {
  for (const ir::Scalar activations : {ir::Scalar::kQ16, ir::Scalar::kQ8}) {
    SCOPED_TRACE(ir::Name(activations));
    Result<ir::Module> module = ir::Parse(Text(GetParam()), GetParam().name);
    ASSERT_TRUE(module.has_value()) << module.error().message;
    const Status verified = ir::Verify(*module);
    ASSERT_TRUE(verified.has_value()) << verified.error().message;
    PassContext context;
    context.activations = activations;
    context.context_length = 40;
    context.target.pack_q8 = 4;
    std::mt19937_64 random(1);
    const Status preserved = Preserved(
        CheckEveryPass({std::move(*module), ir::RandomWeights(1), RandomBatch(random, 3, 40, 50), context}));
    EXPECT_TRUE(preserved.has_value()) << preserved.error().message;
  }
}

INSTANTIATE_TEST_SUITE_P(Graphs, GraphsTest, testing::ValuesIn(kGraphs),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace ggufc::passes
