#include "passes/graph/rope_tables.h"

#include "passes/rewrite.h"

namespace ggufc::passes {
namespace {

ir::WeightId FindOrAddTable(ir::Module& module, double theta, int64_t head_dim, int64_t positions) {
  const std::string plain = fmt::format("rope.{}.{}", theta, head_dim);
  ir::Weight weight;
  weight.name = plain;
  weight.type = ir::Type::Tensor(ir::Scalar::kF32, positions, head_dim);
  weight.def = ir::Weight::Def::kRopeTable;
  weight.factor = theta;
  // A tensor of the file may already have this name.
  for (int n = 2;; ++n) {
    const auto known = module.FindWeight(weight.name);
    if (!known) return module.AddWeight(std::move(weight));
    const ir::Weight& other = module.weight(*known);
    if (other.def == weight.def && other.type == weight.type && other.factor == theta) return *known;
    weight.name = fmt::format("{}.{}", plain, n);
  }
}

}  // namespace

Result<bool> RopeTables(ir::Module& module, const PassContext& context) {
  ir::Function& function = module.forward();
  bool changed = false;
  for (const ir::OpId id : function.block(function.body).ops) {
    if (function.op(id).kind != ir::OpKind::kRope) continue;
    const int64_t head_dim = function.op(id).Int(ir::Attr::kHeadDim);
    const ir::WeightId table =
        FindOrAddTable(module, function.op(id).Float(ir::Attr::kTheta), head_dim, context.context_length);
    const ir::ValueId value = function.WeightValue(table, module.weight(table).type);
    ir::Op& op = function.op(id);
    op.kind = ir::OpKind::kRopeTable;
    op.operands.push_back(value);
    op.Erase(ir::Attr::kTheta);
    changed = true;
  }
  return changed;
}

}  // namespace ggufc::passes
