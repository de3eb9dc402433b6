// Algorithm. The first walk, in program order, replaces operands by the values they were merged with, replaces index
// arithmetic on constants by a constant, and merges a pure op with an equal op seen earlier in this region or in one
// around it. Floats are never folded, so their bits come from the machine that runs the code. The second walk,
// backwards, removes ops without effect whose results have no uses.
#include "passes/loop/simplify.h"

#include <algorithm>
#include <bit>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "passes/rewrite.h"

namespace ggufc::passes {
namespace {

using ir::Attr;
using ir::AttrValue;
using ir::Op;
using ir::OpId;
using ir::OpKind;
using ir::ValueId;

// Whether the op's result depends on its operands and attributes alone, and the op has no side effect.
bool IsPure(OpKind kind) {
  switch (kind) {
    case OpKind::kLoad:
    case OpKind::kStore:
    case OpKind::kCall:
    case OpKind::kReturn:
    case OpKind::kYield:
    case OpKind::kPrefetch:
    case OpKind::kFor:
    case OpKind::kIf:
    case OpKind::kSwitch:
    case OpKind::kScratch:
    case OpKind::kBuffer:
      return false;
    default:
      return true;
  }
}

class Simplifier {
 public:
  explicit Simplifier(ir::Function& function) : function_(function), replacement_(function.values.size()) {
    constants_.resize(function.values.size());
  }

  bool Run() {
    MergeAndFold(function_.body);
    uses_ = CountUses(function_);
    RemoveDeadOps(function_.body);
    return changed_;
  }

 private:
  // Two pure ops with equal keys compute the same value.
  using Key = std::tuple<OpKind, std::vector<ValueId>, std::vector<int64_t>, int, int, int>;

  Key KeyOf(const Op& op) const {
    std::vector<int64_t> attrs;
    for (const AttrValue& attr : op.attrs) {
      // Floats by their bits: 0 and -0 compare equal but are different constants.
      attrs.insert(attrs.end(), {static_cast<int64_t>(attr.attr), attr.i, std::bit_cast<int64_t>(attr.f)});
    }
    const ir::Type& type = function_.type(op.results[0]);
    return {op.kind,   op.operands, attrs, static_cast<int>(type.form), static_cast<int>(type.scalar),
            type.lanes};
  }

  std::optional<int64_t> ConstantOf(ValueId id) const { return constants_[id.index]; }

  // The value of an index op on constants; none if it overflows, traps or is not folded.
  static std::optional<int64_t> Fold(OpKind kind, int64_t a, int64_t b) {
    constexpr int64_t kExact = int64_t{1} << 53;  // constants are stored as doubles, exact below this
    int64_t r = 0;
    switch (kind) {
      case OpKind::kAdd:
        if (__builtin_add_overflow(a, b, &r)) return {};
        break;
      case OpKind::kSub:
        if (__builtin_sub_overflow(a, b, &r)) return {};
        break;
      case OpKind::kMul:
        if (__builtin_mul_overflow(a, b, &r)) return {};
        break;
      case OpKind::kDiv:
        if (a < 0 || b <= 0) return {};
        r = a / b;
        break;
      case OpKind::kRem:
        if (a < 0 || b <= 0) return {};
        r = a % b;
        break;
      case OpKind::kMin:
        r = std::min(a, b);
        break;
      case OpKind::kMax:
        r = std::max(a, b);
        break;
      default:
        return {};
    }
    if (r >= kExact || r < -kExact) return {};
    return r;
  }

  // The operand that the op is equal to, if any: x + 0, x * 1 and similar.
  std::optional<ValueId> EqualOperand(const Op& op) const {
    if (op.operands.size() != 2 || function_.type(op.results[0]) != ir::IndexType()) return {};
    const auto a = ConstantOf(op.operands[0]), b = ConstantOf(op.operands[1]);
    switch (op.kind) {
      case OpKind::kAdd:
        if (a == 0) return op.operands[1];
        if (b == 0) return op.operands[0];
        return {};
      case OpKind::kSub:
        return b == 0 ? std::optional(op.operands[0]) : std::nullopt;
      case OpKind::kMul:
        if (a == 1 || b == 0) return op.operands[1];
        if (b == 1 || a == 0) return op.operands[0];
        return {};
      case OpKind::kDiv:
        return b == 1 ? std::optional(op.operands[0]) : std::nullopt;
      default:
        return {};
    }
  }

