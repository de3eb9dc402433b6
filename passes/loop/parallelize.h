// parallelize: decides how large a work item is: rows of one item (a row block, so that weights are read once for all of
// them) and column units of one item. Any cut gives the same bits.
#pragma once

#include "passes/pass.h"

namespace ggufc::passes {

Result<bool> Parallelize(ir::Module& module, const PassContext& context);

}  // namespace ggufc::passes
