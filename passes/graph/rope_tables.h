// rope-tables: replaces rope by rope_table, which reads cosines and sines from a weight computed at compile time. There
// is one table per (theta, head_dim), with a row per position of the context. Cost: linear in ops.
#pragma once

#include "passes/pass.h"

namespace ggufc::passes {

Result<bool> RopeTables(ir::Module& module, const PassContext& context);

}  // namespace ggufc::passes
