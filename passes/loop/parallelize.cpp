#include "passes/loop/parallelize.h"

namespace ggufc::passes {

Result<bool> Parallelize(ir::Module& module, const PassContext& context) {
  bool changed = false;
  for (ir::Function& function : module.functions) {
    if (function.kind != ir::Function::Kind::kKernel || function.domain.row_grain != 0) continue;
    function.domain.row_grain = function.domain.rows == ir::Symbol::kQ ? 1 : context.target.row_block;
    function.domain.col_grain = 1;
    changed = true;
  }
  return changed;
}

}  // namespace ggufc::passes
