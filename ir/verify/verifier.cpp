// What holds for every module between two passes.
//
// Module
//   * Weights have names of their own, functions too. Names are not empty.
//   * functions[0] is called `forward` and is the only one of kind kForward. The graph stage has no other
//     function, the kernel stage has kernels, the loop stage kernels and micro-kernels.
// Weights
//   * Types are tensors of f32, f16, bf16 or q8_0 with constant sizes; vectors are f32; q8_0 rows are whole
//     blocks.
//   * Sources stand above the weight, and definitions nest at most 64 deep. Concat: matrices of one type and
//     row length, heights add up. Interleave: of one height too, padded to whole granules. Scale: one f32
//     vector of the same type, factor not 0. Rope table: no source, f32, even width, theta (factor) > 0.
//     Granule and factor are 0 where the definition has none.
//   * pack and unit are both 0 or both set: a matrix, pack 2 or 4 for q8_0 and 1 for the rest.
// Signatures
//   * graph, kernel: forward(i32[T]) -> (f32[B,dims]). loop: forward(ids i32[T], positions i32[T], key_slots
//     i32[T], sequences i32[B,4], query tiles i32[Q,4], out f32[B,dims]), no results.
//   * A kernel's domain has rows T, B or Q, at least one column unit, and grains of 0 or more. At the kernel
//     stage its parameters and results are tensors, and results have the domain's rows (T for Q). Rows are Q if
//     and only if it has an attention; column units are those of its linear's result, or 1. At the loop stage it
//     takes addresses, then (scratch: ptr, r0, r1, c0, c1: index), and returns nothing.
//   * A micro-kernel takes ptr, index, f32 and i32, may return scalars and vectors, and has no domain.
// Values
//   * Ids are in range. Each value is defined once: as a parameter, a block argument, one op's result, or for
//     a weight, and says so itself. Weights are used in `forward` only and have their weight's type.
//   * An operand is a parameter, a weight, or is defined above: earlier in the block or in a block around it.
//   * Tensor sizes are symbols or 1 to 2^31, only rows are symbols; quantised rows are whole blocks.
// Ops
//   * The op belongs to the stage; the number of operands, results and regions is the table's; attributes are
//     known, present where required, in order and in range; result types are what InferTypes says.
//   * Blocks and ops are used once. Regions nest at most 64 deep. A body ends in the only `return` of its
//     function, with the function's result types; a region ends in its only `yield`.
//   * for: step is a positive constant; the region takes (index, carried...) and yields the carried types.
//     if, switch: regions take and yield nothing; a switch has 1 to 64 of them.
//   * Calls: forward calls kernels; at the loop stage kernels and micro-kernels call micro-kernels; nothing
//     recurses. After fusion `forward` is straight-line: calls, `return` and, at the loop stage, buffers.
//   * A linear has the pack and unit of the weight that it works on, also where a kernel is passed it.
//   * buffer only in forward, scratch only in a kernel's body, outside regions. Of the buffers all have an
//     offset or none has; so for the scratch of one kernel, and then each lies within its scratch_bytes.
#include "ir/verify/verifier.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "ir/text/printer.h"
#include "ir/verify/infer.h"
#include "ir/verify/verify_weights.h"

namespace ggufc::ir {
namespace {

constexpr int kMaxDepth = 64;
constexpr size_t kMaxCases = 64;
constexpr int64_t kMaxDim = int64_t{1} << 31;
constexpr int64_t kMaxGrain = int64_t{1} << 31;
constexpr size_t kExecutorParams = 5;

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

  // Assumes that every function's signature is right.
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
      if (param.index >= function_.values.size()) return Err("a parameter that is no value");
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

  // Work items are rows of query tiles and column units where somebody knows what these are.
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
      return Err("rows({}) {}", ir::Name(function_.domain.rows),
                 attends ? "around attention, expected Q" : "without attention");
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
    const bool fits = function_.params.size() == 6 && ParamIs(0, tokens) && ParamIs(1, tokens) &&
                      ParamIs(2, tokens) && ParamIs(3, Type::Tensor(Scalar::kI32, Symbol::kB, 4)) &&
                      ParamIs(4, Type::Tensor(Scalar::kI32, Symbol::kQ, 4)) &&
                      is_output(function_.type(function_.params[5])) && function_.result_types.empty();
    if (!fits) return Err("expected (i32[T], i32[T], i32[T], i32[B,4], i32[Q,4], f32[B,dims])");
    return {};
  }

