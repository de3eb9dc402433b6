#include "passes/graph/quantize_activations.h"

#include <map>

#include "passes/rewrite.h"

namespace ggufc::passes {
namespace {

// Whether `values` are a linear's result, or a slice of it, with one reader. Attention with 16-bit dots needs that: its
// values are stored in panels, which nothing else can read, by the kernel of the linear.
bool IsLinearResultReadOnce(const ir::Function& function, ir::ValueId values) {
  const ir::Op* producer = function.DefiningOp(values);
  if (producer != nullptr && producer->kind == ir::OpKind::kSlice)
    producer = function.DefiningOp(producer->operands[0]);
  int reads = 0;
  for (const ir::OpId id : function.block(function.body).ops) {
    for (const ir::ValueId operand : function.op(id).operands) reads += operand == values ? 1 : 0;
  }
  return producer != nullptr && producer->kind == ir::OpKind::kLinear && reads == 1;
}

}  // namespace

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
  // Attention whose result is quantised anyway: its products are of 16-bit integers too.
  for (const ir::OpId id : function.block(function.body).ops) {
    ir::Op& op = function.op(id);
    if (op.kind != ir::OpKind::kAttention || op.Int(ir::Attr::kHeadDim) % ir::kQuantBlock != 0) continue;
    if (quantized.contains(op.results[0]) && IsLinearResultReadOnce(function, op.operands[2]))
      changed |= SetAttr(op, ir::AttrValue::Int(ir::Attr::kDots, 16));
  }
  return changed;
}

}  // namespace ggufc::passes