  void MergeAndFold(ir::BlockId block) {
    std::vector<Key> added;
    std::vector<OpId> kept;
    for (const OpId id : function_.block(block).ops) {
      Op& op = function_.op(id);
      for (ValueId& operand : op.operands) {
        if (replacement_[operand.index].valid()) operand = replacement_[operand.index];
      }
      if (op.operands.size() == 2 && op.results.size() == 1 &&
          function_.type(op.results[0]) == ir::IndexType()) {
        const auto a = ConstantOf(op.operands[0]), b = ConstantOf(op.operands[1]);
        if (const auto folded = a && b ? Fold(op.kind, *a, *b) : std::nullopt) {
          op.kind = OpKind::kConst;
          op.operands.clear();
          op.attrs = {AttrValue::Float(Attr::kValue, static_cast<double>(*folded))};
          changed_ = true;
        }
      }
      if (op.kind == OpKind::kConst && function_.type(op.results[0]) == ir::IndexType()) {
        constants_[op.results[0].index] = static_cast<int64_t>(op.Float(Attr::kValue));
      }
      if (const auto same = op.results.size() == 1 ? EqualOperand(op) : std::nullopt) {
        replacement_[op.results[0].index] = *same;
        changed_ = true;
        continue;
      }
      if (IsPure(op.kind)) {
        Key key = KeyOf(op);
        const auto [it, fresh] = seen_.try_emplace(key, op.results[0]);
        if (!fresh) {
          replacement_[op.results[0].index] = it->second;
          changed_ = true;
          continue;
        }
        added.push_back(std::move(key));
      }
      kept.push_back(id);
      const std::vector<ir::BlockId> regions = op.regions;
      for (const ir::BlockId region : regions) MergeAndFold(region);
    }
    function_.block(block).ops = std::move(kept);
    for (const Key& key : added) seen_.erase(key);
  }

  // Whether the op has a side effect, in a nested region included.
  bool HasEffect(const Op& op) const {
    if (op.kind == OpKind::kFor || op.kind == OpKind::kIf || op.kind == OpKind::kSwitch) {
      for (const ir::BlockId region : op.regions) {
        for (const OpId id : function_.block(region).ops) {
          if (function_.op(id).kind != OpKind::kYield && HasEffect(function_.op(id))) return true;
        }
      }
      return false;
    }
    return !IsPure(op.kind) && op.kind != OpKind::kLoad && op.kind != OpKind::kScratch &&
           op.kind != OpKind::kBuffer;
  }

  void ReleaseOperands(const Op& op) {
    for (const ValueId operand : op.operands) --uses_[operand.index];
    for (const ir::BlockId region : op.regions) {
      for (const OpId id : function_.block(region).ops) ReleaseOperands(function_.op(id));
    }
  }

  void RemoveDeadOps(ir::BlockId block) {
    std::vector<OpId> kept;
    const std::vector<OpId> ops = function_.block(block).ops;
    for (size_t i = ops.size(); i-- > 0;) {
      const Op& op = function_.op(ops[i]);
      for (const ir::BlockId region : op.regions) RemoveDeadOps(region);
      const bool used = std::any_of(op.results.begin(), op.results.end(),
                                    [&](ValueId result) { return uses_[result.index] > 0; });
      if (used || op.kind == OpKind::kYield || HasEffect(op)) {
        kept.push_back(ops[i]);
      } else {
        ReleaseOperands(op);
        changed_ = true;
      }
    }
    std::reverse(kept.begin(), kept.end());
    function_.block(block).ops = std::move(kept);
  }

  ir::Function& function_;
  std::vector<ValueId> replacement_;
  std::vector<std::optional<int64_t>> constants_;
  std::map<Key, ValueId> seen_;
  std::vector<uint32_t> uses_;
  bool changed_ = false;
};

}  // namespace

Result<bool> Simplify(ir::Module& module, const PassContext&) {
  bool changed = false;
  for (ir::Function& function : module.functions) changed |= Simplifier(function).Run();
  return changed;
}

}  // namespace ggufc::passes