  Status CheckKernelSignature() const {
    const Domain& domain = function_.domain;
    if (domain.rows == Symbol::kNone) return Err("a kernel's domain has rows");
    if (domain.cols < 1 || domain.cols > kMaxDim)
      return Err("{} column units, expected 1 or more", domain.cols);
    for (const int64_t grain : {domain.row_grain, domain.col_grain}) {
      if (grain < 0 || grain > kMaxGrain) return Err("grain {} (0 to {})", grain, kMaxGrain);
    }
    if (domain.scratch_bytes < 0) return Err("{} bytes of scratch", domain.scratch_bytes);
    if (IsLoop()) {
      const size_t count = function_.params.size();
      bool fits = count >= kExecutorParams && function_.result_types.empty();
      for (size_t i = 0; fits && i < count; ++i) fits = ParamIs(i, i + 4 < count ? PtrType() : IndexType());
      if (!fits) return Err("expected (ptr..., scratch: ptr, r0, r1, c0, c1: index) and no results");
      return {};
    }
    for (const ValueId param : function_.params) {
      if (!function_.type(param).IsTensor()) return Err("a parameter that is no tensor");
    }
    const Symbol rows = domain.rows == Symbol::kQ ? Symbol::kT : domain.rows;
    for (const Type& type : function_.result_types) {
      if (!type.IsTensor() || type.rank != 2 || type.rows() != Dim(rows)) {
        return Err("result {}, expected rows {}", ToString(type), ir::Name(rows));
      }
    }
    return {};
  }

