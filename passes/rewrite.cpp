#include "passes/rewrite.h"

#include <algorithm>

#include "ir/verify/infer.h"
#include "support/check.h"

namespace ggufc::passes {
namespace {

void CountBlock(const ir::Function& function, ir::BlockId block, std::vector<uint32_t>& uses) {
  for (const ir::OpId id : function.block(block).ops) {
    const ir::Op& op = function.op(id);
    for (const ir::ValueId operand : op.operands) ++uses[operand.index];
    for (const ir::BlockId region : op.regions) CountBlock(function, region, uses);
  }
}

}  // namespace

ir::ValueId InsertOp(ir::Module& module, ir::Function& function, ir::BlockId block, size_t& at, ir::Op op,
                     ir::Type stated) {
  std::vector<ir::Type> stated_types;
  if (stated.form != ir::Type::Form::kNone) stated_types.push_back(stated);
  const auto types = ir::InferTypes(module, function, op, stated_types);
  CHECK(types.has_value(), "{}", types.error().message);
  CHECK(types->size() == 1);
  const ir::ValueId result = function.AddValue((*types)[0], ir::Value::Def::kResult);
  op.results = {result};
  const ir::OpId id = function.AddOp(std::move(op));
  auto& ops = function.block(block).ops;
  ops.insert(ops.begin() + static_cast<std::ptrdiff_t>(at), id);
  ++at;
  return result;
}

bool SetAttr(ir::Op& op, ir::AttrValue value) {
  if (std::find(op.attrs.begin(), op.attrs.end(), value) != op.attrs.end()) return false;
  op.Set(value);
  return true;
}

std::vector<uint32_t> CountUses(const ir::Function& function) {
  std::vector<uint32_t> uses(function.values.size());
  CountBlock(function, function.body, uses);
  return uses;
}

bool EraseDeadOps(ir::Function& function, ir::BlockId block) {
  std::vector<uint32_t> uses = CountUses(function);
  std::vector<ir::OpId> kept;
  const std::vector<ir::OpId>& ops = function.block(block).ops;
  for (size_t i = ops.size(); i-- > 0;) {
    const ir::Op& op = function.op(ops[i]);
    const bool live =
        op.kind == ir::OpKind::kReturn ||
        std::any_of(op.results.begin(), op.results.end(), [&](ir::ValueId r) { return uses[r.index] > 0; });
    if (live) {
      kept.push_back(ops[i]);
    } else {
      for (const ir::ValueId operand : op.operands) --uses[operand.index];
    }
  }
  std::reverse(kept.begin(), kept.end());
  const bool changed = kept.size() != ops.size();
  function.block(block).ops = std::move(kept);
  return changed;
}

}  // namespace ggufc::passes
