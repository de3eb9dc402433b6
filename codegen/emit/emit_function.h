// One function of loop-stage IR into one LLVM function. emit_function.cpp has parameters, blocks and control
// flow, emit_ops.cpp the ops of straight-line code, emit_intrinsics.cpp those that differ by target.
//
// Element types: u8 is i8, f16 and bf16 are i16 (only `convert` gives them a meaning: LLVM's half type would
// bring conversion routines from outside), index is i64.
#pragma once

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <vector>

#include "codegen/emit/emit_intrinsics.h"
#include "codegen/target.h"
#include "ir/core/module.h"
#include "support/result.h"

namespace ggufc::codegen {

class FunctionEmitter {
 public:
  // `functions`: the LLVM function of every FunctionId, null for `forward`. `into` is declared and empty.
  FunctionEmitter(const ir::Module& module, const ir::Function& function, const Target& target, bool replace,
                  const std::vector<llvm::Function*>& functions, llvm::Function* into);

  Status Run();

 private:
  // ---- emit_function.cpp
  void BindParams();
  // The ops of a block. `yielded`: the values that a closing yield passes on.
  Status EmitBlock(ir::BlockId block, std::vector<llvm::Value*>& yielded);
  Status EmitFor(const ir::Op& op);
  Status EmitIf(const ir::Op& op);
  Status EmitSwitch(const ir::Op& op);
  void EmitCall(const ir::Op& op);

  // ---- emit_ops.cpp
  // An op without regions that is no call or terminator. The value is null for ops without a result.
  Result<llvm::Value*> EmitOp(const ir::Op& op);
  llvm::Value* EmitConst(const ir::Op& op);
  llvm::Value* EmitArithmetic(const ir::Op& op);
  llvm::Value* EmitCompare(const ir::Op& op);
  llvm::Value* EmitReduce(const ir::Op& op);
  Result<llvm::Value*> EmitConvert(const ir::Op& op);
  llvm::Value* EmitLoad(const ir::Op& op);
  void EmitStore(const ir::Op& op);
  llvm::Value* Larger(llvm::Value* a, llvm::Value* b, bool smaller);
  llvm::Value* Address(ir::ValueId ptr, ir::ValueId byte);
  // A constant mask whose first `lanes` of `total` are set.
  llvm::Value* LaneMask(int64_t lanes, int64_t total);

  llvm::Type* LlvmType(const ir::Type& type);
  llvm::Value* Get(ir::ValueId id) const;
  void Set(ir::ValueId id, llvm::Value* value);
  llvm::BasicBlock* NewBlock(const char* name);

  const ir::Module& module_;
  const ir::Function& function_;
  const Target& target_;
  const std::vector<llvm::Function*>& functions_;
  llvm::Function* into_;
  llvm::IRBuilder<> b_;
  IntrinsicEmitter intrinsics_;
  std::vector<llvm::Value*> values_;  // by ValueId
  llvm::Value* scratch_ = nullptr;    // kernels
};

}  // namespace ggufc::codegen
