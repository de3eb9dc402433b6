#include "ir/core/builder.h"

#include <algorithm>

#include "ir/text/printer.h"
#include "ir/verify/infer.h"
#include "support/check.h"

namespace ggufc::ir {

Type TypeOf(BatchTable table) {
  switch (table) {
#define BATCH_TABLE(enumerator, name, rows, columns)                 \
  case BatchTable::enumerator:                                       \
    return (columns) == 0 ? Type::Tensor(Scalar::kI32, Symbol::rows) \
                          : Type::Tensor(Scalar::kI32, Symbol::rows, columns);
#include "support/kernel_abi.def"
    case BatchTable::kCount:
      break;
  }
  CHECK(false, "batch table {}", static_cast<int>(table));
  return {};
}

const char* Name(BatchTable table) {
  constexpr const char* kNames[] = {
#define BATCH_TABLE(enumerator, name, rows, columns) #name,
#include "support/kernel_abi.def"
  };
  return kNames[static_cast<size_t>(table)];
}

std::vector<ValueId> AddBatchTables(Function& forward) {
  std::vector<ValueId> params;
  for (size_t i = 0; i < kBatchTables; ++i) {
    const auto table = static_cast<BatchTable>(i);
    params.push_back(forward.AddParam(TypeOf(table), Name(table)));
  }
  return params;
}

namespace {

// A printed name is a hint and a number, so hints have no digits.
std::string ItemParamHint(std::string name) {
  if (name.back() == '0') return std::string(1, name.front()) + "_lo";
  if (name.back() == '1') return std::string(1, name.front()) + "_hi";
  return name;
}

}  // namespace

ItemParams AddItemParams(Function& kernel) {
  ItemParams params;
#define ITEM_PARAM(name, c_type, ir_type) params.name = kernel.AddParam(ir_type(), ItemParamHint(#name));
#include "support/kernel_abi.def"
  return params;
}

Builder::Builder(Module& module, FunctionId function) : module_(module), function_(function) {
  if (!this->function().body.valid()) this->function().body = this->function().AddBlock();
  block_ = this->function().body;
}

ValueId Builder::Emit(OpKind kind, std::vector<ValueId> operands, std::vector<AttrValue> attrs, Type stated) {
  Op op{kind, std::move(operands), {}, std::move(attrs), {}, {}};
  std::sort(op.attrs.begin(), op.attrs.end(),
            [](const AttrValue& a, const AttrValue& b) { return a.attr < b.attr; });
  std::vector<Type> stated_types;
  if (stated.form != Type::Form::kNone) stated_types.push_back(stated);
  const Result<std::vector<Type>> types = InferTypes(module_, function(), op, stated_types);
  CHECK(types, "@{}: {} in `{}`", function().name, types.error().message, PrintOp(module_, function(), op));
  CHECK(types->size() <= 1, "{} has {} results", Info(kind).name, types->size());
  ValueId result;
  if (!types->empty()) {
    result = function().AddValue(types->front(), Value::Def::kResult);
    op.results.push_back(result);
  }
  const OpId id = function().AddOp(std::move(op));
  function().block(block_).ops.push_back(id);
  return result;
}

std::vector<ValueId> Builder::EmitCall(FunctionId callee, std::vector<ValueId> operands) {
  Op op{OpKind::kCall, std::move(operands), {}, {}, {}, callee};
  const Result<std::vector<Type>> types = InferTypes(module_, function(), op, {});
  CHECK(types, "@{}: {} in `{}`", function().name, types.error().message, PrintOp(module_, function(), op));
  for (const Type& type : *types) op.results.push_back(function().AddValue(type, Value::Def::kResult));
  const std::vector<ValueId> results = op.results;
  const OpId id = function().AddOp(std::move(op));
  function().block(block_).ops.push_back(id);
  return results;
}

void Builder::Return(std::vector<ValueId> values) { Emit(OpKind::kReturn, std::move(values)); }

ValueId Builder::Const(Type type, double value) {
  return Emit(OpKind::kConst, {}, {AttrValue::Float(Attr::kValue, value)}, type);
}

ValueId Builder::Splat(ValueId scalar) {
  return Emit(OpKind::kSplat, {scalar}, {}, Type::Vector(function().type(scalar).scalar, kLanes));
}

ValueId Builder::Load(Type type, ValueId ptr, ValueId byte, int64_t lanes) {
  std::vector<AttrValue> attrs;
  if (lanes != 0) attrs.push_back(AttrValue::Int(Attr::kLanes, lanes));
  return Emit(OpKind::kLoad, {ptr, byte}, std::move(attrs), type);
}

void Builder::Store(ValueId value, ValueId ptr, ValueId byte, int64_t lanes) {
  std::vector<AttrValue> attrs;
  if (lanes != 0) attrs.push_back(AttrValue::Int(Attr::kLanes, lanes));
  Emit(OpKind::kStore, {value, ptr, byte}, std::move(attrs));
}

ValueId Builder::Scratch(int64_t bytes, std::string name) {
  const ValueId id = Emit(OpKind::kScratch, {}, {AttrValue::Int(Attr::kBytes, bytes)});
  Name(id, std::move(name));
  return id;
}

std::vector<ValueId> Builder::For(ValueId lo, ValueId hi, int64_t step, std::vector<ValueId> init,
                                  const LoopBody& body) {
  const ValueId step_value = Index(step);
  Op op{OpKind::kFor, {lo, hi, step_value}, {}, {}, {}, {}};
  op.operands.insert(op.operands.end(), init.begin(), init.end());
  const Result<std::vector<Type>> types = InferTypes(module_, function(), op, {});
  CHECK(types, "@{}: {} in `{}`", function().name, types.error().message, PrintOp(module_, function(), op));
  for (const Type& type : *types) op.results.push_back(function().AddValue(type, Value::Def::kResult));

  const BlockId region = function().AddBlock();
  op.regions.push_back(region);
  std::vector<ValueId> args{function().AddValue(IndexType(), Value::Def::kBlockArg, "i")};
  for (size_t i = 0; i < types->size(); ++i) {
    const std::string hint = function().value(init[i]).name;
    args.push_back(function().AddValue((*types)[i], Value::Def::kBlockArg, hint));
  }
  function().block(region).args = args;
  const std::vector<ValueId> results = op.results;
  const OpId id = function().AddOp(std::move(op));
  function().block(block_).ops.push_back(id);

  const BlockId outer = block_;
  block_ = region;
  std::vector<ValueId> next = body(args[0], {args.begin() + 1, args.end()});
  CHECK(next.size() == types->size(), "for: {} carried values, {} next ones", types->size(), next.size());
  for (size_t i = 0; i < next.size(); ++i) {
    CHECK(function().type(next[i]) == (*types)[i], "for: carried value {} is {}, the next one {}", i,
          ToString((*types)[i]), ToString(function().type(next[i])));
  }
  Emit(OpKind::kYield, std::move(next));
  block_ = outer;
  return results;
}

void Builder::For(ValueId lo, ValueId hi, int64_t step, const std::function<void(ValueId)>& body) {
  For(lo, hi, step, {}, [&](ValueId i, const std::vector<ValueId>&) {
    body(i);
    return std::vector<ValueId>{};
  });
}

void Builder::If(ValueId condition, const std::function<void()>& body) {
  Emit(OpKind::kIf, {condition});
  const OpId id = function().block(block_).ops.back();
  const BlockId region = function().AddBlock();
  function().op(id).regions.push_back(region);
  const BlockId outer = block_;
  block_ = region;
  body();
  Emit(OpKind::kYield, {});
  block_ = outer;
}

void Builder::Switch(ValueId selector, int64_t cases, const std::function<void(int64_t)>& body) {
  Emit(OpKind::kSwitch, {selector});
  const OpId id = function().block(block_).ops.back();
  const BlockId outer = block_;
  for (int64_t i = 1; i <= cases; ++i) {
    block_ = function().AddBlock();
    function().op(id).regions.push_back(block_);
    body(i);
    Emit(OpKind::kYield, {});
  }
  block_ = outer;
}

}  // namespace ggufc::ir
