#include "sketch.h"

#include <algorithm>
#include <map>

#include "ir/verify/infer.h"
#include "ir/verify/verifier.h"
#include "passes/rewrite.h"

namespace ggufc::programs {
namespace {

using ir::Attr;
using ir::AttrValue;
using ir::OpKind;
using ir::Type;
using ir::ValueId;
using ir::WeightId;
using To = Sketch::Ref::To;

class Builder {
 public:
  explicit Builder(const Sketch& sketch)
      : sketch_(sketch), values_(sketch.ops.size()), weights_(sketch.weights.size()) {}

  std::optional<ir::Module> Build() {
    module_.name = "reduced";
    ir::Function function;
    function.name = "forward";
    module_.AddFunction(std::move(function));
    forward().body = forward().AddBlock();
    ids_ = forward().AddParam(Type::Tensor(ir::Scalar::kI32, ir::Symbol::kT), "ids");
    const std::vector<bool> needed = Needed();
    for (size_t i = 0; i < sketch_.ops.size(); ++i) {
      if (needed[i] && !Add(i)) return std::nullopt;
    }
    const ValueId result = values_[sketch_.result];
    forward().result_types = {forward().type(result)};
    forward()
        .block(forward().body)
        .ops.push_back(forward().AddOp({OpKind::kReturn, {result}, {}, {}, {}, {}}));
    if (!ir::Verify(module_)) return std::nullopt;
    return std::move(module_);
  }

 private:
  ir::Function& forward() { return module_.forward(); }

  std::vector<bool> Needed() const {
    std::vector<bool> needed;
    for (const Sketch::Op& op : sketch_.ops) needed.push_back(op.dead);
    needed[sketch_.result] = true;
    for (size_t i = sketch_.ops.size(); i-- > 0;) {
      if (!needed[i]) continue;
      for (const Sketch::Ref& ref : sketch_.ops[i].operands) {
        if (ref.to == To::kOp) needed[ref.index] = true;
      }
    }
    return needed;
  }

  // The weight with `columns` as its last dimension; nullopt if an earlier op needs another size.
  std::optional<WeightId> WeightWith(size_t index, int64_t columns) {
    std::optional<WeightId>& known = weights_[index];
    if (known) return module_.weight(*known).type.columns() == columns ? known : std::nullopt;
    ir::Weight weight = sketch_.weights[index];
    weight.type.dims[weight.type.rank == 2 ? 1 : 0] = columns;
    if (weight.type.scalar == ir::Scalar::kQ8_0 && columns % ir::kQuantBlock != 0) return std::nullopt;
    for (WeightId& source : weight.sources) {
      const auto fitted = WeightWith(source.index, columns);
      if (!fitted) return std::nullopt;
      source = *fitted;
    }
    known = module_.AddWeight(std::move(weight));
    return known;
  }

  int64_t ColumnsOf(const Sketch::Ref& ref) {
    return ref.to == To::kOp ? forward().type(values_[ref.index]).columns()
                             : sketch_.weights[ref.index].type.columns();
  }

  // The number of columns that the op needs of its weight.
  int64_t WeightColumns(const ir::Op& op, const Sketch::Op& from) {
    switch (op.kind) {
      case OpKind::kEmbed:
        return ColumnsOf(from.operands[1]);
      case OpKind::kRopeTable:
        return op.Int(Attr::kHeadDim);
      case OpKind::kRmsNorm:
        return op.Int(Attr::kGroup) > 0 ? op.Int(Attr::kGroup) : ColumnsOf(from.operands[0]);
      default:
        return ColumnsOf(from.operands[0]);
    }
  }

