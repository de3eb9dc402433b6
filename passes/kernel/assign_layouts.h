// assign-layouts: gives every weight of a linear its packed layout (pack, unit; docs/ir.md), which depends on the
// target, the type of the activations and the epilogue. Gives every attention its keys, and with 16-bit dots its
// values, in panels. Assumes kernels as check_kernel.h describes them, and that all readers of a weight or of keys
// agree on one layout; else it fails. Cost: the ops of the kernels, once per call and result.
#pragma once

#include "passes/pass.h"

namespace ggufc::passes {

Result<bool> AssignLayouts(ir::Module& module, const PassContext& context);

}  // namespace ggufc::passes
