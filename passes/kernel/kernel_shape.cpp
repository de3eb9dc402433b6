#include "passes/kernel/kernel_shape.h"

#include <algorithm>
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

// Columns that the op needs together of what it reads.
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
  constexpr int64_t kMost = int64_t{1} << 31;  // no tensor has more columns
  int64_t unit = 1;
  for (const ir::OpId id : shape.epilogue) {
    const ir::Op& op = kernel.op(id);
    if (op.kind == OpKind::kDeinterleave) return op.Int(Attr::kWays) * op.Int(Attr::kGranule);
    const int64_t together = ColumnsTogether(kernel, op);
    // What divides a panel finds itself whole in each.
    const int64_t common = std::lcm(unit, kPanelColumns % together == 0 ? kPanelColumns : together);
    if (common <= kMost) unit = common;
  }
  return unit == 1 ? kPanelColumns : unit;
}

Status CheckUnit(const ir::Function& kernel, const KernelShape& shape, int64_t unit) {
  int64_t width = unit;  // columns of a unit that an op sees
  for (const ir::OpId id : shape.epilogue) {
    const ir::Op& op = kernel.op(id);
    if (op.kind == OpKind::kSlice && op.Int(Attr::kOffset) % unit != 0) {
      return Err("kernel @{}: a slice from column {} on cuts a unit of {} columns", kernel.name,
                 op.Int(Attr::kOffset), unit);
    }
    if (op.kind == OpKind::kDeinterleave) {
      width = op.Int(Attr::kGranule);
      if (op.Int(Attr::kWays) * width == unit) continue;
      return Err("kernel @{}: {} ways of {} columns in a unit of {}", kernel.name, op.Int(Attr::kWays), width,
                 unit);
    }
    const int64_t together = ColumnsTogether(kernel, op);
    if (width % together != 0) {
      return Err("kernel @{}: {} takes {} columns together, a unit has {}", kernel.name,
                 ir::Info(op.kind).name, together, width);
    }
  }
  return {};
}

bool EqualButForWay(const ir::Op& a, const ir::Op& b) {
  return a.Int(Attr::kSize) == b.Int(Attr::kSize) && a.Int(Attr::kWays) == b.Int(Attr::kWays) &&
         a.Int(Attr::kGranule) == b.Int(Attr::kGranule);
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
