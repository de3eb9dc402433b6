#include "passes/pipeline.h"

#include <chrono>

#include "ir/verify/verifier.h"
#include "passes/graph/fold_scales.h"
#include "passes/graph/fuse.h"
#include "passes/graph/merge_linears.h"
#include "passes/graph/quantize_activations.h"
#include "passes/graph/rope_tables.h"
#include "passes/kernel/assign_layouts.h"
#include "passes/loop/parallelize.h"
#include "passes/loop/plan_memory.h"
#include "passes/loop/simplify.h"
#include "passes/lower/tile.h"

namespace ggufc::passes {
namespace {

constexpr PassInfo kPasses[] = {
#define PASS(function, name, stage, summary) {name, ir::Stage::stage, function, summary},
#include "passes/passes.def"
};

}  // namespace

std::span<const PassInfo> AllPasses() { return kPasses; }

const PassInfo* FindPass(std::string_view name) {
  for (const PassInfo& pass : kPasses) {
    if (name == pass.name) return &pass;
  }
  return nullptr;
}

Result<bool> RunPass(const PassInfo& pass, ir::Module& module, const PassContext& context) {
  if (module.stage != pass.stage) {
    return Err("{}: takes a module at the {} stage, this one is at the {} stage", pass.name,
               ir::Name(pass.stage), ir::Name(module.stage));
  }
  ASSIGN_OR_RETURN(const bool changed, WithContext(pass.name, pass.run(module, context)));
  if (Status status = ir::Verify(module); !status) {
    return Err("{}: left a malformed module: {}", pass.name, status.error().message);
  }
  return changed;
}

namespace {

// Runs the pass whose function is `function` and reports it to the observer.
Status RunAndReport(PassFn function, ir::Module& module, const PassContext& context,
                    const PassObserver& observer) {
  const PassInfo* pass = nullptr;
  for (const PassInfo& candidate : kPasses) {
    if (candidate.run == function) pass = &candidate;
  }
  const auto start = std::chrono::steady_clock::now();
  ASSIGN_OR_RETURN(const bool changed, RunPass(*pass, module, context));
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  return observer ? observer({pass, elapsed.count(), changed}, module) : Status();
}

}  // namespace

Status RunGraphPasses(ir::Module& module, const PassContext& context, const PassObserver& observer) {
  const auto run = [&](PassFn function) { return RunAndReport(function, module, context, observer); };
  RETURN_IF_ERROR(run(FoldScales));
  RETURN_IF_ERROR(run(MergeLinears));
  RETURN_IF_ERROR(run(QuantizeActivations));
  RETURN_IF_ERROR(run(RopeTables));
  return {};
}

Status RunLoweringPasses(ir::Module& module, const PassContext& context, const PassObserver& observer) {
  const auto run = [&](PassFn function) { return RunAndReport(function, module, context, observer); };
  RETURN_IF_ERROR(run(Fuse));
  // kernel
  RETURN_IF_ERROR(run(AssignLayouts));
  RETURN_IF_ERROR(run(Tile));
  // loop
  RETURN_IF_ERROR(run(Parallelize));
  RETURN_IF_ERROR(run(PlanMemory));
  RETURN_IF_ERROR(run(Simplify));
  return {};
}

Status RunPipeline(ir::Module& module, const PassContext& context, const PassObserver& observer) {
  RETURN_IF_ERROR(RunGraphPasses(module, context, observer));
  return RunLoweringPasses(module, context, observer);
}

}  // namespace ggufc::passes
