#include "passes/quantize_activations.h"

#include <map>

#include "passes/rewrite.h"

namespace ggufc::passes {

Result<bool> QuantizeActivations(ir::Module& module, const PassContext& context) {
  ir::Function& function = module.forward();
  bool changed = false;
  std::map<ir::ValueId, ir::ValueId> quantized;
  for (size_t i = 0; i < function.block(function.body).ops.size(); ++i) {
    const ir::OpId id = function.block(function.body).ops[i];
    if (function.op(id).kind != ir::OpKind::kLinear) continue;
    const ir::ValueId x = function.op(id).operands[0];
    if (function.type(function.op(id).operands[1]).scalar != ir::Scalar::kQ8_0 || !function.type(x).IsFloat())
      continue;
    auto [it, fresh] = quantized.try_emplace(x);
    if (fresh) {
      ir::Op op{.kind = ir::OpKind::kQuantize,
                .operands = {x},
                .results = {},
                .attrs = {},
                .regions = {},
                .callee = {}};
      it->second = InsertOp(module, function, function.body, i, std::move(op),
                            function.type(x).With(context.activations));
    }
    function.op(id).operands[0] = it->second;
    changed = true;
  }
  return changed;
}

}  // namespace ggufc::passes
