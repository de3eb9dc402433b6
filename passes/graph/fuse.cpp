// Algorithm. Ops are walked in program order.
//   * An anchor (embed, linear, attention, mean_pool) opens a kernel.
//   * A column-local op (slice, deinterleave, gelu, mul, add, scale, grouped rms_norm, rope_table, quantize) joins the
//     epilogue of a kernel with a linear anchor if all its tensor operands are the anchor's result or results of that
//     epilogue, and all are computed from the same part of the anchor's columns. A part is all of the columns, one
//     slice, or the ways of one deinterleave.
//   * Any other row-wise op waits. It joins the prologue of the first kernel that needs its result. Attention and embed
//     take no prologue, so waiting ops that they need become a row-wise kernel. So do waiting ops that are returned.
// A kernel's parameters are the values and weights that it reads from outside, in order of first use. Its results are
// the values that other kernels, or the return, read. Kernels with equal text become one function.
#include "passes/graph/fuse.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "ir/core/builder.h"
#include "ir/text/printer.h"
#include "passes/kernel/kernel_shape.h"
#include "passes/rewrite.h"

namespace ggufc::passes {
namespace {

using ir::Attr;
using ir::OpId;
using ir::OpKind;
using ir::ValueId;

struct Kernel {
  OpKind anchor = OpKind::kReturn;  // kReturn: row-wise only
  ir::Symbol rows = ir::Symbol::kT;
  int64_t unit = 0;  // columns of the anchor's result that the epilogue needs together; 0: any number
  std::vector<OpId> prologue;
  std::vector<OpId> anchor_and_epilogue;
};

constexpr int kNone = -1, kWaiting = -2;

class Fuser {
 public:
  explicit Fuser(ir::Module& module) : module_(module), old_(module.forward()) {}

  Result<bool> Run() {
    // A dead op would become a kernel without results, or count as a reader of the model's result.
    EraseDeadOps(old_, old_.body);
    uses_ = CountUses(old_);
    kernel_of_.assign(old_.values.size(), kNone);
    for (const OpId id : old_.block(old_.body).ops) RETURN_IF_ERROR(AssignOp(id));
    Outline();
    return true;
  }

 private:
  static bool IsAnchor(OpKind kind) {
    return kind == OpKind::kEmbed || kind == OpKind::kLinear || kind == OpKind::kAttention ||
           kind == OpKind::kMeanPool;
  }

  bool IsOpResult(ValueId id) const { return old_.value(id).def == ir::Value::Def::kResult; }

  // Whether each group of columns of the result depends on the same columns of the operands only.
  bool IsColumnLocal(const ir::Op& op) const {
    switch (op.kind) {
      case OpKind::kSlice:
      case OpKind::kDeinterleave:
      case OpKind::kGelu:
      case OpKind::kMul:
      case OpKind::kAdd:
      case OpKind::kScaleBy:
      case OpKind::kRopeTable:
      case OpKind::kQuantize:
        return true;
      case OpKind::kRmsNorm:
        return op.Int(Attr::kGroup) > 0;
      default:
        return false;
    }
  }

  // The kernel whose epilogue `op` joins, or kNone. A slice of a slice starts a new kernel, because a unit of its
  // columns must map to one unit of the linear's.
  int KernelToJoin(const ir::Op& op) const {
    if (!IsColumnLocal(op)) return kNone;
    int kernel = kNone;
    for (const ValueId operand : op.operands) {
      if (old_.value(operand).def == ir::Value::Def::kWeight) continue;
      const int maker = kernel_of_[operand.index];
      if (maker < 0 || kernels_[static_cast<size_t>(maker)].anchor != OpKind::kLinear ||
          InPrologue(maker, operand))
        return kNone;
      if (kernel != kNone && kernel != maker) return kNone;
      kernel = maker;
    }
    if (kernel == kNone || !ReadsOnePart(op)) return kNone;
    if (!UnitFits(kernels_[static_cast<size_t>(kernel)], op)) return kNone;
    const bool selects = op.kind == OpKind::kSlice || op.kind == OpKind::kDeinterleave;
    const bool of_anchor = old_.DefiningOp(op.operands[0])->kind == OpKind::kLinear;
    if (selects) return of_anchor ? kernel : kNone;
    // If the epilogue already slices the result, an op that reads the unsliced result starts a new kernel. A slice may
    // still join an epilogue that reads the unsliced result.
    if (SlicesAnchor(kernels_[static_cast<size_t>(kernel)])) {
      for (const ValueId operand : op.operands) {
        if (IsOpResult(operand) && old_.DefiningOp(operand)->kind == OpKind::kLinear) return kNone;
      }
    }
    return kernel;
  }

