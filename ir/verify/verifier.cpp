// The invariants of every module between two passes.
//
// Module
//   * Names of weights are unique and not empty; so are names of functions.
//   * functions[0] is called `forward` and is the only one of kind kForward. The graph stage has no other
//     function, the kernel stage has kernels, the loop stage kernels and micro-kernels.
// Weights
//   * Types are tensors of f32, f16, bf16 or q8_0 with constant sizes; vectors are f32; q8_0 rows consist of whole
//     blocks.
//   * Sources are declared above the weight, and definitions nest at most 64 deep. Concat: the sources are matrices of
//     one element type and row length; the weight has all their rows. Interleave: the sources also have equal numbers of
//     rows, which are padded to whole granules. Scale: one source, an f32 vector of the same type; factor is not 0. Rope
//     table: no source, f32, even width, theta (factor) > 0. Granule and factor are 0 in definitions without them.
//   * pack and unit are both 0 or both set. If set, the weight is a matrix, and pack is 2 or 4 for q8_0, else 1.
// Signatures
//   * graph, kernel: forward(i32[T]) -> (f32[B,dims]). loop: forward(ids i32[T], positions i32[T], key_slots
//     i32[T], sequences i32[B,4], query tiles i32[Q,4], out f32[B,dims]), no results.
//   * A kernel's domain has rows T, B or Q, at least one column unit, and grains of 0 or more. At the kernel
//     stage its parameters and results are tensors, and results have the domain's rows (T for Q). Rows are Q if
//     and only if it has an attention; the column units are those of its linear's result, or 1. At the loop stage its
//     parameters are addresses, then (scratch: ptr, r0, r1, c0, c1: index), and it returns nothing.
//   * A micro-kernel takes ptr, index, f32 and i32, may return scalars and vectors, and has no domain.
// Values
//   * Ids are in range. Each value is defined once, as a parameter, a block argument, the result of one op, or a weight,
//     and Value::def agrees. Values of weights are used in `forward` only and have the weight's type.
//   * An operand is a parameter, a weight, or defined above: earlier in its block or in an enclosing block.
//   * Tensor sizes are symbols or 1 to 2^31; only rows may be symbols. Quantised rows consist of whole blocks.
// Ops
//   * The op is allowed at the stage. Numbers of operands, results and regions are those of ops.def. Attributes are those
//     of ops.def, in its order and in range; required ones are present. Result types are those of InferTypes.
//   * Blocks and ops are used once. Regions nest at most 64 deep. A body ends in the only `return` of its
//     function, with the function's result types; a region ends in its only `yield`.
//   * for: step is a positive constant; the region takes (index, carried...) and yields the carried types.
//     if, switch: regions take and yield nothing; a switch has 1 to 64 regions.
//   * Calls: forward calls kernels; at the loop stage kernels and micro-kernels call micro-kernels. There is no recursion.
//     After fusion `forward` is straight-line: calls, `return` and, at the loop stage, buffers.
//   * A linear has the pack and unit of its weight, also if the weight is a parameter of its kernel.
//   * buffer occurs only in forward, scratch only in a kernel's body, outside regions. Either all buffers have an offset
//     or none. The same holds for the scratch areas of a kernel; those with an offset lie within its scratch_bytes.
#include "ir/verify/verifier.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "ir/core/builder.h"
#include "ir/text/printer.h"
#include "ir/verify/infer.h"
#include "ir/verify/verify_weights.h"

namespace ggufc::ir {
namespace {

constexpr int kMaxDepth = 64;
constexpr size_t kMaxCases = 64;
constexpr int64_t kMaxGrain = int64_t{1} << 31;

class FunctionVerifier {
 public:
  FunctionVerifier(const Module& module, const Function& function)
      : module_(module),
        function_(function),
        defined_(function.values.size(), false),
        visible_(function.values.size(), false),
        op_seen_(function.ops.size(), false),
        block_seen_(function.blocks.size(), false) {}

  Status CheckSignature() const { return InFunction(Signature()); }

