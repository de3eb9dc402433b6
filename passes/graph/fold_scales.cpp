#include "passes/graph/fold_scales.h"

#include "passes/rewrite.h"

namespace ggufc::passes {
namespace {

using ir::Attr;
using ir::OpKind;

// The weight `gain` times `factor`: a new weight, or the one made earlier for the same gain and factor.
ir::WeightId ScaledGain(ir::Module& module, ir::WeightId gain, double factor) {
  std::string name = module.weight(gain).name + ".scaled";
  while (const auto known = module.FindWeight(name)) {
    if (module.weight(*known).factor == factor && module.weight(*known).sources == std::vector{gain})
      return *known;
    name += '_';
  }
  ir::Weight weight;
  weight.name = name;
  weight.type = module.weight(gain).type;
  weight.def = ir::Weight::Def::kScale;
  weight.sources = {gain};
  weight.factor = factor;
  return module.AddWeight(std::move(weight));
}

// Folds `scale` into the embed or rms_norm that its operand comes from. Every value on the way must have no other user.
// A factor of 0 is not folded: the IR has no derived weight with factor 0.
bool FoldIntoProducer(ir::Module& module, ir::Function& function, const std::vector<uint32_t>& uses,
                      const ir::Op& scale) {
  const double factor = scale.Float(Attr::kScale);
  if (factor == 0) return false;
  ir::ValueId value = scale.operands[0];
  while (true) {
    const ir::Op* found = function.DefiningOp(value);
    if (found == nullptr || uses[value.index] != 1) return false;
    ir::Op& op = function.op(function.value(value).op);
    if (op.kind == OpKind::kRope) {
      value = op.operands[0];
      continue;
    }
    if (op.kind == OpKind::kEmbed) {
      op.Set(ir::AttrValue::Float(Attr::kScale, op.Float(Attr::kScale) * factor));
      return true;
    }
    if (op.kind != OpKind::kRmsNorm) return false;
    const ir::Value& gain = function.value(op.operands[1]);
    if (gain.def != ir::Value::Def::kWeight) return false;
    const ir::WeightId scaled = ScaledGain(module, gain.weight, factor);
    const ir::ValueId scaled_value = function.WeightValue(scaled, module.weight(scaled).type);
    op.operands[1] = scaled_value;
    return true;
  }
}

}  // namespace

Result<bool> FoldScales(ir::Module& module, const PassContext&) {
  ir::Function& function = module.forward();
  bool changed = false;
  std::vector<uint32_t> uses = CountUses(function);
  for (const ir::OpId id : std::vector<ir::OpId>(function.block(function.body).ops)) {
    const ir::Op scale = function.op(id);
    if (scale.kind != OpKind::kScaleBy || !FoldIntoProducer(module, function, uses, scale)) continue;
    function.ReplaceAllUses(scale.results[0], scale.operands[0]);
    uses[scale.operands[0].index] = uses[scale.results[0].index];  // its only user was the scale
    changed = true;
  }
  if (changed) EraseDeadOps(function, function.body);
  return changed;
}

}  // namespace ggufc::passes
