// fuse: cuts the graph into kernels, each with at most one anchor (embed, linear, attention, mean_pool). Row-wise ops
// before an anchor become its prologue; column-local ops after a linear become its epilogue. Calls whose kernels have
// equal bodies share one kernel, so the number of kernels depends on distinct layer shapes, not on layers. Takes the
// module from the graph stage to the kernel stage. Cost: linear in ops, times the ops of a kernel's epilogue.
#pragma once

#include "passes/pass.h"

namespace ggufc::passes {

Result<bool> Fuse(ir::Module& module, const PassContext& context);

}  // namespace ggufc::passes
