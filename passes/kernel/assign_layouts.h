// assign-layouts: gives every linear weight its packed layout (pack, unit; docs/ir.md) for the target and the width of
// the activations, and every attention its keys as panels of 16.
#pragma once

#include "passes/pass.h"

namespace ggufc::passes {

Result<bool> AssignLayouts(ir::Module& module, const PassContext& context);

}  // namespace ggufc::passes
