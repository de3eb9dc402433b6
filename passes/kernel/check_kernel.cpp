#include "passes/kernel/check_kernel.h"

#include <algorithm>
#include <map>

#include "passes/kernel/kernel_shape.h"

namespace ggufc::passes {
namespace {

using ir::Attr;
using ir::OpKind;
using ir::ValueId;

bool IsAnchor(OpKind kind) {
  return kind == OpKind::kEmbed || kind == OpKind::kLinear || kind == OpKind::kAttention ||
         kind == OpKind::kMeanPool;
}

const std::vector<ValueId>& ReturnedValues(const ir::Function& kernel) {
  return kernel.op(kernel.block(kernel.body).ops.back()).operands;
}

Status CheckResults(const ir::Function& kernel) {
  const auto& results = ReturnedValues(kernel);
  if (results.empty()) return Err("kernel @{} returns no value", kernel.name);
  for (const ValueId result : results) {
    if (kernel.DefiningOp(result) == nullptr || std::count(results.begin(), results.end(), result) > 1)
      return Err("kernel @{} returns a parameter, or returns a value twice", kernel.name);
  }
  return {};
}

Status CheckAnchor(const ir::Function& kernel, const KernelShape& shape,
                   const std::vector<ValueReads>& uses) {
  if (!shape.anchor.valid()) return {};
  const ir::Op& anchor = kernel.op(shape.anchor);
  const char* name = ir::Info(anchor.kind).name;
  if (anchor.kind != OpKind::kLinear && !shape.epilogue.empty()) {
    return Err("kernel @{}: {} takes no epilogue", kernel.name, name);
  }
  if (anchor.kind != OpKind::kLinear && !uses[anchor.results[0].index].returned) {
    return Err("kernel @{}: {} is not returned", kernel.name, name);
  }
  if ((anchor.kind == OpKind::kEmbed || anchor.kind == OpKind::kAttention) && !shape.prologue.empty()) {
    return Err("kernel @{}: {} takes no prologue", kernel.name, name);
  }
  return {};
}

Status CheckRows(const ir::Function& kernel, const KernelShape& shape) {
  const ir::Symbol own = kernel.domain.rows == ir::Symbol::kQ ? ir::Symbol::kT : kernel.domain.rows;
  const bool pools = shape.anchor.valid() && kernel.op(shape.anchor).kind == OpKind::kMeanPool;
  for (const ir::OpId id : kernel.block(kernel.body).ops) {
    const ir::Op& op = kernel.op(id);
    if (op.kind == OpKind::kReturn) continue;
    const ir::Symbol rows = pools && id != shape.anchor ? ir::Symbol::kT : own;
    const ir::Type& type = kernel.type(op.results[0]);
    if (type.rows() != ir::Dim(rows)) {
      return Err("kernel @{}: {} has type {}, expected rows of {}", kernel.name, ir::Info(op.kind).name,
                 ir::ToString(type), ir::Name(rows));
    }
  }
  return {};
}

Status CheckEpilogue(const ir::Function& kernel, const KernelShape& shape,
                     const std::vector<ValueReads>& uses) {
  const ValueId whole = kernel.op(shape.anchor).results[0];
  // The value that stands for the part of the linear's columns from which a value is computed: the linear's result, a
  // slice, or the first deinterleave for all ways.
  std::map<ValueId, ValueId> part_of = {{whole, whole}};
  const ir::Op* ways = nullptr;
  for (const ir::OpId id : shape.epilogue) {
    const ir::Op& op = kernel.op(id);
    const char* name = ir::Info(op.kind).name;
    const ValueId result = op.results[0];
    ValueId part;
    for (const ValueId operand : op.operands) {
      const ir::Type& type = kernel.type(operand);
      if (type.rank == 1 || type.rows().symbol == ir::Symbol::kNone) continue;  // a weight
      const auto it = part_of.find(operand);
      if (it == part_of.end()) {
        return Err("kernel @{}: {} in the epilogue reads a value that is not derived from the linear",
                   kernel.name, name);
      }
      if (part.valid() && part != it->second) {
        return Err("kernel @{}: {} reads two parts of the linear's columns", kernel.name, name);
      }
      part = it->second;
    }
    if (op.kind == OpKind::kSlice || op.kind == OpKind::kDeinterleave) {
      if (op.operands[0] != whole) {
        return Err("kernel @{}: {} in the epilogue must read the linear's result", kernel.name, name);
      }
      part = result;
    }
    if (op.kind == OpKind::kDeinterleave) {
      if (ways == nullptr) ways = &op;
      if (!EqualButForWay(*ways, op))
        return Err("kernel @{}: deinterleaves differ in size, ways or granule", kernel.name);
      part = ways->results[0];
    }
    if (op.kind == OpKind::kQuantize && !uses[result.index].returned) {
      return Err("kernel @{}: {} in the epilogue is not returned", kernel.name, name);
    }
    part_of[result] = part;
  }
  return {};
}

// The layout of a value in memory: that of key_panels or value_panels with these attributes, or rows.
struct Layout {
  OpKind kind = OpKind::kReturn;  // kReturn: rows
  int64_t head_dim = 0, dots = 0;
  friend bool operator==(const Layout&, const Layout&) = default;
};

Layout ResultLayout(const ir::Op& op) {
  if (!IsPanels(op)) return {};
  return {op.kind, op.Int(Attr::kHeadDim), op.Int(Attr::kDots)};
}

Layout ExpectedLayout(const ir::Op& op, size_t operand) {
  if (op.kind != OpKind::kAttention) return {};
  const int64_t dots = op.Int(Attr::kDots);
  if (operand == 1) return {OpKind::kKeyPanels, op.Int(Attr::kHeadDim), dots};
  if (operand == 2 && dots != 0) return {OpKind::kValuePanels, op.Int(Attr::kHeadDim), dots};
  return {};
}

}  // namespace

Status CheckKernel(const ir::Function& kernel) {
  const auto& ops = kernel.block(kernel.body).ops;
  if (std::count_if(ops.begin(), ops.end(), [&](ir::OpId id) { return IsAnchor(kernel.op(id).kind); }) > 1)
    return Err("kernel @{} has two anchors", kernel.name);
  RETURN_IF_ERROR(CheckResults(kernel));
  const KernelShape shape = ShapeOf(kernel);
  const std::vector<ValueReads> uses = CountReads(kernel);
  RETURN_IF_ERROR(CheckAnchor(kernel, shape, uses));
  RETURN_IF_ERROR(CheckRows(kernel, shape));
  for (const ir::OpId id : ops) {
    const ir::Op& op = kernel.op(id);
    if (!IsPanels(op)) continue;
    if (shape.anchor.valid() && std::count(shape.epilogue.begin(), shape.epilogue.end(), id) == 0) {
      return Err("kernel @{}: {} comes before the {}, expected in the epilogue of a linear", kernel.name,
                 ir::Info(op.kind).name, ir::Info(kernel.op(shape.anchor).kind).name);
    }
    const ValueReads& result = uses[op.results[0].index];
    if (result.reads > 0 || !result.returned) {
      return Err("kernel @{}: {} must be returned and not read in the kernel", kernel.name,
                 ir::Info(op.kind).name);
    }
  }
  if (!shape.anchor.valid() || kernel.op(shape.anchor).kind != OpKind::kLinear) return {};
  return CheckEpilogue(kernel, shape, uses);
}

Status CheckPanels(const ir::Module& module, bool laid_out) {
  const ir::Function& forward = module.forward();
  std::map<ValueId, Layout> layout_of;  // of the results of calls
  for (const ir::OpId id : forward.block(forward.body).ops) {
    const ir::Op& call = forward.op(id);
    if (call.kind != OpKind::kCall) continue;
    const ir::Function& kernel = module.function(call.callee);
    Status status;
    kernel.ForEachOp([&](ir::OpId, const ir::Op& reader) {
      for (size_t i = 0; i < reader.operands.size() && status; ++i) {
        const auto param = std::find(kernel.params.begin(), kernel.params.end(), reader.operands[i]);
        if (param == kernel.params.end()) continue;
        const auto it = layout_of.find(call.operands[static_cast<size_t>(param - kernel.params.begin())]);
        const Layout layout = it == layout_of.end() ? Layout() : it->second;
        const Layout expected = ExpectedLayout(reader, i);
        const bool rows = layout == Layout();
        // Attention without a layout is an error of tile.
        if (layout == expected || (rows && (!laid_out || reader.Int(Attr::kLayout) == 0))) continue;
        const char* name = ir::Info(reader.kind).name;
        status = rows ? Err("kernel @{}: {} expects {}, its operand {} is rows", kernel.name, name,
                            ir::Info(expected.kind).name, i)
                      : Err("kernel @{}: {} cannot read its operand {}, {} of another layout", kernel.name,
                            name, i, ir::Info(layout.kind).name);
      }
    });
    RETURN_IF_ERROR(std::move(status));
    for (size_t i = 0; i < call.results.size(); ++i) {
      const ir::Op* defining = kernel.DefiningOp(ReturnedValues(kernel)[i]);
      if (defining != nullptr) layout_of[call.results[i]] = ResultLayout(*defining);
    }
  }
  return {};
}

}  // namespace ggufc::passes
