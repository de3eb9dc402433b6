#include "passes/kernel/assign_layouts.h"

#include <algorithm>
#include <map>

#include "passes/kernel/check_kernel.h"
#include "passes/kernel/kernel_shape.h"
#include "passes/rewrite.h"

namespace ggufc::passes {
namespace {

using ir::Attr;
using ir::AttrValue;
using ir::OpKind;
using ir::ValueId;

// The panels in which attention reads its keys or, with 16-bit dots, its values.
struct Panels {
  OpKind kind = OpKind::kReturn;  // kKeyPanels, kValuePanels; kReturn: rows
  int64_t head_dim = 0;
  int64_t dots = 0;
  friend bool operator==(const Panels&, const Panels&) = default;
};

// How the ops of the kernels read a value of `forward`.
struct Readers {
  Panels panels;        // in these, where an attention reads it
  bool others = false;  // in rows, or in panels of another kind
};

Panels ExpectedPanels(const ir::Op& reader, size_t operand) {
  if (reader.kind != OpKind::kAttention) return {};
  const int64_t head_dim = reader.Int(Attr::kHeadDim), dots = reader.Int(Attr::kDots);
  if (operand == 1) return {OpKind::kKeyPanels, head_dim, dots};
  if (operand == 2 && dots != 0) return {OpKind::kValuePanels, head_dim, dots};
  return {};
}

std::string_view Role(const Panels& panels) { return panels.kind == OpKind::kKeyPanels ? "keys" : "values"; }

Readers ReadersOf(const ir::Module& module, ValueId value) {
  Readers readers;
  const ir::Function& forward = module.forward();
  for (const ir::OpId id : forward.block(forward.body).ops) {
    const ir::Op& op = forward.op(id);
    for (size_t i = 0; i < op.operands.size(); ++i) {
      if (op.operands[i] != value) continue;
      if (op.kind != OpKind::kCall) {
        readers.others = true;
        continue;
      }
      const ir::Function& kernel = module.function(op.callee);
      kernel.ForEachOp([&](ir::OpId, const ir::Op& reader) {
        for (size_t j = 0; j < reader.operands.size(); ++j) {
          if (reader.operands[j] != kernel.params[i]) continue;
          const Panels panels = ExpectedPanels(reader, j);
          if (panels == Panels() || (readers.panels != Panels() && readers.panels != panels)) {
            readers.others = true;
          } else {
            readers.panels = panels;
          }
        }
      });
    }
  }
  return readers;
}

// Fails if the kernel cannot lay out its result number `index` in panels.
Status CheckMakesPanels(const ir::Function& kernel, size_t index, const Panels& panels) {
  const KernelShape shape = ShapeOf(kernel);
  if (!shape.anchor.valid()) return {};
  const ValueId result = kernel.op(kernel.block(kernel.body).ops.back()).operands[index];
  const ir::OpId defining = kernel.value(result).op;
  const bool in_prologue =
      std::find(shape.prologue.begin(), shape.prologue.end(), defining) != shape.prologue.end();
  if (kernel.op(shape.anchor).kind != OpKind::kLinear || in_prologue) {
    return Err("attention's {} come from kernel @{}, expected a row-wise kernel or the epilogue of a linear",
               Role(panels), kernel.name);
  }
  return {};
}

// Inserts key_panels or value_panels before the kernel's return, for result number `index`.
bool ReturnPanels(ir::Module& module, ir::Function& kernel, size_t index, const Panels& panels) {
  auto& ops = kernel.block(kernel.body).ops;
  const ir::OpId terminator = ops.back();
  const ValueId rows = kernel.op(terminator).operands[index];
  const ir::Op* defining = kernel.DefiningOp(rows);
  if (defining != nullptr && IsPanels(*defining)) return false;
  ir::Op op{.kind = panels.kind, .operands = {rows}, .results = {}, .attrs = {}, .regions = {}, .callee = {}};
  op.Set(AttrValue::Int(Attr::kHeadDim, panels.head_dim));
  if (panels.dots != 0) op.Set(AttrValue::Int(Attr::kDots, panels.dots));
  size_t at = ops.size() - 1;
  const ValueId laid_out = InsertOp(module, kernel, kernel.body, at, std::move(op));
  kernel.op(terminator).operands[index] = laid_out;
  return true;
}

// All calls of a kernel must agree on which of its results are keys and values in panels.
Result<bool> LayOutPanels(ir::Module& module, const std::vector<ir::OpId>& calls) {
  std::map<std::pair<ir::FunctionId, size_t>, Panels> panels_of;  // of a kernel's result
  for (const ir::OpId id : calls) {
    const ir::Op& call = module.forward().op(id);
    const std::string& name = module.function(call.callee).name;
    for (size_t i = 0; i < call.results.size(); ++i) {
      const Readers readers = ReadersOf(module, call.results[i]);
      if (readers.panels == Panels() && !readers.others) continue;
      if (readers.panels != Panels() && readers.others) {
        return Err("result {} of kernel @{} is attention's {} and also has readers that need another layout",
                   i, name, Role(readers.panels));
      }
      const auto [known, fresh] = panels_of.try_emplace({call.callee, i}, readers.panels);
      if (!fresh && known->second != readers.panels) {
        return Err(
            "result {} of kernel @{} is attention's {} in one call and needs another layout in another call",
            i, name, Role(known->second == Panels() ? readers.panels : known->second));
      }
    }
  }
  bool changed = false;
  for (const auto& [result, panels] : panels_of) {
    if (panels == Panels()) continue;
    ir::Function& kernel = module.function(result.first);
    RETURN_IF_ERROR(CheckMakesPanels(kernel, result.second, panels));
    changed |= ReturnPanels(module, kernel, result.second, panels);
  }
  return changed;
}

Result<bool> LayOutAnchor(ir::Function& kernel, const PassContext& context) {
  const KernelShape shape = ShapeOf(kernel);
  if (!shape.anchor.valid()) return false;
  ir::Op& anchor = kernel.op(shape.anchor);
  if (anchor.kind == OpKind::kAttention) return SetAttr(anchor, AttrValue::Int(Attr::kLayout, 1));
  if (anchor.kind != OpKind::kLinear) return false;
  const ir::Scalar activation = kernel.type(anchor.operands[0]).scalar;
  const ir::Scalar weight = kernel.type(anchor.operands[1]).scalar;
  if (ir::IsActivationQuant(activation) != (weight == ir::Scalar::kQ8_0)) {
    return Err("kernel @{}: a linear cannot multiply {} activations by {} weights", kernel.name,
               ir::Name(activation), ir::Name(weight));
  }
  const int64_t unit = UnitColumns(kernel, shape);
  RETURN_IF_ERROR(CheckUnit(kernel, shape, unit));
  const int64_t pack = activation == ir::Scalar::kF32 ? 1 : context.target.Pack(activation);
  bool changed = SetAttr(anchor, AttrValue::Int(Attr::kPack, pack));
  changed |= SetAttr(anchor, AttrValue::Int(Attr::kUnit, unit));
  kernel.domain.cols = (kernel.type(anchor.operands[1]).dims[0].size + unit - 1) / unit;
  return changed;
}

// Gives each weight the layout of the linear that reads it. Linears that disagree would need two copies: an error.
Status LayOutWeights(ir::Module& module, const std::vector<ir::OpId>& calls) {
  for (const ir::OpId id : calls) {
    const ir::Op& call = module.forward().op(id);
    const ir::Function& kernel = module.function(call.callee);
    const KernelShape shape = ShapeOf(kernel);
    if (!shape.anchor.valid() || kernel.op(shape.anchor).kind != OpKind::kLinear) continue;
    const ir::Op& linear = kernel.op(shape.anchor);
    const auto param = std::find(kernel.params.begin(), kernel.params.end(), linear.operands[1]);
    if (param == kernel.params.end())
      return Err("kernel @{}: a linear's weight is not a parameter", kernel.name);
    const ValueId argument = call.operands[static_cast<size_t>(param - kernel.params.begin())];
    const ir::Value& value = module.forward().value(argument);
    if (value.def != ir::Value::Def::kWeight)
      return Err("kernel @{}: a linear's weight is not a weight of the module", kernel.name);
    ir::Weight& weight = module.weight(value.weight);
    const int64_t pack = linear.Int(Attr::kPack), unit = linear.Int(Attr::kUnit);
    if (weight.pack != 0 && (weight.pack != pack || weight.unit != unit)) {
      return Err("weight @{} is read by linears that need different layouts", weight.name);
    }
    weight.pack = pack;
    weight.unit = unit;
  }
  // Other readers (a lookup in the embedding table) need the file's order.
  for (const ir::OpId id : calls) {
    const ir::Op& call = module.forward().op(id);
    const ir::Function& kernel = module.function(call.callee);
    for (size_t i = 0; i < call.operands.size(); ++i) {
      const ir::Value& value = module.forward().value(call.operands[i]);
      if (value.def != ir::Value::Def::kWeight || module.weight(value.weight).pack == 0) continue;
      bool packed_only = true;
      kernel.ForEachOp([&](ir::OpId, const ir::Op& op) {
        if (op.kind == OpKind::kLinear) return;
        packed_only &=
            std::find(op.operands.begin(), op.operands.end(), kernel.params[i]) == op.operands.end();
      });
      if (!packed_only) {
        return Err("weight @{} is packed for a linear, but kernel @{} reads it unpacked",
                   module.weight(value.weight).name, kernel.name);
      }
    }
  }
  return {};
}

}  // namespace

Result<bool> AssignLayouts(ir::Module& module, const PassContext& context) {
  std::vector<ir::OpId> calls = module.forward().block(module.forward().body).ops;
  std::erase_if(calls, [&](ir::OpId id) { return module.forward().op(id).kind != OpKind::kCall; });
  for (const ir::Function& kernel : module.functions) {
    if (kernel.kind == ir::Function::Kind::kKernel) RETURN_IF_ERROR(CheckKernel(kernel));
  }
  RETURN_IF_ERROR(CheckPanels(module, false));
  // Panels come first: key_panels and value_panels in an epilogue make the head_dim a unit of the linear.
  ASSIGN_OR_RETURN(bool changed, LayOutPanels(module, calls));
  for (ir::Function& kernel : module.functions) {
    if (kernel.kind != ir::Function::Kind::kKernel) continue;
    ASSIGN_OR_RETURN(const bool laid_out, LayOutAnchor(kernel, context));
    changed |= laid_out;
  }
  RETURN_IF_ERROR(LayOutWeights(module, calls));
  return changed;
}

}  // namespace ggufc::passes
