// plan-memory: gives every buffer of `forward` an offset in the arena, where buffers whose lifetimes do not overlap
// share memory, and every scratch of a kernel an offset in the scratch memory of a thread. Assumes that `forward` is
// straight-line. Cost: buffers times slots.
#pragma once

#include "passes/pass.h"

namespace ggufc::passes {

Result<bool> PlanMemory(ir::Module& module, const PassContext& context);

}  // namespace ggufc::passes
