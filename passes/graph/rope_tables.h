// rope-tables: rope reads its cosines and sines from a table over all positions of the context, one table for each
// (theta, head_dim), folded at compile time.
#pragma once

#include "passes/pass.h"

namespace ggufc::passes {

Result<bool> RopeTables(ir::Module& module, const PassContext& context);

}  // namespace ggufc::passes
