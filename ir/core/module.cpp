#include "ir/core/module.h"

#include "support/check.h"

namespace ggufc::ir {
namespace {

template <typename T>
uint32_t NextIndex(const std::vector<T>& items) {
  CHECK(items.size() < UINT32_MAX, "{} items", items.size());
  return static_cast<uint32_t>(items.size());
}

}  // namespace

ValueId Function::AddValue(Type type, Value::Def def, std::string name_hint) {
  const ValueId id{NextIndex(values)};
  values.push_back({type, def, {}, {}, std::move(name_hint)});
  return id;
}

ValueId Function::AddParam(Type type, std::string name_hint) {
  const ValueId id = AddValue(type, Value::Def::kParam, std::move(name_hint));
  params.push_back(id);
  return id;
}

ValueId Function::WeightValue(WeightId weight, const Type& type) {
  for (uint32_t i = 0; i < values.size(); ++i) {
    if (values[i].def == Value::Def::kWeight && values[i].weight == weight) return ValueId{i};
  }
  const ValueId id = AddValue(type, Value::Def::kWeight);
  value(id).weight = weight;
  return id;
}

BlockId Function::AddBlock() {
  const BlockId id{NextIndex(blocks)};
  blocks.emplace_back();
  return id;
}

OpId Function::AddOp(Op op) {
  const OpId id{NextIndex(ops)};
  for (const ValueId result : op.results) value(result).op = id;
  ops.push_back(std::move(op));
  return id;
}

void Function::ReplaceAllUses(ValueId from, ValueId to) {
  for (Op& op : ops) {
    for (ValueId& operand : op.operands) {
      if (operand == from) operand = to;
    }
  }
}

const Op* Function::DefiningOp(ValueId id) const {
  const Value& v = value(id);
  return v.def == Value::Def::kResult && v.op.valid() ? &op(v.op) : nullptr;
}

FunctionId Module::AddFunction(Function function) {
  const FunctionId id{NextIndex(functions)};
  functions.push_back(std::move(function));
  return id;
}

std::optional<FunctionId> Module::FindFunction(std::string_view wanted) const {
  for (uint32_t i = 0; i < functions.size(); ++i) {
    if (functions[i].name == wanted) return FunctionId{i};
  }
  return std::nullopt;
}

WeightId Module::AddWeight(Weight weight) {
  const WeightId id{NextIndex(weights)};
  weights.push_back(std::move(weight));
  return id;
}

std::optional<WeightId> Module::FindWeight(std::string_view wanted) const {
  for (uint32_t i = 0; i < weights.size(); ++i) {
    if (weights[i].name == wanted) return WeightId{i};
  }
  return std::nullopt;
}

}  // namespace ggufc::ir
