// tile: lowers kernels from tensor ops to loops, and the module to the loop stage. Rows are computed in row blocks,
// whose rows share one read of each weight panel; columns in units, which an epilogue can finish. Both are divided into
// register tiles, with one micro-kernel per height. Assumes kernels as check_kernel.h describes them, after rope-tables
// and assign-layouts. Buffers and scratch have sizes but no offsets yet; plan-memory gives them. Cost: linear in ops.
#pragma once

#include "passes/pass.h"

namespace ggufc::passes {

Result<bool> Tile(ir::Module& module, const PassContext& context);

}  // namespace ggufc::passes
