// Hand-written kernels that assign-layouts and tile refuse. Each module is a whole IR text but for its first word, and
// also runs through ggufc-opt.
#include "refusal.h"

namespace ggufc::passes {
namespace {

constexpr Refusal kKernelRefusals[] = {
    {"EpilogueAfterMeanPool", R"(kernel
weight @e : f32[50,32]
func @forward(%0: i32[T]) -> (f32[B,32]) {
  %x = call @embed(%0, @e) : f32[T,32]
  %y = call @pool(%x) : f32[B,32]
  return %y
}
kernel @embed(%0: i32[T], %1: f32[50,32]) -> (f32[T,32]) rows(T) cols(1) {
  %2 = embed %0, %1 {scale=1} : f32[T,32]
  return %2
}
kernel @pool(%0: f32[T,32]) -> (f32[B,32]) rows(B) cols(1) {
  %1 = mean_pool %0 : f32[B,32]
  %2 = gelu %1 : f32[B,32]
  return %2
}
)",
     "tile", "tile: kernel @pool: mean_pool takes no epilogue"},
    {"KernelWithTwoAnchors", R"(kernel
weight @e : f32[50,32]
func @forward(%0: i32[T]) -> (f32[B,32]) {
  %y = call @both(%0, @e) : f32[B,32]
  return %y
}
kernel @both(%0: i32[T], %1: f32[50,32]) -> (f32[B,32]) rows(B) cols(1) {
  %2 = embed %0, %1 {scale=1} : f32[T,32]
  %3 = mean_pool %2 : f32[B,32]
  return %3
}
)",
     "tile", "tile: kernel @both has two anchors"},
    {"KernelWithoutResults", R"(kernel
weight @e : f32[50,32]
func @forward(%0: i32[T]) -> (f32[B,32]) {
  %x = call @embed(%0, @e) : f32[T,32]
  call @idle(%x)
  %y = call @pool(%x) : f32[B,32]
  return %y
}
kernel @embed(%0: i32[T], %1: f32[50,32]) -> (f32[T,32]) rows(T) cols(1) {
  %2 = embed %0, %1 {scale=1} : f32[T,32]
  return %2
}
kernel @idle(%0: f32[T,32]) rows(B) cols(1) {
  %1 = mean_pool %0 : f32[B,32]
  return
}
kernel @pool(%0: f32[T,32]) -> (f32[B,32]) rows(B) cols(1) {
  %1 = mean_pool %0 : f32[B,32]
  return %1
}
)",
     "tile", "tile: kernel @idle returns no value"},
    {"MeanPoolThatIsNotReturned", R"(kernel
weight @e : f32[50,32]
func @forward(%0: i32[T]) -> (f32[B,32]) {
  %x = call @embed(%0, @e) : f32[T,32]
  %p = call @pool(%x) : f32[B,32]
  %y = call @other(%x, %p) : f32[B,32]
  return %y
}
kernel @embed(%0: i32[T], %1: f32[50,32]) -> (f32[T,32]) rows(T) cols(1) {
  %2 = embed %0, %1 {scale=1} : f32[T,32]
  return %2
}
kernel @pool(%0: f32[T,32]) -> (f32[B,32]) rows(B) cols(1) {
  %1 = mean_pool %0 : f32[B,32]
  return %1
}
kernel @other(%0: f32[T,32], %1: f32[B,32]) -> (f32[B,32]) rows(B) cols(1) {
  %2 = gelu %1 : f32[B,32]
  %3 = mean_pool %0 : f32[B,32]
  return %2
}
)",
     "tile", "tile: kernel @other: mean_pool is not returned"},
    {"ResultThatIsAParameter", R"(kernel
weight @e : f32[50,32]
func @forward(%0: i32[T]) -> (f32[B,32]) {
  %x = call @embed(%0, @e) : f32[T,32]
  %z = call @same(%x) : f32[T,32]
  %y = call @pool(%z) : f32[B,32]
  return %y
}
kernel @embed(%0: i32[T], %1: f32[50,32]) -> (f32[T,32]) rows(T) cols(1) {
  %2 = embed %0, %1 {scale=1} : f32[T,32]
  return %2
}
kernel @same(%0: f32[T,32]) -> (f32[T,32]) rows(T) cols(1) {
  return %0
}
kernel @pool(%0: f32[T,32]) -> (f32[B,32]) rows(B) cols(1) {
  %1 = mean_pool %0 : f32[B,32]
  return %1
}
)",
     "tile", "tile: kernel @same returns a parameter, or returns a value twice"},
    {"ModelResultReadByAKernel", R"(kernel
weight @e : f32[50,20]
func @forward(%0: i32[T]) -> (f32[B,20]) {
  %x = call @embed(%0, @e) : f32[T,20]
  %p = call @pool(%x) : f32[B,20]
  %y = call @finish(%p) : f32[B,20]
  return %p
}
kernel @embed(%0: i32[T], %1: f32[50,20]) -> (f32[T,20]) rows(T) cols(1) {
  %2 = embed %0, %1 {scale=1} : f32[T,20]
  return %2
}
kernel @pool(%0: f32[T,20]) -> (f32[B,20]) rows(B) cols(1) {
  %1 = mean_pool %0 : f32[B,20]
  return %1
}
kernel @finish(%0: f32[B,20]) -> (f32[B,20]) rows(B) cols(1) {
  %1 = gelu %0 : f32[B,20]
  return %1
}
)",
     "assign-layouts tile", "tile: kernel @finish reads the result of @forward"},
    {"ModelResultThatIsNotTheLastOfItsKernel", R"(kernel
weight @e : f32[50,20]
func @forward(%0: i32[T]) -> (f32[B,20]) {
  %x = call @embed(%0, @e) : f32[T,20]
  %p = call @pool(%x) : f32[B,20]
  %y, %z = call @finish(%p) : f32[B,20], f32[B,20]
  return %y
}
kernel @embed(%0: i32[T], %1: f32[50,20]) -> (f32[T,20]) rows(T) cols(1) {
  %2 = embed %0, %1 {scale=1} : f32[T,20]
  return %2
}
kernel @pool(%0: f32[T,20]) -> (f32[B,20]) rows(B) cols(1) {
  %1 = mean_pool %0 : f32[B,20]
  return %1
}
kernel @finish(%0: f32[B,20]) -> (f32[B,20], f32[B,20]) rows(B) cols(1) {
  %1 = gelu %0 : f32[B,20]
  %2 = gelu %1 : f32[B,20]
  return %1, %2
}
)",
     "assign-layouts tile", "tile: kernel @finish: the result of @forward must be its last result"},
    {"EpilogueThatReadsAParameter", R"(kernel
weight @e : f32[16,64]
weight @w : f32[64,64]
func @forward(%ids: i32[T]) -> (f32[B,64]) {
  %x = call @embed(%ids, @e) : f32[T,64]
  %y = call @lin(%x, @w) : f32[T,64]
  %p = call @pool(%y) : f32[B,64]
  return %p
}
kernel @embed(%ids: i32[T], %t: f32[16,64]) -> (f32[T,64]) rows(T) cols(1) {
  %x = embed %ids, %t {scale=1} : f32[T,64]
  return %x
}
kernel @lin(%x: f32[T,64], %w: f32[64,64]) -> (f32[T,64]) rows(T) cols(1) {
  %l = linear %x, %w : f32[T,64]
  %s = add %l, %x : f32[T,64]
  return %s
}
kernel @pool(%x: f32[T,64]) -> (f32[B,64]) rows(B) cols(1) {
  %p = mean_pool %x : f32[B,64]
  return %p
}
)",
     "assign-layouts",
     "assign-layouts: kernel @lin: add in the epilogue reads a value that is not derived from the linear"},
    {"EpilogueThatDoesNotReadTheLinear", R"(kernel
weight @e : f32[16,64]
weight @w : f32[64,64]
func @forward(%ids: i32[T]) -> (f32[B,64]) {
  %x = call @embed(%ids, @e) : f32[T,64]
  %y2, %y = call @lin(%x, @w) : f32[T,64], f32[T,64]
  %p = call @pool(%y) : f32[B,64]
  return %p
}
kernel @embed(%ids: i32[T], %t: f32[16,64]) -> (f32[T,64]) rows(T) cols(1) {
  %x = embed %ids, %t {scale=1} : f32[T,64]
  return %x
}
kernel @lin(%x: f32[T,64], %w: f32[64,64]) -> (f32[T,64], f32[T,64]) rows(T) cols(1) {
  %l = linear %x, %w : f32[T,64]
  %s = gelu %x : f32[T,64]
  return %l, %s
}
kernel @pool(%x: f32[T,64]) -> (f32[B,64]) rows(B) cols(1) {
  %p = mean_pool %x : f32[B,64]
  return %p
}
)",
     "tile", "tile: kernel @lin: gelu in the epilogue reads a value that is not derived from the linear"},
    {"EpilogueThatReadsThePrologue", R"(kernel
weight @e : f32[16,64]
weight @w : f32[64,64]
func @forward(%ids: i32[T]) -> (f32[B,64]) {
  %x = call @embed(%ids, @e) : f32[T,64]
  %y = call @lin(%x, @w) : f32[T,64]
  %p = call @pool(%y) : f32[B,64]
  return %p
}
kernel @embed(%ids: i32[T], %t: f32[16,64]) -> (f32[T,64]) rows(T) cols(1) {
  %x = embed %ids, %t {scale=1} : f32[T,64]
  return %x
}
kernel @lin(%x: f32[T,64], %w: f32[64,64]) -> (f32[T,64]) rows(T) cols(1) {
  %g = gelu %x : f32[T,64]
  %l = linear %g, %w : f32[T,64]
  %s = add %l, %g : f32[T,64]
  return %s
}
kernel @pool(%x: f32[T,64]) -> (f32[B,64]) rows(B) cols(1) {
  %p = mean_pool %x : f32[B,64]
  return %p
}
)",
     "assign-layouts",
     "assign-layouts: kernel @lin: add in the epilogue reads a value that is not derived from the linear"},
    {"SliceOfASlice", R"(kernel
weight @e : f32[16,64]
weight @w : f32[64,64]
func @forward(%ids: i32[T]) -> (f32[B,32]) {
  %x = call @embed(%ids, @e) : f32[T,64]
  %y = call @lin(%x, @w) : f32[T,32]
  %p = call @pool(%y) : f32[B,32]
  return %p
}
kernel @embed(%ids: i32[T], %t: f32[16,64]) -> (f32[T,64]) rows(T) cols(1) {
  %x = embed %ids, %t {scale=1} : f32[T,64]
  return %x
}
kernel @lin(%x: f32[T,64], %w: f32[64,64]) -> (f32[T,32]) rows(T) cols(1) {
  %l = linear %x, %w : f32[T,64]
  %s1 = slice %l {offset=16, size=48} : f32[T,48]
  %s2 = slice %s1 {offset=16, size=32} : f32[T,32]
  %s = slice %s2 {offset=0, size=32} : f32[T,32]
  return %s
}
kernel @pool(%x: f32[T,32]) -> (f32[B,32]) rows(B) cols(1) {
  %p = mean_pool %x : f32[B,32]
  return %p
}
)",
     "assign-layouts", "assign-layouts: kernel @lin: slice in the epilogue must read the linear's result"},
    {"PanelsReadAsRows", R"(kernel
weight @e : f32[16,64]
func @forward(%ids: i32[T]) -> (f32[B,64]) {
  %x = call @embed(%ids, @e) : f32[T,64]
  %y = call @g(%x) : f32[T,64]
  %p = call @pool(%y) : f32[B,64]
  return %p
}
kernel @embed(%ids: i32[T], %t: f32[16,64]) -> (f32[T,64]) rows(T) cols(1) {
  %x = embed %ids, %t {scale=1} : f32[T,64]
  return %x
}
kernel @g(%x: f32[T,64]) -> (f32[T,64]) rows(T) cols(1) {
  %s = key_panels %x {head_dim=64} : f32[T,64]
  return %s
}
kernel @pool(%x: f32[T,64]) -> (f32[B,64]) rows(B) cols(1) {
  %p = mean_pool %x : f32[B,64]
  return %p
}
)",
     "assign-layouts",
     "assign-layouts: kernel @pool: mean_pool cannot read its operand 0, key_panels of another layout"},
    {"OpOnTwoPartsOfALinear", R"(kernel
weight @e : f32[16,64]
weight @w : f32[64,64]
func @forward(%ids: i32[T]) -> (f32[B,32]) {
  %x = call @embed(%ids, @e) : f32[T,64]
  %y = call @lin(%x, @w) : f32[T,32]
  %p = call @pool(%y) : f32[B,32]
  return %p
}
kernel @embed(%ids: i32[T], %t: f32[16,64]) -> (f32[T,64]) rows(T) cols(1) {
  %x = embed %ids, %t {scale=1} : f32[T,64]
  return %x
}
kernel @lin(%x: f32[T,64], %w: f32[64,64]) -> (f32[T,32]) rows(T) cols(1) {
  %l = linear %x, %w : f32[T,64]
  %s1 = slice %l {offset=0, size=32} : f32[T,32]
  %s2 = slice %l {offset=32, size=32} : f32[T,32]
  %s = add %s1, %s2 : f32[T,32]
  return %s
}
kernel @pool(%x: f32[T,32]) -> (f32[B,32]) rows(B) cols(1) {
  %p = mean_pool %x : f32[B,32]
  return %p
}
)",
     "assign-layouts", "assign-layouts: kernel @lin: add reads two parts of the linear's columns"},
    {"DeinterleavesOfTwoShapes", R"(kernel
weight @e : f32[16,64]
weight @w : f32[64,64]
func @forward(%ids: i32[T]) -> (f32[B,32]) {
  %x = call @embed(%ids, @e) : f32[T,64]
  %y = call @lin(%x, @w) : f32[T,32]
  %p = call @pool(%y) : f32[B,32]
  return %p
}
kernel @embed(%ids: i32[T], %t: f32[16,64]) -> (f32[T,64]) rows(T) cols(1) {
  %x = embed %ids, %t {scale=1} : f32[T,64]
  return %x
}
kernel @lin(%x: f32[T,64], %w: f32[64,64]) -> (f32[T,32]) rows(T) cols(1) {
  %l = linear %x, %w : f32[T,64]
  %s1 = deinterleave %l {size=32, way=0, ways=2, granule=32} : f32[T,32]
  %s2 = deinterleave %l {size=32, way=1, ways=2, granule=16} : f32[T,32]
  %s = add %s1, %s2 : f32[T,32]
  return %s
}
kernel @pool(%x: f32[T,32]) -> (f32[B,32]) rows(B) cols(1) {
  %p = mean_pool %x : f32[B,32]
  return %p
}
)",
     "assign-layouts", "assign-layouts: kernel @lin: deinterleaves differ in size, ways or granule"},
    {"RowsReadAsPanels", R"(kernel

weight @e : f32[16,64]
weight @w : f32[96,64] {pack=1, unit=32}

func @forward(%ids0: i32[T]) -> (f32[B,32]) {
  %1 = call @embed(%ids0, @e) : f32[T,64]
  %2, %3, %4 = call @w(%1, @w) : f32[T,32], f32[T,32], f32[T,32]
  %5 = call @attention.global(%2, %3, %4) : f32[T,32]
  %6 = call @pool(%5) : f32[B,32]
  return %6
}

kernel @embed(%0: i32[T], %1: f32[16,64]) -> (f32[T,64]) rows(T) cols(1) {
  %2 = embed %0, %1 {scale=1} : f32[T,64]
  return %2
}

kernel @w(%0: f32[T,64], %1: f32[96,64]) -> (f32[T,32], f32[T,32], f32[T,32]) rows(T) cols(3) {
  %2 = linear %0, %1 {pack=1, unit=32} : f32[T,96]
  %3 = slice %2 {offset=0, size=32} : f32[T,32]
  %4 = slice %2 {offset=32, size=32} : f32[T,32]
  %5 = slice %2 {offset=64, size=32} : f32[T,32]
  return %3, %4, %5
}

kernel @attention.global(%0: f32[T,32], %1: f32[T,32], %2: f32[T,32]) -> (f32[T,32]) rows(Q) cols(1) {
  %3 = attention %0, %1, %2 {heads=1, kv_heads=1, head_dim=32, window=0, layout=1} : f32[T,32]
  return %3
}

kernel @pool(%0: f32[T,32]) -> (f32[B,32]) rows(B) cols(1) {
  %1 = mean_pool %0 : f32[B,32]
  return %1
}
)",
     "tile", "tile: kernel @attention.global: attention expects key_panels, its operand 1 is rows"},
};

class KernelRefusalTest : public testing::TestWithParam<Refusal> {};

TEST_P(KernelRefusalTest, NamesWhatThePassCannotHandle) { ExpectRefusal(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Modules, KernelRefusalTest, testing::ValuesIn(kKernelRefusals), RefusalName);

}  // namespace
}  // namespace ggufc::passes
