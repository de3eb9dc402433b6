// simplify: constant folding of index arithmetic, common subexpressions within a region and its ancestors, dead code.
#pragma once

#include "passes/pass.h"

namespace ggufc::passes {

Result<bool> Simplify(ir::Module& module, const PassContext& context);

}  // namespace ggufc::passes
