// tile: lowers kernels from tensor ops to loops, and the module to the loop stage. Rows go in blocks that share a pass
// over the weights, columns in units that an epilogue can finish, both down to register tiles with one micro-kernel for
// each height. Memory is still symbolic: buffers and scratch get their offsets in plan-memory.
#pragma once

#include "passes/pass.h"

namespace ggufc::passes {

Result<bool> Tile(ir::Module& module, const PassContext& context);

}  // namespace ggufc::passes