  // The op that stands for the part of the anchor's columns from which `value`, a result of an epilogue, is computed:
  // the anchor, a slice, or the anchor's first deinterleave for all ways.
  OpId PartOf(ValueId value) const {
    const OpId id = old_.value(value).op;
    const ir::Op& op = old_.op(id);
    if (op.kind == OpKind::kLinear || op.kind == OpKind::kSlice) return id;
    if (op.kind != OpKind::kDeinterleave) return PartOf(op.operands[0]);
    const auto& ops = kernels_[static_cast<size_t>(kernel_of_[value.index])].anchor_and_epilogue;
    return *std::find_if(ops.begin(), ops.end(),
                         [&](OpId of) { return old_.op(of).kind == OpKind::kDeinterleave; });
  }

  // Whether all operands of `op` are computed from one part of the anchor's columns.
  bool ReadsOnePart(const ir::Op& op) const {
    OpId part;
    for (const ValueId operand : op.operands) {
      if (!IsOpResult(operand)) continue;
      if (part.valid() && PartOf(operand) != part) return false;
      part = PartOf(operand);
    }
    return true;
  }

  // Columns of the anchor's result that `op` needs together; 0: any number. A group size that divides 16 never
  // straddles a panel, so it needs one panel.
  static int64_t RequiredUnit(const ir::Op& op) {
    switch (op.kind) {
      case OpKind::kRmsNorm:
        return kPanelColumns % op.Int(Attr::kGroup) == 0 ? kPanelColumns : op.Int(Attr::kGroup);
      case OpKind::kRopeTable:
        return kPanelColumns % op.Int(Attr::kHeadDim) == 0 ? kPanelColumns : op.Int(Attr::kHeadDim);
      case OpKind::kDeinterleave:
        return op.Int(Attr::kWays) * op.Int(Attr::kGranule);
      default:
        return 0;
    }
  }

  // Whether one unit serves the ops of the kernel and `op`, and no slice cuts a unit. A quantize needs whole blocks of
  // 32 columns: in the granules of a deinterleave, or in the units of an epilogue that does not slice.
  bool UnitFits(const Kernel& kernel, const ir::Op& op) const {
    int64_t unit = RequiredUnit(op);
    const auto way = std::find_if(kernel.anchor_and_epilogue.begin(), kernel.anchor_and_epilogue.end(),
                                  [&](OpId id) { return old_.op(id).kind == OpKind::kDeinterleave; });
    if (way != kernel.anchor_and_epilogue.end() && op.kind == OpKind::kDeinterleave &&
        !EqualButForWay(old_.op(*way), op))
      return false;
    // After a deinterleave an op works on one granule, which is less than the unit.
    if (way != kernel.anchor_and_epilogue.end() && unit > 0 && op.kind != OpKind::kDeinterleave) return false;
    if (op.kind == OpKind::kQuantize) {
      if (way == kernel.anchor_and_epilogue.end() ||
          old_.op(*way).Int(Attr::kGranule) % ir::kQuantBlock != 0) {
        if (SlicesAnchor(kernel) || kernel.unit % ir::kQuantBlock != 0) return false;
        if (kernel.unit == 0) unit = ir::kQuantBlock;
      }
    }
    if (unit > 0 && kernel.unit > 0 && unit != kernel.unit) return false;
    if (unit == 0) unit = kernel.unit;
    const auto aligned = [&](const ir::Op& slice) {
      const int64_t grid = unit > 0 ? unit : kPanelColumns;
      const bool whole = slice.Int(Attr::kSize) % grid == 0 || unit == 0;
      return slice.kind != OpKind::kSlice || (slice.Int(Attr::kOffset) % grid == 0 && whole);
    };
    return aligned(op) && std::all_of(kernel.anchor_and_epilogue.begin(), kernel.anchor_and_epilogue.end(),
                                      [&](OpId id) { return aligned(old_.op(id)); });
  }

  // Whether the epilogue has a slice or deinterleave.
  bool SlicesAnchor(const Kernel& kernel) const {
    const auto& ops = kernel.anchor_and_epilogue;
    return std::any_of(ops.begin(), ops.end(), [&](OpId id) {
      return old_.op(id).kind == OpKind::kSlice || old_.op(id).kind == OpKind::kDeinterleave;
    });
  }

  bool InPrologue(int kernel, ValueId value) const {
    const auto& ops = kernels_[static_cast<size_t>(kernel)].prologue;
    return std::find(ops.begin(), ops.end(), old_.value(value).op) != ops.end();
  }

