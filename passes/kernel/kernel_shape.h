// Properties of a kernel that several passes derive from its body: prologue, anchor and epilogue, the unit of its
// columns, and the readers of its values.
#pragma once

#include <vector>

#include "ir/core/module.h"
#include "support/result.h"

namespace ggufc::passes {

inline constexpr int64_t kPanelColumns = 16;

inline int64_t RoundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// The ops of a kernel before its anchor, the anchor, and the ops after it. In a kernel without an anchor (row-wise)
// every op belongs to the prologue.
struct KernelShape {
  std::vector<ir::OpId> prologue;
  ir::OpId anchor;  // embed, linear, attention or mean_pool; invalid: none
  std::vector<ir::OpId> epilogue;
};

KernelShape ShapeOf(const ir::Function& kernel);

// The unit: columns of a linear's result that its epilogue needs together (heads, a granule of every way, a
// quantisation block), or one panel if it needs none together. If no unit serves all ops, CheckUnit fails for the unit
// returned here.
int64_t UnitColumns(const ir::Function& kernel, const KernelShape& shape);

// Fails if an op of a linear's epilogue needs columns of more than one unit together. Assumes CheckKernel.
Status CheckUnit(const ir::Function& kernel, const KernelShape& shape, int64_t unit);

// Whether the op lays keys or values out for attention.
inline bool IsPanels(const ir::Op& op) {
  return op.kind == ir::OpKind::kKeyPanels || op.kind == ir::OpKind::kValuePanels;
}

// Whether two deinterleaves have equal attributes, except for their way. The ways of one kernel are computed together.
bool EqualButForWay(const ir::Op& a, const ir::Op& b);

struct ValueReads {
  int reads = 0;  // by the kernel's ops, without the return
  bool returned = false;
};
std::vector<ValueReads> CountReads(const ir::Function& kernel);  // one per value

}  // namespace ggufc::passes