  // Assumes that the signatures of all functions are valid.
  Status CheckBody() { return InFunction(Body()); }

 private:
  bool IsForward() const { return function_.kind == Function::Kind::kForward; }
  bool IsLoop() const { return module_.stage == Stage::kLoop; }

  Status InFunction(Status status) const {
    return WithContext(fmt::format("function @{}", function_.name), std::move(status));
  }

  Status Body() {
    for (const ValueId param : function_.params) RETURN_IF_ERROR(Define(param, Value::Def::kParam));
    RETURN_IF_ERROR(CheckBlock(function_.body, nullptr, {}, 1));
    if (function_.kind == Function::Kind::kKernel && !IsLoop()) RETURN_IF_ERROR(CheckDomain());
    if (placed_ != 0 && unplaced_ != 0) {
      return Err("{} of {} {} have an offset, expected all or none", placed_, placed_ + unplaced_,
                 IsForward() ? "buffers" : "scratch areas");
    }
    return {};
  }

  // ---- signatures ----
  Status Signature() const {
    for (const ValueId param : function_.params) {
      if (param.index >= function_.values.size()) return Err("a parameter is not a value of the function");
    }
    switch (function_.kind) {
      case Function::Kind::kForward:
        return CheckForwardSignature();
      case Function::Kind::kKernel:
        return CheckKernelSignature();
      case Function::Kind::kMicro:
        return CheckMicroSignature();
    }
    return {};
  }

  // The domain must match the ops: rows of query tiles for attention, column units for a linear.
  Status CheckDomain() const {
    bool attends = false;
    int64_t units = 1;
    for (const OpId id : function_.block(function_.body).ops) {
      const Op& op = function_.op(id);
      attends |= op.kind == OpKind::kAttention;
      const int64_t unit = op.kind == OpKind::kLinear ? op.Int(Attr::kUnit) : 0;
      if (unit > 0) units = (function_.type(op.results[0]).columns() + unit - 1) / unit;
    }
    if ((function_.domain.rows == Symbol::kQ) != attends) {
      return Err("the domain has rows({}), expected {}", ir::Name(function_.domain.rows),
                 attends ? "Q for attention" : "T or B without attention");
    }
    if (function_.domain.cols != units) {
      return Err("{} column units, expected {}", function_.domain.cols, units);
    }
    return {};
  }

  bool ParamIs(size_t i, const Type& type) const { return function_.type(function_.params[i]) == type; }

  Status CheckForwardSignature() const {
    const Type tokens = Type::Tensor(Scalar::kI32, Symbol::kT);
    const auto is_output = [](const Type& t) {
      return t.IsTensor() && t.rank == 2 && t.scalar == Scalar::kF32 && t.rows() == Dim(Symbol::kB);
    };
    if (function_.domain != Domain()) return Err("forward has no domain");
    if (!IsLoop()) {
      const bool fits = function_.params.size() == 1 && ParamIs(0, tokens) &&
                        function_.result_types.size() == 1 && is_output(function_.result_types[0]);
      if (!fits) return Err("expected (i32[T]) -> (f32[B,dims])");
      return CheckTensor(function_.result_types[0]);
    }
    bool fits = function_.params.size() == kBatchTables + 1 && function_.result_types.empty();
    std::string expected;
    for (size_t i = 0; i < kBatchTables; ++i) {
      const Type type = TypeOf(static_cast<BatchTable>(i));
      fits = fits && ParamIs(i, type);
      expected += ToString(type) + ", ";
    }
    if (fits && is_output(function_.type(function_.params.back()))) return {};
    return Err("expected ({}f32[B,dims])", expected);
  }