  void FitAttrs(ir::Op& op, const Sketch::Op& from) {
    const auto columns = [&](size_t operand) { return ColumnsOf(from.operands[operand]); };
    switch (op.kind) {
      case OpKind::kAttention: {
        const int64_t head_dim = std::max<int64_t>(1, op.Int(Attr::kHeadDim));
        op.Set(AttrValue::Int(Attr::kHeads, columns(0) / head_dim));
        op.Set(AttrValue::Int(Attr::kKvHeads, columns(1) / head_dim));
        break;
      }
      case OpKind::kSlice: {
        const int64_t offset = std::min(op.Int(Attr::kOffset), columns(0) - 1);
        op.Set(AttrValue::Int(Attr::kOffset, offset));
        op.Set(AttrValue::Int(Attr::kSize, std::min(op.Int(Attr::kSize), columns(0) - offset)));
        break;
      }
      case OpKind::kDeinterleave: {
        const int64_t granule = op.Int(Attr::kGranule);
        const int64_t whole = columns(0) / (op.Int(Attr::kWays) * granule) * granule;
        op.Set(AttrValue::Int(Attr::kSize, std::min(op.Int(Attr::kSize), whole)));
        break;
      }
      default:
        break;
    }
  }

  bool Add(size_t index) {
    const Sketch::Op& from = sketch_.ops[index];
    ir::Op op = from.Attrs();
    FitAttrs(op, from);
    for (const Sketch::Ref& ref : from.operands) {
      if (ref.to == To::kIds) op.operands.push_back(ids_);
      if (ref.to == To::kOp) op.operands.push_back(values_[ref.index]);
      if (ref.to == To::kWeight) {
        const auto weight = WeightWith(ref.index, WeightColumns(op, from));
        if (!weight) return false;
        op.operands.push_back(forward().WeightValue(*weight, module_.weight(*weight).type));
      }
    }
    std::vector<Type> stated;
    if (op.kind == OpKind::kQuantize) stated = {forward().type(op.operands[0]).With(from.type.scalar)};
    const auto types = ir::InferTypes(module_, forward(), op, stated);
    if (!types || types->size() != 1) return false;
    values_[index] = forward().AddValue((*types)[0], ir::Value::Def::kResult);
    op.results = {values_[index]};
    forward().block(forward().body).ops.push_back(forward().AddOp(std::move(op)));
    return true;
  }

  const Sketch& sketch_;
  ir::Module module_;
  ValueId ids_;
  std::vector<ValueId> values_;                   // by op of the sketch
  std::vector<std::optional<WeightId>> weights_;  // by weight of the sketch
};

}  // namespace

void Sketch::Op::Set(AttrValue value) {
  ir::Op op = Attrs();
  op.Set(value);
  attrs = std::move(op.attrs);
}

Sketch SketchOf(const ir::Module& module) {
  Sketch sketch;
  sketch.weights = module.weights;
  const ir::Function& forward = module.forward();
  const std::vector<uint32_t> uses = passes::CountUses(forward);
  std::map<ValueId, size_t> op_of;
  for (const ir::OpId id : forward.block(forward.body).ops) {
    const ir::Op& op = forward.op(id);
    if (op.kind == OpKind::kReturn) {
      sketch.result = op_of.at(op.operands[0]);
      break;
    }
    Sketch::Op copy{op.kind, {}, op.attrs, forward.type(op.results[0]), uses[op.results[0].index] == 0};
    for (const ValueId operand : op.operands) {
      const ir::Value& value = forward.value(operand);
      if (value.def == ir::Value::Def::kWeight) copy.operands.push_back({To::kWeight, value.weight.index});
      if (value.def == ir::Value::Def::kResult) copy.operands.push_back({To::kOp, op_of.at(operand)});
      if (value.def == ir::Value::Def::kParam) copy.operands.push_back({To::kIds, 0});
    }
    op_of[op.results[0]] = sketch.ops.size();
    sketch.ops.push_back(std::move(copy));
  }
  return sketch;
}

std::optional<ir::Module> ModuleOf(const Sketch& sketch) { return Builder(sketch).Build(); }

}  // namespace ggufc::programs
