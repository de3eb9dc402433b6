#include "passes/kernel/kernel_shape.h"

#include <numeric>

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

namespace {

// Columns of its operands that the op needs together.
int64_t ColumnsTogether(const ir::Function& kernel, const ir::Op& op) {
  switch (op.kind) {
    case OpKind::kRmsNorm:
      if (op.Int(Attr::kGroup) > 0) return op.Int(Attr::kGroup);
      return kernel.type(op.results[0]).columns();
    case OpKind::kL2Normalize:
      return kernel.type(op.results[0]).columns();
    case OpKind::kRopeTable:
    case OpKind::kKeyPanels:
    case OpKind::kValuePanels:
      return op.Int(Attr::kHeadDim);
    case OpKind::kQuantize:
      return ir::kQuantBlock;
    default:
      return 1;
  }
}

}  // namespace

int64_t UnitColumns(const ir::Function& kernel, const KernelShape& shape) {
  constexpr int64_t kMaxColumns = int64_t{1} << 31;  // no tensor has more columns
  int64_t unit = 1;
  for (const ir::OpId id : shape.epilogue) {
    const ir::Op& op = kernel.op(id);
    if (op.kind == OpKind::kDeinterleave) return op.Int(Attr::kWays) * op.Int(Attr::kGranule);
    const int64_t together = ColumnsTogether(kernel, op);
    // A group size that divides 16 never straddles a panel.
    const int64_t common = std::lcm(unit, kPanelColumns % together == 0 ? kPanelColumns : together);
    if (common <= kMaxColumns) unit = common;
  }
  return unit == 1 ? kPanelColumns : unit;
}

Status CheckUnit(const ir::Function& kernel, const KernelShape& shape, int64_t unit) {
  int64_t width = unit;  // columns of a unit that an op works on
  for (const ir::OpId id : shape.epilogue) {
    const ir::Op& op = kernel.op(id);
    if (op.kind == OpKind::kSlice && op.Int(Attr::kOffset) % unit != 0) {
      return Err("kernel @{}: a slice starts at column {}, expected a multiple of the unit of {} columns",
                 kernel.name, op.Int(Attr::kOffset), unit);
    }
    if (op.kind == OpKind::kDeinterleave) {
      width = op.Int(Attr::kGranule);
      if (op.Int(Attr::kWays) * width == unit) continue;
      return Err("kernel @{}: deinterleave of {} ways of {} columns does not match the unit of {} columns",
                 kernel.name, op.Int(Attr::kWays), width, unit);
    }
    const int64_t together = ColumnsTogether(kernel, op);
    if (width % together != 0) {
      return Err("kernel @{}: {} needs {} columns together, a unit has {}", kernel.name,
                 ir::Info(op.kind).name, together, width);
    }
  }
  return {};
}

bool EqualButForWay(const ir::Op& a, const ir::Op& b) {
  return a.Int(Attr::kSize) == b.Int(Attr::kSize) && a.Int(Attr::kWays) == b.Int(Attr::kWays) &&
         a.Int(Attr::kGranule) == b.Int(Attr::kGranule);
}

std::vector<ValueReads> CountReads(const ir::Function& kernel) {
  std::vector<ValueReads> uses(kernel.values.size());
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