  Status CheckKernelSignature() const {
    const Domain& domain = function_.domain;
    if (domain.rows == Symbol::kNone) return Err("a kernel needs a domain with rows");
    if (domain.cols < 1 || domain.cols > kMaxDim)
      return Err("{} column units, expected 1 or more", domain.cols);
    for (const int64_t grain : {domain.row_grain, domain.col_grain}) {
      if (grain < 0 || grain > kMaxGrain) return Err("grain {} (0 to {})", grain, kMaxGrain);
    }
    if (domain.scratch_bytes < 0) return Err("{} bytes of scratch", domain.scratch_bytes);
    if (IsLoop()) {
      const size_t count = function_.params.size();
      bool fits = count >= kItemParams && function_.result_types.empty();
      for (size_t i = 0; fits && i < count; ++i)
        fits = ParamIs(i, i + kItemParams - 1 < count ? PtrType() : IndexType());
      if (!fits) return Err("expected (ptr..., scratch: ptr, r0, r1, c0, c1: index) and no results");
      return {};
    }
    for (const ValueId param : function_.params) {
      if (!function_.type(param).IsTensor()) return Err("a parameter is not a tensor");
    }
    const Symbol rows = domain.rows == Symbol::kQ ? Symbol::kT : domain.rows;
    for (const Type& type : function_.result_types) {
      if (!type.IsTensor() || type.rank != 2 || type.rows() != Dim(rows)) {
        return Err("result of type {}, expected rows {}", ToString(type), ir::Name(rows));
      }
    }
    return {};
  }

  Status CheckMicroSignature() const {
    if (function_.domain != Domain()) return Err("a micro-kernel has no domain");
    for (const ValueId param : function_.params) {
      const Type& t = function_.type(param);
      if (t != PtrType() && t != IndexType() && t != F32Type() && t != I32Type()) {
        return Err("parameter of type {}, expected ptr, index, f32 or i32", ToString(t));
      }
    }
    for (const Type& t : function_.result_types) {
      if (!t.IsScalar() && !t.IsVector())
        return Err("result of type {}, expected a scalar or vector", ToString(t));
    }
    return {};
  }

  // ---- values ----
  Status CheckTensor(const Type& type) const {
    if (!type.IsTensor()) return {};
    for (int i = 0; i < type.rank; ++i) {
      const Dim& dim = type.dims[i];
      if (dim.symbol == Symbol::kNone && (dim.size < 1 || dim.size > kMaxDim)) {
        return Err("size {} in {} (1 to {})", dim.size, ToString(type), kMaxDim);
      }
    }
    if (type.rank == 2 && type.dims[1].symbol != Symbol::kNone)
      return Err("{}: only the number of rows may be symbolic", ToString(type));
    const bool blocks = IsActivationQuant(type.scalar) || type.scalar == Scalar::kQ8_0;
    if (blocks && (type.rank != 2 || type.columns() % kQuantBlock != 0)) {
      return Err("{}: expected rows of whole blocks of {}", ToString(type), kQuantBlock);
    }
    return {};
  }

  Status Define(ValueId id, Value::Def def) {
    if (id.index >= function_.values.size())
      return Err("value {}, but the function has {}", id.index, function_.values.size());
    if (defined_[id.index]) return Err("value {} is defined twice", id.index);
    if (function_.value(id).def != def)
      return Err("value {} is defined differently from its Value::def", id.index);
    RETURN_IF_ERROR(CheckTensor(function_.type(id)));
    defined_[id.index] = visible_[id.index] = true;
    return {};
  }

  Status CheckOperand(ValueId id) const {
    if (id.index >= function_.values.size()) return Err("an operand is not a value of the function");
    const Value& v = function_.value(id);
    if (v.def == Value::Def::kWeight) {
      if (!IsForward()) return Err("a weight is used outside forward");
      if (v.weight.index >= module_.weights.size())
        return Err("an operand refers to a weight that does not exist");
      const Type& expected = module_.weight(v.weight).type;
      if (v.type != expected)
        return Err("the weight has type {}, its value {}", ToString(expected), ToString(v.type));
      return {};
    }
    if (!visible_[id.index]) return Err("an operand is not defined above");
    return {};
  }