  Status CheckMicroSignature() const {
    if (function_.domain != Domain()) return Err("a micro-kernel has no domain");
    for (const ValueId param : function_.params) {
      const Type& t = function_.type(param);
      if (t != PtrType() && t != IndexType() && t != F32Type() && t != I32Type()) {
        return Err("parameter {}, expected ptr, index, f32 or i32", ToString(t));
      }
    }
    for (const Type& t : function_.result_types) {
      if (!t.IsScalar() && !t.IsVector()) return Err("result {}, expected a scalar or vector", ToString(t));
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
      return Err("{}: only rows are symbolic", ToString(type));
    const bool blocks = IsActivationQuant(type.scalar) || type.scalar == Scalar::kQ8_0;
    if (blocks && (type.rank != 2 || type.columns() % kQuantBlock != 0)) {
      return Err("{}: rows of whole blocks of {} expected", ToString(type), kQuantBlock);
    }
    return {};
  }

  Status Define(ValueId id, Value::Def def) {
    if (id.index >= function_.values.size()) return Err("value {} of {}", id.index, function_.values.size());
    if (defined_[id.index]) return Err("value {} is defined twice", id.index);
    if (function_.value(id).def != def) return Err("value {} is not what it says it is", id.index);
    RETURN_IF_ERROR(CheckTensor(function_.type(id)));
    defined_[id.index] = visible_[id.index] = true;
    return {};
  }

  Status CheckOperand(ValueId id) const {
    if (id.index >= function_.values.size()) return Err("an operand that is no value");
    const Value& v = function_.value(id);
    if (v.def == Value::Def::kWeight) {
      if (!IsForward()) return Err("a weight outside forward");
      if (v.weight.index >= module_.weights.size()) return Err("an operand that is no weight");
      const Type& expected = module_.weight(v.weight).type;
      if (v.type != expected) return Err("weight of type {}, not {}", ToString(expected), ToString(v.type));
      return {};
    }
    if (!visible_[id.index]) return Err("an operand that is not defined above");
    return {};
  }

  // ---- blocks ----
  // `around` is the op whose region this is, null for the body; `args` are the types its arguments must have.
  Status CheckBlock(BlockId id, const Op* around, const std::vector<Type>& args, int depth) {
    if (id.index >= function_.blocks.size()) return Err("a block that does not exist");
    if (block_seen_[id.index]) return Err("block {} is used twice", id.index);
    if (depth > kMaxDepth) return Err("regions nest deeper than {}", kMaxDepth);
    block_seen_[id.index] = true;
    const Block& block = function_.block(id);
    if (block.args.size() != args.size())
      return Err("a region takes {} arguments, expected {}", block.args.size(), args.size());
    std::vector<ValueId> own;
    for (size_t i = 0; i < args.size(); ++i) {
      RETURN_IF_ERROR(Define(block.args[i], Value::Def::kBlockArg));
      own.push_back(block.args[i]);
      if (function_.type(block.args[i]) != args[i]) {
        return Err("region argument {} is {}, expected {}", i + 1, ToString(function_.type(block.args[i])),
                   ToString(args[i]));
      }
    }
    const OpKind last = around == nullptr ? OpKind::kReturn : OpKind::kYield;
    if (block.ops.empty()) return Err("a block without {}", Info(last).name);
    for (size_t i = 0; i < block.ops.size(); ++i) {
      const OpId op_id = block.ops[i];
      if (op_id.index >= function_.ops.size()) return Err("an op that does not exist");
      if (op_seen_[op_id.index]) return Err("op {} is used twice", op_id.index);
      op_seen_[op_id.index] = true;
      const Op& op = function_.op(op_id);
      const bool at_end = i + 1 == block.ops.size();
      Status status = CheckOp(op_id, op, depth);
      if (status && (op.kind == last) != at_end) {
        status = at_end ? Err("the block ends without {}", Info(last).name)
                        : Err("{} before the end of its block", Info(last).name);
      }
      if (status && at_end) status = CheckTerminator(op, around, args);
      if (!status) {
        if (located_) return status;
        located_ = true;
        return Err("`{}`: {}", PrintOp(module_, function_, op), status.error().message);
      }
      own.insert(own.end(), op.results.begin(), op.results.end());
    }
    for (const ValueId value : own) visible_[value.index] = false;
    return {};
  }

  Status CheckTerminator(const Op& op, const Op* around, const std::vector<Type>& args) const {
    std::vector<Type> expected = function_.result_types;
    if (around != nullptr) expected.assign(args.empty() ? args.begin() : args.begin() + 1, args.end());
    bool fits = op.operands.size() == expected.size();
    for (size_t i = 0; fits && i < expected.size(); ++i) fits = function_.type(op.operands[i]) == expected[i];
    if (fits) return {};
    std::vector<std::string> types;
    for (const Type& type : expected) types.push_back(ToString(type));
    return Err("expected ({})", fmt::join(types, ", "));
  }

  // ---- ops ----
  Status CheckOp(OpId id, const Op& op, int depth) {
    const OpInfo& info = Info(op.kind);
    if ((info.stages >> static_cast<int>(module_.stage) & 1) == 0) {
      return Err("{} is no op of the {} stage", info.name, ir::Name(module_.stage));
    }
    for (const ValueId operand : op.operands) RETURN_IF_ERROR(CheckOperand(operand));
    RETURN_IF_ERROR(CheckPlace(op, depth));
    std::vector<Type> stated;
    for (const ValueId result : op.results) {
      RETURN_IF_ERROR(Define(result, Value::Def::kResult));
      if (function_.value(result).op != id) return Err("a result that says it is another op's");
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

  // Where an op may stand, beyond its stage.
  Status CheckPlace(const Op& op, int depth) {
    const bool straight = IsForward() && module_.stage != Stage::kGraph;
    switch (op.kind) {
      case OpKind::kCall:
        return CheckCall(op);
      case OpKind::kReturn:
        return {};
      case OpKind::kBuffer:
        if (!IsForward()) return Err("buffers belong to forward");
        ++(op.Has(Attr::kOffset) ? placed_ : unplaced_);
        return {};
      case OpKind::kScratch:
        if (depth > 1) return Err("scratch in a region");
        return CheckScratch(op);
      default:
        if (straight) return Err("forward consists of calls at this stage");
        return {};
    }
  }

  Status CheckScratch(const Op& op) {
    if (function_.kind != Function::Kind::kKernel) return Err("scratch belongs to kernels");
    ++(op.Has(Attr::kOffset) ? placed_ : unplaced_);
    // Attributes are checked by InferTypes, which comes later: mind the overflow.
    const int64_t offset = op.Int(Attr::kOffset), bytes = op.Int(Attr::kBytes),
                  most = function_.domain.scratch_bytes;
    if (op.Has(Attr::kOffset) && (offset < 0 || bytes < 0 || offset > most || bytes > most - offset)) {
      return Err("bytes {} at {} in a scratch of {}", bytes, offset, most);
    }
    return {};
  }

  Status CheckCall(const Op& op) const {
    if (op.callee.index >= module_.functions.size()) return Err("a call of no function");
    const Function& callee = module_.function(op.callee);
    const Function::Kind expected = IsForward() ? Function::Kind::kKernel : Function::Kind::kMicro;
    if (callee.kind != expected || (!IsForward() && !IsLoop()))
      return Err("@{} cannot be called from here", callee.name);
    if (IsLoop()) return {};
    // A weight that is passed on must suit each linear that the kernel does with it.
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
    return Err("a linear of pack {}, unit {} on @{} of pack {}, unit {}", pack, unit, weight.name,
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
        return Err("expected a positive constant as step");
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
  bool located_ = false;           // the message names its op already
  int placed_ = 0, unplaced_ = 0;  // buffers in forward, scratch in a kernel
};

Status CheckKinds(const Module& module) {
  if (module.functions.empty() || module.forward().name != "forward")
    return Err("the first function is not @forward");
  std::unordered_set<std::string_view> names;
  for (size_t i = 0; i < module.functions.size(); ++i) {
    const Function& function = module.functions[i];
    if (function.name.empty() || !names.insert(function.name).second) {
      return Err("function @{}: the name is empty or taken", function.name);
    }
    const bool fits = (function.kind == Function::Kind::kForward) == (i == 0) &&
                      (module.stage != Stage::kGraph || i == 0) &&
                      (module.stage == Stage::kLoop || function.kind != Function::Kind::kMicro);
    if (!fits)
      return Err("function @{}: its kind does not belong to the {} stage", function.name, Name(module.stage));
  }
  names.clear();
  for (const Weight& weight : module.weights) {
    if (weight.name.empty() || !names.insert(weight.name).second) {
      return Err("weight @{}: the name is empty or taken", weight.name);
    }
  }
  return {};
}

// Micro-kernels may call one another, but not in a circle. Iterative: chains may be long.
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
    if (callers[f] != 0) return Err("function @{}: recursion", module.functions[f].name);
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
  // `forward` comes last: its checks look into the kernels that it calls.
  for (size_t i = module.functions.size(); i-- > 0;) {
    RETURN_IF_ERROR(FunctionVerifier(module, module.functions[i]).CheckBody());
  }
  return CheckNoRecursion(module);
}

}  // namespace ggufc::ir
