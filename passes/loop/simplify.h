// simplify: folds index arithmetic on constants, merges common subexpressions within a region and its ancestors, and
// removes dead ops. Cost: n log n in ops.
#pragma once

#include "passes/pass.h"

namespace ggufc::passes {

Result<bool> Simplify(ir::Module& module, const PassContext& context);

}  // namespace ggufc::passes