  ir::Symbol RowsOf(ValueId value) const { return old_.type(value).dims[0].symbol; }

  Status AssignOp(OpId id) {
    const ir::Op& op = old_.op(id);
    if (op.kind == OpKind::kReturn) {
      for (const ValueId operand : op.operands) Materialize(operand);
      return {};
    }
    if (op.results.size() != 1) return Err("op {} is not an op of the graph stage", ir::Info(op.kind).name);
    if (IsAnchor(op.kind)) {
      const bool takes_prologue = op.kind == OpKind::kLinear || op.kind == OpKind::kMeanPool;
      if (!takes_prologue) {
        for (const ValueId operand : op.operands) Materialize(operand);
      }
      if (op.kind == OpKind::kMeanPool) MaterializeShared(op.operands[0]);
      Kernel kernel;
      kernel.anchor = op.kind;
      kernel.rows = RowsOf(op.results[0]);
      const int index = static_cast<int>(kernels_.size());
      if (takes_prologue) MoveToPrologue(op.operands[0], index, kernel.prologue);
      kernel.anchor_and_epilogue.push_back(id);
      kernels_.push_back(std::move(kernel));
      kernel_of_[op.results[0].index] = index;
      return {};
    }
    if (const int kernel = KernelToJoin(op); kernel != kNone) {
      int64_t& unit = kernels_[static_cast<size_t>(kernel)].unit;
      if (unit == 0) unit = op.kind == OpKind::kQuantize ? ir::kQuantBlock : RequiredUnit(op);
      kernels_[static_cast<size_t>(kernel)].anchor_and_epilogue.push_back(id);
      kernel_of_[op.results[0].index] = kernel;
      return {};
    }
    kernel_of_[op.results[0].index] = kWaiting;
    return {};
  }

  // Moves the waiting op that defines `value`, and the waiting ops that it needs, to `prologue`, operands first.
  void MoveToPrologue(ValueId value, int kernel, std::vector<OpId>& prologue) {
    if (!IsOpResult(value) || kernel_of_[value.index] != kWaiting) return;
    const OpId id = old_.value(value).op;
    for (const ValueId operand : old_.op(id).operands) MoveToPrologue(operand, kernel, prologue);
    kernel_of_[value.index] = kernel;
    prologue.push_back(id);
  }

  // A kernel over sequences cannot return the values of its prologue, which are per token. Waiting values that `value`
  // needs and that other ops read too get kernels of their own.
  void MaterializeShared(ValueId value) {
    if (!IsOpResult(value) || kernel_of_[value.index] != kWaiting) return;
    if (uses_[value.index] > 1) return Materialize(value);
    for (const ValueId operand : old_.op(old_.value(value).op).operands) MaterializeShared(operand);
  }

  // Gives a waiting value a row-wise kernel of its own.
  void Materialize(ValueId value) {
    if (!IsOpResult(value) || kernel_of_[value.index] != kWaiting) return;
    Kernel kernel;
    kernel.rows = RowsOf(value);
    const int index = static_cast<int>(kernels_.size());
    MoveToPrologue(value, index, kernel.prologue);
    kernels_.push_back(std::move(kernel));
  }

  std::string KernelName(const Kernel& kernel) const {
    switch (kernel.anchor) {
      case OpKind::kEmbed:
        return "embed";
      case OpKind::kAttention: {
        const ir::Op& op = old_.op(kernel.anchor_and_epilogue[0]);
        return op.Int(Attr::kWindow) > 0 ? "attention.local" : "attention.global";
      }
      case OpKind::kMeanPool:
        return "pool";
      case OpKind::kReturn:
        return "finish";
      default: {
        // A linear is named after its weight: blk.0.attn_output.weight gives attn_output.
        const ir::Value& weight = old_.value(old_.op(kernel.anchor_and_epilogue[0]).operands[1]);
        std::string name =
            weight.def == ir::Value::Def::kWeight ? module_.weight(weight.weight).name : "linear";
        if (name.ends_with(".weight")) name.resize(name.size() - 7);
        const size_t dot = name.rfind('.');
        return dot == std::string::npos ? name : name.substr(dot + 1);
      }
    }
  }

