#include "passes/graph/merge_linears.h"

#include <algorithm>
#include <map>
#include <vector>

#include "passes/rewrite.h"

namespace ggufc::passes {
namespace {

using ir::Attr;
using ir::AttrValue;
using ir::OpKind;
using ir::ValueId;

// Columns of one way that are adjacent: a quantisation block, so that one work item can quantise its results.
constexpr int64_t kGranule = ir::kQuantBlock;

struct Linear {
  size_t position;  // in the block
  ir::OpId op;
  ir::WeightId weight;
};

bool IsDefinedBy(const ir::Function& function, ValueId value, OpKind kind) {
  const ir::Op* op = function.DefiningOp(value);
  return op != nullptr && op->kind == kind;
}

// Whether the two results meet in mul(gelu(a), b), in either order.
bool MeetInGatedMul(const ir::Function& function, ValueId a, ValueId b) {
  const auto is_gelu_of = [&](ValueId value, ValueId x) {
    return IsDefinedBy(function, value, OpKind::kGelu) && function.DefiningOp(value)->operands[0] == x;
  };
  for (const ir::OpId id : function.block(function.body).ops) {
    const ir::Op& op = function.op(id);
    if (op.kind != OpKind::kMul) continue;
    for (int side = 0; side < 2; ++side) {
      const ValueId l = op.operands[static_cast<size_t>(side)],
                    r = op.operands[static_cast<size_t>(1 - side)];
      if ((is_gelu_of(l, a) && r == b) || (is_gelu_of(l, b) && r == a)) return true;
    }
  }
  return false;
}

// "blk.0.ffn_gate.weight" and "blk.0.ffn_up.weight" give "blk.0.ffn_gate_up.weight": the common prefix once, then the
// differing parts.
std::string MergedName(const ir::Module& module, const std::vector<Linear>& linears) {
  constexpr std::string_view kSuffix = ".weight";
  std::vector<std::string> names;
  for (const Linear& linear : linears) {
    std::string name = module.weight(linear.weight).name;
    if (name.ends_with(kSuffix)) name.resize(name.size() - kSuffix.size());
    names.push_back(std::move(name));
  }
  size_t common = names[0].find_last_of("._") + 1;  // npos + 1 is 0
  for (const std::string& name : names) {
    if (name.compare(0, common, names[0], 0, common) != 0) common = 0;
  }
  std::string merged = names[0];
  for (size_t i = 1; i < names.size(); ++i) {
    merged += '_';
    merged += std::string_view(names[i]).substr(common);
  }
  merged += kSuffix;
  while (module.FindWeight(merged)) merged += '_';
  return merged;
}

void Merge(ir::Module& module, ir::Function& function, const std::vector<Linear>& linears) {
  const bool interleave =
      linears.size() == 2 && module.weight(linears[0].weight).type == module.weight(linears[1].weight).type &&
      MeetInGatedMul(function, function.op(linears[0].op).results[0], function.op(linears[1].op).results[0]);

  ir::Weight merged;
  merged.name = MergedName(module, linears);
  merged.def = interleave ? ir::Weight::Def::kInterleave : ir::Weight::Def::kConcat;
  merged.granule = interleave ? kGranule : 0;
  int64_t rows = 0;
  for (const Linear& linear : linears) {
    const int64_t weight_rows = module.weight(linear.weight).type.dims[0].size;
    rows += interleave ? (weight_rows + kGranule - 1) / kGranule * kGranule : weight_rows;
    merged.sources.push_back(linear.weight);
  }
  const ir::Type& first = module.weight(linears[0].weight).type;
  merged.type = ir::Type::Tensor(first.scalar, rows, first.dims[1]);
  const ir::WeightId weight = module.AddWeight(std::move(merged));
  const ValueId weight_value = function.WeightValue(weight, module.weight(weight).type);

  size_t at = linears[0].position;
  const ValueId x = function.op(linears[0].op).operands[0];
  const ValueId all = InsertOp(module, function, function.body, at,
                               {.kind = OpKind::kLinear,
                                .operands = {x, weight_value},
                                .results = {},
                                .attrs = {},
                                .regions = {},
                                .callee = {}});
  int64_t offset = 0;
  for (size_t i = 0; i < linears.size(); ++i) {
    const ValueId old = function.op(linears[i].op).results[0];
    const int64_t size = function.type(old).columns();
    ir::Op part{.kind = interleave ? OpKind::kDeinterleave : OpKind::kSlice,
                .operands = {all},
                .results = {},
                .attrs = {},
                .regions = {},
                .callee = {}};
    part.Set(AttrValue::Int(Attr::kSize, size));
    if (interleave) {
      part.Set(AttrValue::Int(Attr::kWay, static_cast<int64_t>(i)));
      part.Set(AttrValue::Int(Attr::kWays, static_cast<int64_t>(linears.size())));
      part.Set(AttrValue::Int(Attr::kGranule, kGranule));
    } else {
      part.Set(AttrValue::Int(Attr::kOffset, offset));
      offset += size;
    }
    function.ReplaceAllUses(old, InsertOp(module, function, function.body, at, std::move(part)));
  }
}

}  // namespace

Result<bool> MergeLinears(ir::Module& module, const PassContext&) {
  ir::Function& function = module.forward();
  // Groups of linears that read one value and have weights of one type, in program order.
  std::vector<std::vector<Linear>> groups;
  std::map<std::pair<ValueId, ir::Scalar>, size_t> group_of;
  const auto& ops = function.block(function.body).ops;
  for (size_t i = 0; i < ops.size(); ++i) {
    const ir::Op& op = function.op(ops[i]);
    if (op.kind != OpKind::kLinear) continue;
    const ir::Value& weight = function.value(op.operands[1]);
    if (weight.def != ir::Value::Def::kWeight) continue;
    // A merged weight has tensors of the file as its sources, not derived weights.
    if (module.weight(weight.weight).def != ir::Weight::Def::kTensor) continue;
    const auto [it, fresh] = group_of.try_emplace({op.operands[0], weight.type.scalar}, groups.size());
    if (fresh) groups.emplace_back();
    groups[it->second].push_back({i, ops[i], weight.weight});
  }
  std::erase_if(groups, [](const std::vector<Linear>& group) { return group.size() < 2; });
  // The last group goes first, so that insertions do not move the positions of the others.
  std::sort(groups.begin(), groups.end(),
            [](const auto& a, const auto& b) { return a[0].position > b[0].position; });
  for (const auto& group : groups) Merge(module, function, group);
  if (!groups.empty()) EraseDeadOps(function, function.body);
  return !groups.empty();
}

}  // namespace ggufc::passes