  // ---- blocks ----
  // `parent` is the op whose region this is, null for the body; `args` are the expected types of its arguments.
  Status CheckBlock(BlockId id, const Op* parent, const std::vector<Type>& args, int depth) {
    if (id.index >= function_.blocks.size()) return Err("the block does not exist");
    if (block_seen_[id.index]) return Err("block {} is used twice", id.index);
    if (depth > kMaxDepth) return Err("regions nest deeper than {}", kMaxDepth);
    block_seen_[id.index] = true;
    const Block& block = function_.block(id);
    if (block.args.size() != args.size())
      return Err("a region takes {} arguments, expected {}", block.args.size(), args.size());
    std::vector<ValueId> defined_here;
    for (size_t i = 0; i < args.size(); ++i) {
      RETURN_IF_ERROR(Define(block.args[i], Value::Def::kBlockArg));
      defined_here.push_back(block.args[i]);
      if (function_.type(block.args[i]) != args[i]) {
        return Err("region argument {} is {}, expected {}", i + 1, ToString(function_.type(block.args[i])),
                   ToString(args[i]));
      }
    }
    const OpKind last = parent == nullptr ? OpKind::kReturn : OpKind::kYield;
    if (block.ops.empty()) return Err("the block is empty, expected {}", Info(last).name);
    for (size_t i = 0; i < block.ops.size(); ++i) {
      const OpId op_id = block.ops[i];
      if (op_id.index >= function_.ops.size()) return Err("the block has an op that does not exist");
      if (op_seen_[op_id.index]) return Err("op {} is used twice", op_id.index);
      op_seen_[op_id.index] = true;
      const Op& op = function_.op(op_id);
      const bool at_end = i + 1 == block.ops.size();
      Status status = CheckOp(op_id, op, depth);
      if (status && (op.kind == last) != at_end) {
        status = at_end ? Err("the block ends without {}", Info(last).name)
                        : Err("{} before the end of its block", Info(last).name);
      }
      if (status && at_end) status = CheckTerminator(op, parent, args);
      if (!status) {
        if (op_in_message_) return status;
        op_in_message_ = true;
        return Err("`{}`: {}", PrintOp(module_, function_, op), status.error().message);
      }
      defined_here.insert(defined_here.end(), op.results.begin(), op.results.end());
    }
    for (const ValueId value : defined_here) visible_[value.index] = false;
    return {};
  }

  Status CheckTerminator(const Op& op, const Op* parent, const std::vector<Type>& args) const {
    std::vector<Type> expected = function_.result_types;
    if (parent != nullptr) expected.assign(args.empty() ? args.begin() : args.begin() + 1, args.end());
    bool fits = op.operands.size() == expected.size();
    for (size_t i = 0; fits && i < expected.size(); ++i) fits = function_.type(op.operands[i]) == expected[i];
    if (fits) return {};
    std::vector<std::string> types;
    for (const Type& type : expected) types.push_back(ToString(type));
    return Err("expected operands ({})", fmt::join(types, ", "));
  }

  // ---- ops ----
  Status CheckOp(OpId id, const Op& op, int depth) {
    const OpInfo& info = Info(op.kind);
    if ((info.stages >> static_cast<int>(module_.stage) & 1) == 0) {
      return Err("{} is not an op of the {} stage", info.name, ir::Name(module_.stage));
    }
    for (const ValueId operand : op.operands) RETURN_IF_ERROR(CheckOperand(operand));
    RETURN_IF_ERROR(CheckPlace(op, depth));
    std::vector<Type> stated;
    for (const ValueId result : op.results) {
      RETURN_IF_ERROR(Define(result, Value::Def::kResult));
      if (function_.value(result).op != id) return Err("a result is recorded as the result of another op");
      stated.push_back(function_.type(result));
    }
    ASSIGN_OR_RETURN(const std::vector<Type> types, InferTypes(module_, function_, op, stated));
    if (types.size() != stated.size()) return Err("{} results, expected {}", stated.size(), types.size());
    for (size_t i = 0; i < types.size(); ++i) {
      if (types[i] != stated[i])
        return Err("result {} is {}, expected {}", i + 1, ToString(stated[i]), ToString(types[i]));
    }
    if (op.kind == OpKind::kLinear) RETURN_IF_ERROR(CheckLinearLayout(op, function_.value(op.operands[1])));
    return CheckRegions(op, types, depth);
  }

