// parallelize: decides the rows and column units of a work item. Rows are a row block of the target, so that an item
// reads each weight panel once; rows that are query tiles go one per item. Columns can be cut at any unit. Any cut
// gives the same bits. Cost: linear in kernels.
#pragma once

#include "passes/pass.h"

namespace ggufc::passes {

Result<bool> Parallelize(ir::Module& module, const PassContext& context);

}  // namespace ggufc::passes
