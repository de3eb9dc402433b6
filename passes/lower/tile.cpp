#include "passes/lower/tile.h"

#include <algorithm>
#include <map>

#include "passes/kernel/check_kernel.h"
#include "passes/lower/tile_kernel.h"
#include "support/batch_tables.h"

namespace ggufc::passes {
namespace {

using ir::Attr;
using ir::AttrValue;
using ir::OpKind;
using ir::Symbol;
using ir::Type;
using ir::ValueId;

// A lowered kernel. A kernel that also writes the model's output has a second instance, whose last result has rows
// without padding.
struct Instance {
  ir::FunctionId function;
  std::vector<Table> tables;
};

// The buffer of a call's result, rows of T or B. Panels have slack, because each sequence takes whole blocks of key
// slots.
ValueId Buffer(ir::Builder& b, const Type& type, int64_t stride, bool panels) {
  const bool by_token = type.dims[0].symbol == Symbol::kT;
  const int64_t slack = panels ? kKeyBlock * stride : 0;
  const ValueId buffer =
      b.Emit(OpKind::kBuffer, {},
             {AttrValue::Int(Attr::kBytes, 0), AttrValue::Int(Attr::kBytesT, by_token ? stride : 0),
              AttrValue::Int(Attr::kBytesB, by_token ? slack : stride)});
  b.Name(buffer, "buf");
  return buffer;
}

}  // namespace

Result<bool> Tile(ir::Module& module, const PassContext& context) {
  RETURN_IF_ERROR(CheckPanels(module, true));
  ir::Module out;
  out.name = module.name;
  out.stage = ir::Stage::kLoop;
  out.weights = module.weights;

  const ir::Function& old = module.forward();
  if (old.params.size() != 1 || old.result_types.size() != 1 || old.result_types[0].rank != 2) {
    return Err("@{}: expected the ids as the only parameter and one result f32[B, dims]", old.name);
  }
  ir::Function forward_function;
  forward_function.name = old.name;
  const ir::FunctionId forward = out.AddFunction(std::move(forward_function));
  const std::vector<ValueId> table_params = ir::AddBatchTables(out.forward());
  const ValueId result = out.forward().AddParam(old.result_types[0], "result");
  const auto& ops = old.block(old.body).ops;
  const ValueId returned = old.op(ops.back()).operands[0];

  std::map<ValueId, ValueId> memory;  // value of the kernel stage -> pointer
  memory[old.params[0]] = table_params[0];
  std::map<std::pair<ir::FunctionId, bool>, Instance> instances;
  ir::Builder b(out, forward);
  for (const ir::OpId id : ops) {
    const ir::Op& call = old.op(id);
    if (call.kind == OpKind::kReturn) break;
    if (call.kind != OpKind::kCall)
      return Err("@{}: found {}, expected calls of kernels only", old.name, ir::Info(call.kind).name);
    const ir::Function& kernel = module.function(call.callee);
    if (std::find(call.operands.begin(), call.operands.end(), returned) != call.operands.end())
      return Err("kernel @{} reads the result of @{}", kernel.name, old.name);
    const bool dense = !call.results.empty() && call.results.back() == returned;
    if (!dense && std::find(call.results.begin(), call.results.end(), returned) != call.results.end())
      return Err("kernel @{}: the result of @{} must be its last result", kernel.name, old.name);
    Instance& instance = instances[{call.callee, dense}];
    if (!instance.function.valid()) {
      // The kernel's other instance, or a micro-kernel, may have this name.
      std::string name = kernel.name;
      while (out.FindFunction(name)) name += dense ? ".out" : "_";
      KernelTiler tiler(out, kernel, context, dense, name);
      ASSIGN_OR_RETURN(instance.function, tiler.Run());
      instance.tables = tiler.tables();
    }
    std::vector<ValueId> arguments;
    for (const ValueId operand : call.operands) {
      const ir::Value& value = old.value(operand);
      if (value.def == ir::Value::Def::kWeight) {
        arguments.push_back(b.Weight(value.weight));
      } else {
        arguments.push_back(memory.at(operand));
      }
    }
    const auto& kernel_results = kernel.op(kernel.block(kernel.body).ops.back()).operands;
    for (size_t i = 0; i < call.results.size(); ++i) {
      const Type& type = old.type(call.results[i]);
      const ir::Op* defining = kernel.DefiningOp(kernel_results[i]);
      const bool panels = defining != nullptr && IsPanels(*defining);
      const int64_t pack = ir::IsActivationQuant(type.scalar) ? context.target.Pack(type.scalar) : 0;
      const int64_t stride =
          panels ? PanelSlotBytes(*defining, type.columns()) : RowStride(type.scalar, type.columns(), pack);
      memory[call.results[i]] = call.results[i] == returned ? result : Buffer(b, type, stride, panels);
      arguments.push_back(memory[call.results[i]]);
    }
    for (const Table needed : instance.tables) arguments.push_back(table_params[static_cast<size_t>(needed)]);
    b.EmitCall(instance.function, arguments);
  }
  b.Return({});
  module = std::move(out);
  return true;
}

}  // namespace ggufc::passes
