// Appends ops to a block of a function and infers their types. An op that breaks its type rule is a CHECK failure:
// only the compiler builds IR this way. Text goes through the parser, which returns errors.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

#include "ir/core/module.h"

namespace ggufc::ir {

// The parameters of `forward` at the loop stage before its output, by support/kernel_abi.def: the tables of a batch.
enum class BatchTable : uint8_t {
#define BATCH_TABLE(enumerator, name, rows, columns) enumerator,
#include "support/kernel_abi.def"
  kCount
};
inline constexpr size_t kBatchTables = static_cast<size_t>(BatchTable::kCount);
Type TypeOf(BatchTable table);
const char* Name(BatchTable table);

// The last parameters of a kernel at the loop stage, by support/kernel_abi.def.
struct ItemParams {
#define ITEM_PARAM(name, c_type, ir_type) ValueId name;
#include "support/kernel_abi.def"
};
inline constexpr size_t kItemParams = 0
#define ITEM_PARAM(name, c_type, ir_type) +1
#include "support/kernel_abi.def"
    ;

// Adds these parameters to a function.
std::vector<ValueId> AddBatchTables(Function& forward);
ItemParams AddItemParams(Function& kernel);

class Builder {
 public:
  // Starts at the end of the function's body; makes the body if there is none.
  Builder(Module& module, FunctionId function);

  Module& module() { return module_; }
  Function& function() { return module_.functions[function_.index]; }
  BlockId block() const { return block_; }
  void SetBlock(BlockId block) { block_ = block; }

  // Appends an op with at most one result; returns the invalid id if it has none. `stated` is the result type of ops
  // whose rule in ops.def is Explicit or Quantize.
  ValueId Emit(OpKind kind, std::vector<ValueId> operands, std::vector<AttrValue> attrs = {},
               Type stated = {});
  std::vector<ValueId> EmitCall(FunctionId callee, std::vector<ValueId> operands);
  void Return(std::vector<ValueId> values);
  ValueId Weight(WeightId id) { return function().WeightValue(id, module_.weight(id).type); }
  void Name(ValueId id, std::string name) { function().value(id).name = std::move(name); }

  // ---- loop stage ----
  ValueId Const(Type type, double value);
  ValueId Index(int64_t value) { return Const(IndexType(), static_cast<double>(value)); }
  ValueId F32(double value) { return Const(F32Type(), value); }
  ValueId F32V(double value) { return Const(F32x16(), value); }
  ValueId I32V(int64_t value) { return Const(I32x16(), static_cast<double>(value)); }
  ValueId Add(ValueId a, ValueId b) { return Emit(OpKind::kAdd, {a, b}); }
  ValueId Sub(ValueId a, ValueId b) { return Emit(OpKind::kSub, {a, b}); }
  ValueId Mul(ValueId a, ValueId b) { return Emit(OpKind::kMul, {a, b}); }
  ValueId Div(ValueId a, ValueId b) { return Emit(OpKind::kDiv, {a, b}); }
  ValueId Min(ValueId a, ValueId b) { return Emit(OpKind::kMin, {a, b}); }
  ValueId Max(ValueId a, ValueId b) { return Emit(OpKind::kMax, {a, b}); }
  ValueId Fma(ValueId a, ValueId b, ValueId c) { return Emit(OpKind::kFma, {a, b, c}); }
  ValueId Splat(ValueId scalar);
  ValueId Convert(ValueId value, Type type) { return Emit(OpKind::kConvert, {value}, {}, type); }
  ValueId Bitcast(ValueId value, Type type) { return Emit(OpKind::kBitcast, {value}, {}, type); }
  // `lanes`: the number of lanes that access memory, 0 for all.
  ValueId Load(Type type, ValueId ptr, ValueId byte, int64_t lanes = 0);
  void Store(ValueId value, ValueId ptr, ValueId byte, int64_t lanes = 0);
  ValueId PtrAdd(ValueId ptr, ValueId byte) { return Emit(OpKind::kPtrAdd, {ptr, byte}); }
  ValueId Scratch(int64_t bytes, std::string name);

  // for (i = lo; i < hi; i += step) with carried values that start at `init`. `body` gets i and the carried values and
  // returns their next values.
  using LoopBody = std::function<std::vector<ValueId>(ValueId, const std::vector<ValueId>&)>;
  std::vector<ValueId> For(ValueId lo, ValueId hi, int64_t step, std::vector<ValueId> init,
                           const LoopBody& body);
  void For(ValueId lo, ValueId hi, int64_t step, const std::function<void(ValueId)>& body);
  void If(ValueId condition, const std::function<void()>& body);
  // Runs cases[selector - 1].
  void Switch(ValueId selector, int64_t cases, const std::function<void(int64_t)>& body);

 private:
  Module& module_;
  FunctionId function_;
  BlockId block_;
};

}  // namespace ggufc::ir