  // Checks whether the op is allowed in this function and at this nesting.
  Status CheckPlace(const Op& op, int depth) {
    const bool straight = IsForward() && module_.stage != Stage::kGraph;
    switch (op.kind) {
      case OpKind::kCall:
        return CheckCall(op);
      case OpKind::kReturn:
        return {};
      case OpKind::kBuffer:
        if (!IsForward()) return Err("buffers are allowed only in forward");
        ++(op.Has(Attr::kOffset) ? placed_ : unplaced_);
        return {};
      case OpKind::kScratch:
        if (depth > 1) return Err("scratch is not allowed in a region");
        return CheckScratch(op);
      default:
        if (straight) return Err("forward may contain only calls at this stage");
        return {};
    }
  }

  Status CheckScratch(const Op& op) {
    if (function_.kind != Function::Kind::kKernel) return Err("scratch is allowed only in kernels");
    ++(op.Has(Attr::kOffset) ? placed_ : unplaced_);
    // InferTypes checks the range of attributes only later, so the sum may overflow.
    const int64_t offset = op.Int(Attr::kOffset), bytes = op.Int(Attr::kBytes),
                  most = function_.domain.scratch_bytes;
    if (op.Has(Attr::kOffset) && (offset < 0 || bytes < 0 || offset > most || bytes > most - offset)) {
      return Err("{} bytes at offset {} exceed the scratch of {} bytes", bytes, offset, most);
    }
    return {};
  }

  Status CheckCall(const Op& op) const {
    if (op.callee.index >= module_.functions.size()) return Err("the callee does not exist");
    const Function& callee = module_.function(op.callee);
    const Function::Kind expected = IsForward() ? Function::Kind::kKernel : Function::Kind::kMicro;
    if (callee.kind != expected || (!IsForward() && !IsLoop()))
      return Err("@{} cannot be called from here", callee.name);
    if (IsLoop()) return {};
    // A weight that is passed to a kernel must have the layout of each linear that uses it there.
    Status status;
    callee.ForEachOp([&](OpId, const Op& inner) {
      if (inner.kind != OpKind::kLinear) return;
      for (size_t i = 0; status && i < op.operands.size() && i < callee.params.size(); ++i) {
        if (callee.params[i] != inner.operands[1]) continue;
        status = CheckLinearLayout(inner, function_.value(op.operands[i]));
      }
    });
    return status;
  }

  Status CheckLinearLayout(const Op& linear, const Value& w) const {
    if (w.def != Value::Def::kWeight) return {};
    const Weight& weight = module_.weight(w.weight);
    const int64_t pack = linear.Int(Attr::kPack), unit = linear.Int(Attr::kUnit);
    if (pack == weight.pack && unit == weight.unit) return {};
    return Err("the linear has pack {}, unit {}, but @{} has pack {}, unit {}", pack, unit, weight.name,
               weight.pack, weight.unit);
  }

  Status CheckRegions(const Op& op, const std::vector<Type>& carried, int depth) {
    const size_t count = op.regions.size();
    const int expected = Info(op.kind).regions;
    if (expected == kAny ? count < 1 || count > kMaxCases : count != static_cast<size_t>(expected)) {
      return Err("{} regions, expected {}", count,
                 expected == kAny ? "1 to 64" : fmt::format("{}", expected));
    }
    std::vector<Type> args;
    if (op.kind == OpKind::kFor) {
      const Op* step = function_.DefiningOp(op.operands[2]);
      if (step == nullptr || step->kind != OpKind::kConst || step->Float(Attr::kValue) < 1) {
        return Err("the step must be a positive constant");
      }
      args.push_back(IndexType());
      args.insert(args.end(), carried.begin(), carried.end());
    }
    // The results of an op are not visible in its regions.
    for (const ValueId result : op.results) visible_[result.index] = false;
    for (const BlockId region : op.regions) RETURN_IF_ERROR(CheckBlock(region, &op, args, depth + 1));
    for (const ValueId result : op.results) visible_[result.index] = true;
    return {};
  }

