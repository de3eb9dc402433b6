// What several passes read off a kernel's region: its parts, and how wide a unit of its columns is.
#pragma once

#include <vector>

#include "ir/core/module.h"
#include "support/result.h"

namespace ggufc::passes {

inline constexpr int64_t kPanelColumns = 16;

inline int64_t RoundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// The ops of a kernel before its anchor, the anchor, and the ops behind it. Without an anchor (row-wise kernels) every
// op is prologue.
struct KernelShape {
  std::vector<ir::OpId> prologue;
  ir::OpId anchor;  // embed, linear, attention or mean_pool; invalid: none
  std::vector<ir::OpId> epilogue;
};

// An op is prologue when it comes before the anchor in the region.
KernelShape ShapeOf(const ir::Function& kernel);

// Columns of a linear's result that its epilogue needs together (heads, a granule of every way, a quantisation
// block), or one panel. Where no unit serves all ops, CheckUnit says so of the one that is returned.
int64_t UnitColumns(const ir::Function& kernel, const KernelShape& shape);

// Whether each op of a linear's epilogue finds all the columns it needs together in one unit. Assumes CheckKernel.
Status CheckUnit(const ir::Function& kernel, const KernelShape& shape, int64_t unit);

// Whether the op lays keys or values out for attention.
inline bool IsPanels(const ir::Op& op) {
  return op.kind == ir::OpKind::kKeyPanels || op.kind == ir::OpKind::kValuePanels;
}

// Whether two deinterleaves cut their operands in the same way: the ways of one kernel are computed together.
bool EqualButForWay(const ir::Op& a, const ir::Op& b);

// How often `value` is read by the kernel's ops, and whether the kernel returns it.
struct ValueUses {
  int reads = 0;
  bool returned = false;
};
std::vector<ValueUses> UsesOf(const ir::Function& kernel);

}  // namespace ggufc::passes
