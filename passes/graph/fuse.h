// fuse: cuts the graph into kernels, each around one anchor (embed, linear, attention, mean_pool). Row-wise work before
// an anchor is its prologue, column-local work behind a linear its epilogue. Kernels with equal bodies are shared: 24
// layers need as many kernels as they have distinct shapes.
#pragma once

#include "passes/pass.h"

namespace ggufc::passes {

Result<bool> Fuse(ir::Module& module, const PassContext& context);

}  // namespace ggufc::passes