  // Makes one function per kernel and the forward function that calls them.
  void Outline() {
    const ir::Function old = old_;  // a copy: adding functions moves the module's own
    ir::Module out;
    out.name = module_.name;
    out.stage = ir::Stage::kKernel;
    out.weights = module_.weights;
    ir::Function forward_function;
    forward_function.name = old.name;
    forward_function.kind = ir::Function::Kind::kForward;
    forward_function.result_types = old.result_types;
    const ir::FunctionId forward = out.AddFunction(std::move(forward_function));
    std::map<ValueId, ValueId> outer;  // old value -> value in the new forward
    for (const ValueId param : old.params) {
      outer[param] = out.forward().AddParam(old.type(param), old.value(param).name);
    }
    ir::Builder calls(out, forward);
    std::map<std::string, ir::FunctionId> by_text;

    std::vector<bool> read_outside(old.values.size());
    MarkEscapes(read_outside);

    for (const Kernel& kernel : kernels_) {
      std::vector<OpId> ops = kernel.prologue;
      ops.insert(ops.end(), kernel.anchor_and_epilogue.begin(), kernel.anchor_and_epilogue.end());

      ir::Function function;
      function.kind = ir::Function::Kind::kKernel;
      function.domain.rows = kernel.anchor == OpKind::kAttention ? ir::Symbol::kQ : kernel.rows;
      std::map<ValueId, ValueId> inner;
      std::vector<ValueId> arguments, escapes;
      for (const OpId id : ops) {
        const ir::Op& op = old.op(id);
        for (const ValueId operand : op.operands) {
          if (inner.contains(operand)) continue;
          inner[operand] = function.AddParam(old.type(operand));
          const ir::Value& value = old.value(operand);
          arguments.push_back(value.def == ir::Value::Def::kWeight ? calls.Weight(value.weight)
                                                                   : outer.at(operand));
        }
        inner[op.results[0]] = {};  // set below; the entry keeps a result from becoming a parameter
      }
      function.name = KernelName(kernel);
      const ir::FunctionId id = out.AddFunction(std::move(function));
      ir::Builder body(out, id);
      for (const OpId op_id : ops) {
        const ir::Op& op = old.op(op_id);
        std::vector<ValueId> operands;
        for (const ValueId operand : op.operands) operands.push_back(inner.at(operand));
        inner[op.results[0]] = body.Emit(op.kind, operands, op.attrs, old.type(op.results[0]));
        if (read_outside[op.results[0].index]) escapes.push_back(op.results[0]);
      }
      std::vector<ValueId> returned;
      for (const ValueId escape : escapes) {
        returned.push_back(inner.at(escape));
        out.function(id).result_types.push_back(old.type(escape));
      }
      body.Return(returned);

      const std::string text = ir::Print(out, out.function(id), false);
      const auto [it, fresh] = by_text.try_emplace(text, id);
      if (fresh) {
        std::string unique = out.function(id).name;
        for (int n = 2; IsNameTaken(out, unique, id); ++n)
          unique = fmt::format("{}.{}", out.function(id).name, n);
        out.function(id).name = unique;
      } else {
        out.functions.pop_back();
      }
      const std::vector<ValueId> results = calls.EmitCall(it->second, arguments);
      for (size_t i = 0; i < escapes.size(); ++i) outer[escapes[i]] = results[i];
    }
    std::vector<ValueId> returned;
    for (const ValueId value : old.op(old.block(old.body).ops.back()).operands)
      returned.push_back(outer.at(value));
    calls.Return(returned);
    module_ = std::move(out);
  }

  static bool IsNameTaken(const ir::Module& module, const std::string& name, ir::FunctionId self) {
    for (size_t i = 0; i < module.functions.size(); ++i) {
      if (i != self.index && module.functions[i].name == name) return true;
    }
    return false;
  }

  // Marks the values that an op of another kernel, or the return, reads.
  void MarkEscapes(std::vector<bool>& escapes) const {
    std::vector<int> kernel_of_op(old_.ops.size(), kNone);
    for (size_t k = 0; k < kernels_.size(); ++k) {
      for (const OpId id : kernels_[k].prologue) kernel_of_op[id.index] = static_cast<int>(k);
      for (const OpId id : kernels_[k].anchor_and_epilogue) kernel_of_op[id.index] = static_cast<int>(k);
    }
    for (const OpId id : old_.block(old_.body).ops) {
      const ir::Op& op = old_.op(id);
      for (const ValueId operand : op.operands) {
        if (!IsOpResult(operand)) continue;
        if (kernel_of_op[old_.value(operand).op.index] != kernel_of_op[id.index])
          escapes[operand.index] = true;
      }
    }
  }

  ir::Module& module_;
  ir::Function& old_;
  std::vector<uint32_t> uses_;
  std::vector<Kernel> kernels_;
  std::vector<int> kernel_of_;  // value -> kernel; kNone for parameters and weights; kWaiting
};

}  // namespace

Result<bool> Fuse(ir::Module& module, const PassContext&) { return Fuser(module).Run(); }

}  // namespace ggufc::passes
