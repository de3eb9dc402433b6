// Runs the passes: the whole pipeline, its graph passes, or one pass found by name.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "passes/pass.h"

namespace ggufc::passes {

std::span<const PassInfo> AllPasses();
const PassInfo* FindPass(std::string_view name);  // null if there is none

// Called after every pass of the pipeline, on the verified module.
struct PassReport {
  const PassInfo* pass;
  double seconds;
  bool changed;
};
using PassObserver = std::function<Status(const PassReport&, const ir::Module&)>;

// Runs one pass, then the verifier. The error names the pass.
Result<bool> RunPass(const PassInfo& pass, ir::Module& module, const PassContext& context);

// Runs the passes that change the arithmetic of ops. Later passes decide only where and in which order it is done. The
// module stays at the graph stage.
Status RunGraphPasses(ir::Module& module, const PassContext& context, const PassObserver& observer = {});

// Runs the passes after those, to the loop stage.
Status RunLoweringPasses(ir::Module& module, const PassContext& context, const PassObserver& observer = {});

// Runs all passes: graph stage to loop stage, ready for code generation.
Status RunPipeline(ir::Module& module, const PassContext& context, const PassObserver& observer = {});

}  // namespace ggufc::passes
