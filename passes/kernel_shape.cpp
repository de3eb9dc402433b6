#include "passes/kernel_shape.h"

#include <algorithm>

namespace ggufc::passes {

using ir::Attr;
using ir::OpKind;

KernelShape ShapeOf(const ir::Function& kernel) {
  KernelShape shape;
  for (const ir::OpId id : kernel.block(kernel.body).ops) {
    switch (kernel.op(id).kind) {
      case OpKind::kReturn:
        break;
      case OpKind::kEmbed:
      case OpKind::kLinear:
      case OpKind::kAttention:
      case OpKind::kMeanPool:
        shape.anchor = id;
        break;
      default:
        (shape.anchor.valid() ? shape.epilogue : shape.prologue).push_back(id);
    }
  }
  return shape;
}

int64_t UnitColumns(const ir::Function& kernel, const KernelShape& shape) {
  int64_t unit = kPanelColumns;
  for (const ir::OpId id : shape.epilogue) {
    const ir::Op& op = kernel.op(id);
    const int64_t group = op.kind == OpKind::kRmsNorm ? op.Int(Attr::kGroup) : 0;
    if (group > 0 && kPanelColumns % group != 0) unit = group;
    if (op.kind == OpKind::kRopeTable || IsPanels(op)) unit = op.Int(Attr::kHeadDim);
    if (op.kind == OpKind::kDeinterleave) return op.Int(Attr::kWays) * op.Int(Attr::kGranule);
    if (op.kind == OpKind::kQuantize) unit = std::max(unit, ir::kQuantBlock);
  }
  return unit;
}

std::vector<ValueUses> UsesOf(const ir::Function& kernel) {
  std::vector<ValueUses> uses(kernel.values.size());
  for (const ir::OpId id : kernel.block(kernel.body).ops) {
    const ir::Op& op = kernel.op(id);
    for (const ir::ValueId operand : op.operands) {
      if (op.kind == OpKind::kReturn) {
        uses[operand.index].returned = true;
      } else {
        ++uses[operand.index].reads;
      }
    }
  }
  return uses;
}

}  // namespace ggufc::passes
