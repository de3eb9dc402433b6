// Graphs that passes refuse. Each module is a whole IR text but for its first word, and also runs through ggufc-opt.
#include "refusal.h"

namespace ggufc::passes {
namespace {

constexpr const char* kToLayouts = "merge-linears quantize-activations rope-tables fuse assign-layouts";

constexpr Refusal kGraphRefusals[] = {
    {"WeightInTwoLayouts", R"(graph
weight @e : q8_0[50,32]
weight @w : q8_0[32,32]
func @forward(%0: i32[T]) -> (f32[B,32]) {
  %x = embed %0, @e {scale=1} : f32[T,32]
  %y = linear %x, @w : f32[T,32]
  %z = linear %y, @w : f32[T,32]
  %p = mean_pool %z : f32[B,32]
  return %p
}
)",
     kToLayouts, "assign-layouts: weight @w is read by linears that need different layouts"},
    {"EmbeddingTableReadByALinear", R"(graph
weight @e : f32[64,64]
func @forward(%0: i32[T]) -> (f32[B,64]) {
  %x = embed %0, @e {scale=1} : f32[T,64]
  %y = linear %x, @e : f32[T,64]
  %p = mean_pool %y : f32[B,64]
  return %p
}
)",
     kToLayouts, "assign-layouts: weight @e is packed for a linear, but kernel @embed reads it unpacked"},
    {"KeysReadAsValuesToo", R"(graph
weight @e : f32[50,32]
weight @k : f32[32,32]
func @forward(%0: i32[T]) -> (f32[B,32]) {
  %x = embed %0, @e {scale=1} : f32[T,32]
  %k = linear %x, @k : f32[T,32]
  %a = attention %x, %k, %k {heads=1, kv_heads=1, head_dim=32, window=0} : f32[T,32]
  %p = mean_pool %a : f32[B,32]
  return %p
}
)",
     kToLayouts,
     "assign-layouts: result 0 of kernel @k is attention's keys and also has readers that need another "
     "layout"},
    {"KeysReadByAnotherKernel", R"(graph
weight @e : f32[50,32]
weight @k : f32[32,32]
func @forward(%0: i32[T]) -> (f32[B,32]) {
  %x = embed %0, @e {scale=1} : f32[T,32]
  %k = linear %x, @k : f32[T,32]
  %a = attention %x, %k, %x {heads=1, kv_heads=1, head_dim=32, window=0} : f32[T,32]
  %s = add %a, %k : f32[T,32]
  %p = mean_pool %s : f32[B,32]
  return %p
}
)",
     kToLayouts,
     "assign-layouts: result 0 of kernel @k is attention's keys and also has readers that need another "
     "layout"},
    {"ResultThatIsKeysInOneCallOnly", R"(graph
weight @e : f32[50,32]
weight @k1 : f32[32,32]
weight @k2 : f32[32,32]
func @forward(%0: i32[T]) -> (f32[B,32]) {
  %x = embed %0, @e {scale=1} : f32[T,32]
  %k = linear %x, @k1 : f32[T,32]
  %a = attention %x, %k, %x {heads=1, kv_heads=1, head_dim=32, window=0} : f32[T,32]
  %y = linear %a, @k2 : f32[T,32]
  %p = mean_pool %y : f32[B,32]
  return %p
}
)",
     kToLayouts,
     "assign-layouts: result 0 of kernel @k1 is attention's keys in one call and needs another layout in "
     "another call"},
    {"KeysFromALookup", R"(graph
weight @e : f32[50,32]
func @forward(%0: i32[T]) -> (f32[B,32]) {
  %x = embed %0, @e {scale=1} : f32[T,32]
  %k = embed %0, @e {scale=2} : f32[T,32]
  %a = attention %x, %k, %x {heads=1, kv_heads=1, head_dim=32, window=0} : f32[T,32]
  %p = mean_pool %a : f32[B,32]
  return %p
}
)",
     kToLayouts,
     "attention's keys come from kernel @embed.2, expected a row-wise kernel or the epilogue of a linear"},
    {"KeysFromAttention", R"(graph
weight @e : f32[50,32]
weight @g : f32[32]
func @forward(%0: i32[T]) -> (f32[B,32]) {
  %x = embed %0, @e {scale=1} : f32[T,32]
  %y = rms_norm %x, @g {eps=1e-06} : f32[T,32]
  %a = attention %x, %y, %x {heads=1, kv_heads=1, head_dim=32, window=0} : f32[T,32]
  %b = attention %x, %a, %x {heads=1, kv_heads=1, head_dim=32, window=2} : f32[T,32]
  %p = mean_pool %b : f32[B,32]
  return %p
}
)",
     kToLayouts,
     "attention's keys come from kernel @attention.global, expected a row-wise kernel or the epilogue of a "
     "linear"},
    {"KeysFromThePrologueOfALinear", R"(graph
weight @e : f32[50,32]
weight @g : f32[32]
weight @w : f32[32,32]
func @forward(%0: i32[T]) -> (f32[B,32]) {
  %x = embed %0, @e {scale=1} : f32[T,32]
  %k = rms_norm %x, @g {eps=1e-06} : f32[T,32]
  %q = linear %k, @w : f32[T,32]
  %a = attention %q, %k, %x {heads=1, kv_heads=1, head_dim=32, window=0} : f32[T,32]
  %p = mean_pool %a : f32[B,32]
  return %p
}
)",
     kToLayouts,
     "attention's keys come from kernel @w, expected a row-wise kernel or the epilogue of a linear"},
    {"KeysNotAlignedToUnits", R"(graph
weight @e : f32[50,32]
weight @a : f32[48,32]
weight @k : f32[32,32]
weight @b : f32[32,48]
func @forward(%0: i32[T]) -> (f32[B,32]) {
  %x = embed %0, @e {scale=1} : f32[T,32]
  %y = linear %x, @a : f32[T,48]
  %k = linear %x, @k : f32[T,32]
  %q = linear %y, @b : f32[T,32]
  %a = attention %q, %k, %x {heads=1, kv_heads=1, head_dim=32, window=0} : f32[T,32]
  %p = mean_pool %a : f32[B,32]
  return %p
}
)",
     kToLayouts,
     "assign-layouts: kernel @a_k: a slice starts at column 48, expected a multiple of the unit of 32 "
     "columns"},
    {"RopeWithoutATable", R"(graph
weight @e : f32[50,32]
func @forward(%0: i32[T]) -> (f32[B,32]) {
  %x = embed %0, @e {scale=1} : f32[T,32]
  %y = rope %x {theta=100, head_dim=32} : f32[T,32]
  %p = mean_pool %y : f32[B,32]
  return %p
}
)",
     "fuse assign-layouts tile", "tile: kernel @pool: rope has no table; run rope-tables first"},
    {"LinearWithoutALayout", R"(graph
weight @e : f32[50,32]
weight @w : f32[32,32]
func @forward(%0: i32[T]) -> (f32[B,32]) {
  %x = embed %0, @e {scale=1} : f32[T,32]
  %y = linear %x, @w : f32[T,32]
  %p = mean_pool %y : f32[B,32]
  return %p
}
)",
     "fuse tile", "tile: kernel @w: linear has no layout; run assign-layouts first"},
    {"KeysWithoutALayout", R"(graph
weight @e : f32[50,32]
weight @g : f32[32]
func @forward(%0: i32[T]) -> (f32[B,32]) {
  %x = embed %0, @e {scale=1} : f32[T,32]
  %k = rms_norm %x, @g {eps=1e-06} : f32[T,32]
  %a = attention %x, %k, %x {heads=1, kv_heads=1, head_dim=32, window=0} : f32[T,32]
  %p = mean_pool %a : f32[B,32]
  return %p
}
)",
     "fuse tile",
     "tile: kernel @attention.global: attention reads keys that are not in panels; run assign-layouts first"},
    {"IntegerWeightsWithFloatActivations", R"(graph
weight @e : q8_0[50,32]
weight @w : q8_0[32,32]
func @forward(%0: i32[T]) -> (f32[B,32]) {
  %x = embed %0, @e {scale=1} : f32[T,32]
  %y = linear %x, @w : f32[T,32]
  %p = mean_pool %y : f32[B,32]
  return %p
}
)",
     "fuse assign-layouts",
     "assign-layouts: kernel @w: a linear cannot multiply f32 activations by q8_0 weights"},
};

class GraphRefusalTest : public testing::TestWithParam<Refusal> {};

TEST_P(GraphRefusalTest, NamesWhatThePassCannotHandle) { ExpectRefusal(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Modules, GraphRefusalTest, testing::ValuesIn(kGraphRefusals), RefusalName);

}  // namespace
}  // namespace ggufc::passes