  const Module& module_;
  const Function& function_;
  std::vector<bool> defined_, visible_, op_seen_, block_seen_;
  bool op_in_message_ = false;     // the error message names the op already
  int placed_ = 0, unplaced_ = 0;  // buffers or scratch areas with and without an offset
};

Status CheckKinds(const Module& module) {
  if (module.functions.empty() || module.forward().name != "forward")
    return Err("the first function must be @forward");
  std::unordered_set<std::string_view> names;
  for (size_t i = 0; i < module.functions.size(); ++i) {
    const Function& function = module.functions[i];
    if (function.name.empty() || !names.insert(function.name).second) {
      return Err("function @{}: the name is empty or not unique", function.name);
    }
    const bool fits = (function.kind == Function::Kind::kForward) == (i == 0) &&
                      (module.stage != Stage::kGraph || i == 0) &&
                      (module.stage == Stage::kLoop || function.kind != Function::Kind::kMicro);
    if (!fits)
      return Err("function @{}: functions of this kind are not allowed here at the {} stage", function.name,
                 Name(module.stage));
  }
  names.clear();
  for (const Weight& weight : module.weights) {
    if (weight.name.empty() || !names.insert(weight.name).second) {
      return Err("weight @{}: the name is empty or not unique", weight.name);
    }
  }
  return {};
}

// Micro-kernels may call one another, but not recursively. Topological sort, iterative because chains may be long.
Status CheckNoRecursion(const Module& module) {
  const size_t count = module.functions.size();
  std::vector<std::vector<uint32_t>> callees(count);
  std::vector<uint32_t> callers(count, 0);
  for (size_t f = 0; f < count; ++f) {
    module.functions[f].ForEachOp([&](OpId, const Op& op) {
      if (op.kind != OpKind::kCall) return;
      callees[f].push_back(op.callee.index);
      ++callers[op.callee.index];
    });
  }
  std::vector<uint32_t> ready;
  for (uint32_t f = 0; f < count; ++f) {
    if (callers[f] == 0) ready.push_back(f);
  }
  size_t done = 0;
  while (!ready.empty()) {
    const uint32_t f = ready.back();
    ready.pop_back();
    ++done;
    for (const uint32_t callee : callees[f]) {
      if (--callers[callee] == 0) ready.push_back(callee);
    }
  }
  if (done == count) return {};
  for (size_t f = 0; f < count; ++f) {
    if (callers[f] != 0)
      return Err("function @{}: recursive calls are not allowed", module.functions[f].name);
  }
  return {};
}

}  // namespace

Status Verify(const Module& module) {
  RETURN_IF_ERROR(CheckKinds(module));
  std::vector<int> depths;
  for (uint32_t i = 0; i < module.weights.size(); ++i) {
    RETURN_IF_ERROR(VerifyWeight(module, WeightId{i}));
    int depth = 1;
    for (const WeightId source : module.weights[i].sources) depth = std::max(depth, depths[source.index] + 1);
    if (depth > kMaxDepth)
      return Err("weight @{}: definitions nest deeper than {}", module.weights[i].name, kMaxDepth);
    depths.push_back(depth);
  }
  for (const Function& function : module.functions) {
    RETURN_IF_ERROR(FunctionVerifier(module, function).CheckSignature());
  }
  // `forward` comes last: its checks read the kernels that it calls.
  for (size_t i = module.functions.size(); i-- > 0;) {
    RETURN_IF_ERROR(FunctionVerifier(module, module.functions[i]).CheckBody());
  }
  return CheckNoRecursion(module);
}

}  // namespace ggufc::ir
