// The list of passes as a whole: its order, what it says it changed, and what it refuses.
//
// Most of it is the table of refused IR texts, each whole, so that it can be read and run through ggufc-opt as it stands.
#include "passes/pipeline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "ir/text/parser.h"
#include "ir/text/printer.h"
#include "ir/verify/verifier.h"
#include "model_text.h"

namespace ggufc::passes {
namespace {

using testing::HasSubstr;

PassContext SmallContext() {
  PassContext context;
  context.context_length = 32;
  return context;
}

// The model before the first pass of each stage.
std::map<ir::Stage, ir::Module> ModelAtEachStage() {
  ir::Module module = BuildModel({});
  std::map<ir::Stage, ir::Module> modules{{module.stage, module}};
  const Status status =
      RunPipeline(module, SmallContext(), [&](const PassReport&, const ir::Module& now) -> Status {
        modules.try_emplace(now.stage, now);
        return {};
      });
  EXPECT_TRUE(status.has_value()) << status.error().message;
  return modules;
}

TEST(PipelineTest, RunsAllPassesInTheirOrder) {
  ir::Module module = BuildModel({});
  std::vector<std::string> ran;
  const Status status =
      RunPipeline(module, SmallContext(), [&](const PassReport& report, const ir::Module& now) -> Status {
        ran.push_back(report.pass->name);
        EXPECT_TRUE(report.changed) << report.pass->name;
        EXPECT_GE(report.seconds, 0);
        EXPECT_TRUE(ir::Verify(now).has_value());
        return {};
      });
  ASSERT_TRUE(status.has_value()) << status.error().message;
  std::vector<std::string> listed;
  for (const PassInfo& pass : AllPasses()) {
    listed.push_back(pass.name);
    EXPECT_EQ(FindPass(pass.name), &pass);
  }
  EXPECT_EQ(ran, listed);
  EXPECT_EQ(module.stage, ir::Stage::kLoop);
  EXPECT_EQ(FindPass("fold"), nullptr);
}

TEST(PipelineTest, AnObserverCanStopIt) {
  ir::Module module = BuildModel({});
  const Status status =
      RunPipeline(module, SmallContext(), [](const PassReport& report, const ir::Module&) -> Status {
        if (std::string_view(report.pass->name) == "fuse") return Err("enough");
        return {};
      });
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().message, "enough");
  EXPECT_EQ(module.stage, ir::Stage::kKernel);
}

TEST(PipelineTest, APassRefusesOtherStages) {
  const std::map<ir::Stage, ir::Module> modules = ModelAtEachStage();
  ASSERT_EQ(modules.size(), 3u);
  for (const PassInfo& pass : AllPasses()) {
    for (const auto& [stage, module] : modules) {
      if (stage == pass.stage) continue;
      ir::Module copy = module;
      const Result<bool> result = RunPass(pass, copy, SmallContext());
      ASSERT_FALSE(result.has_value()) << pass.name << " at " << ir::Name(stage);
      EXPECT_EQ(result.error().message,
                fmt::format("{}: takes a module at the {} stage, this one is at the {} stage", pass.name,
                            ir::Name(pass.stage), ir::Name(stage)));
      EXPECT_EQ(ir::Print(copy), ir::Print(module));
    }
  }
}

TEST(PipelineTest, ASecondRunChangesNothing) {
  ir::Module module = BuildModel({.layers = 2, .dense = 96});
  for (const PassInfo& pass : AllPasses()) {
    SCOPED_TRACE(pass.name);
    const Result<bool> first = RunPass(pass, module, SmallContext());
    ASSERT_TRUE(first.has_value()) << first.error().message;
    if (module.stage != pass.stage) continue;
    const std::string text = ir::Print(module);
    const Result<bool> second = RunPass(pass, module, SmallContext());
    ASSERT_TRUE(second.has_value()) << second.error().message;
    EXPECT_FALSE(*second);
    EXPECT_EQ(ir::Print(module), text);
  }
}

// ---- what passes refuse ------------------------------------------------------------------------------------------

struct Refusal {
  const char* name;
  const char* text;    // a module without its first line
  const char* passes;  // blanks between them; the last one refuses
  const char* message;
};

constexpr const char* kToLayouts = "merge-linears quantize-activations rope-tables fuse assign-layouts";

constexpr Refusal kRefusals[] = {
    {"AWeightInTwoLayouts", R"(graph
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
     kToLayouts, "assign-layouts: weight @w is read in two layouts"},
    {"ATableThatIsAMatrixToo", R"(graph
weight @e : f32[64,64]
func @forward(%0: i32[T]) -> (f32[B,64]) {
  %x = embed %0, @e {scale=1} : f32[T,64]
  %y = linear %x, @e : f32[T,64]
  %p = mean_pool %y : f32[B,64]
  return %p
}
)",
     kToLayouts, "assign-layouts: weight @e is read packed by a linear and as it is by kernel @embed"},
    {"KeysThatAreValues", R"(graph
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
     kToLayouts, "assign-layouts: attention's keys, result 0 of kernel @k, are read in another way too"},
    {"KeysThatAnotherKernelReads", R"(graph
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
     kToLayouts, "assign-layouts: attention's keys, result 0 of kernel @k, are read in another way too"},
    {"KeysOfOneLayerOnly", R"(graph
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
     "assign-layouts: result 0 of kernel @k1 is attention's keys in one call and something else in another"},
    {"KeysOutOfALookup", R"(graph
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
     "attention's keys come from kernel @embed.2, which is neither row-wise nor makes them from a linear"},
    {"KeysOutOfAttention", R"(graph
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
     "attention's keys come from kernel @attention.global, which is neither row-wise nor makes them from a "
     "linear"},
    {"KeysOutOfALinearsPrologue", R"(graph
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
     "attention's keys come from kernel @w, which is neither row-wise nor makes them from a linear"},
    {"KeysOffTheGridOfHeads", R"(graph
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
     kToLayouts, "assign-layouts: kernel @a_k: a slice from column 48 on cuts a unit of 32 columns"},
    {"RopeWithoutATable", R"(graph
weight @e : f32[50,32]
func @forward(%0: i32[T]) -> (f32[B,32]) {
  %x = embed %0, @e {scale=1} : f32[T,32]
  %y = rope %x {theta=100, head_dim=32} : f32[T,32]
  %p = mean_pool %y : f32[B,32]
  return %p
}
)",
     "fuse assign-layouts tile", "tile: kernel @pool: rope without a table (rope-tables gives it one)"},
    {"ALinearWithoutALayout", R"(graph
weight @e : f32[50,32]
weight @w : f32[32,32]
func @forward(%0: i32[T]) -> (f32[B,32]) {
  %x = embed %0, @e {scale=1} : f32[T,32]
  %y = linear %x, @w : f32[T,32]
  %p = mean_pool %y : f32[B,32]
  return %p
}
)",
     "fuse tile", "tile: kernel @w: its linear has no layout"},
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
     "tile: kernel @attention.global: its keys are not in panels (assign-layouts lays them out)"},
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
     "fuse assign-layouts", "assign-layouts: kernel @w: a linear takes f32 activations with q8_0 weights"},
    {"AnEpilogueBehindAPool", R"(kernel
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
    {"TwoAnchorsInAKernel", R"(kernel
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
    {"AKernelWithoutResults", R"(kernel
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
     "tile", "tile: kernel @idle returns nothing"},
    {"APoolThatIsNotReturned", R"(kernel
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
    {"AResultThatIsAParameter", R"(kernel
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
     "tile", "tile: kernel @same: a result is a parameter, or is returned twice"},
    {"AResultThatIsReadToo", R"(kernel
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
    {"AResultThatIsNotTheLast", R"(kernel
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
     "assign-layouts tile", "tile: kernel @finish: the result of @forward is not its last"},
    {"AnEpilogueOfAParameter", R"(kernel
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
     "assign-layouts", "assign-layouts: kernel @lin: add behind the linear reads what does not come from it"},
    {"AnEpilogueBesideTheLinear", R"(kernel
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
     "tile", "tile: kernel @lin: gelu behind the linear reads what does not come from it"},
    {"AnEpilogueOfThePrologue", R"(kernel
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
     "assign-layouts", "assign-layouts: kernel @lin: add behind the linear reads what does not come from it"},
    {"ASliceOfASlice", R"(kernel
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
     "assign-layouts", "assign-layouts: kernel @lin: slice of what is not the linear's own result"},
    {"PanelsThatAreRead", R"(kernel
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
     "assign-layouts", "assign-layouts: kernel @pool: mean_pool cannot read these key_panels"},
    {"TwoPartsInOneOp", R"(kernel
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
     "assign-layouts", "assign-layouts: kernel @lin: deinterleaves of two shapes"},
    {"RowsThatAreReadAsPanels", R"(kernel

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
     "tile", "tile: kernel @attention.global: attention reads rows as key_panels"},
};

class RefusalTest : public testing::TestWithParam<Refusal> {};

TEST_P(RefusalTest, NamesWhatItCannotHandle) {
  const Refusal& refusal = GetParam();
  Result<ir::Module> module = ir::Parse(fmt::format("module @graph stage {}", refusal.text), refusal.name);
  ASSERT_TRUE(module.has_value()) << module.error().message;
  const Status verified = ir::Verify(*module);
  ASSERT_TRUE(verified.has_value()) << verified.error().message;
  std::istringstream names(refusal.passes);
  std::string name;
  std::string last(refusal.passes);
  last = last.substr(last.rfind(' ') + 1);
  while (names >> name) {
    const Result<bool> result = RunPass(*FindPass(name), *module, SmallContext());
    if (name != last) {
      ASSERT_TRUE(result.has_value()) << result.error().message;
      continue;
    }
    ASSERT_FALSE(result.has_value()) << ir::Print(*module);
    EXPECT_THAT(result.error().message, HasSubstr(refusal.message));
  }
}

INSTANTIATE_TEST_SUITE_P(Modules, RefusalTest, testing::ValuesIn(kRefusals),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace ggufc::passes
