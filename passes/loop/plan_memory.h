// plan-memory: gives every buffer of `forward` an arena offset, reusing memory whose values are dead, and every scratch
// its offset in the scratch memory of a thread.
#pragma once

#include "passes/pass.h"

namespace ggufc::passes {

Result<bool> PlanMemory(ir::Module& module, const PassContext& context);

}  // namespace ggufc::passes
