// Emits one function of loop-stage IR as one LLVM function. emit_function.cpp has parameters, blocks and control flow,
// emit_ops.cpp the ops of straight-line code, emit_intrinsics.cpp those that differ by target.
//
// Element types: u8 is i8, index is i64, f16 and bf16 are i16. Only `convert` interprets f16 and bf16; LLVM's half type
// would call conversion routines of a library.
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
  // `functions`: the LLVM function of every FunctionId, null for `forward`. `into` is declared, without a body. `replace`:
  // EmitOptions::replace_intrinsics.
  FunctionEmitter(const ir::Module& module, const ir::Function& function, const Target& target, bool replace,
                  const std::vector<llvm::Function*>& functions, llvm::Function* into);

  Status Run();

 private:
  // ---- emit_function.cpp
  void BindParams();
  // Emits the ops of a block. `yielded` receives the operands of its yield.
  Status EmitBlock(ir::BlockId block, std::vector<llvm::Value*>& yielded);
  Status EmitFor(const ir::Op& op);
  Status EmitIf(const ir::Op& op);
  Status EmitSwitch(const ir::Op& op);
  void EmitCall(const ir::Op& op);

  // ---- emit_ops.cpp
  // Emits an op other than control flow, call and terminator. Returns null for ops without a result.
  Result<llvm::Value*> EmitOp(const ir::Op& op);
  llvm::Value* EmitConst(const ir::Op& op);
  llvm::Value* EmitArithmetic(const ir::Op& op);
  llvm::Value* EmitCompare(const ir::Op& op);
  llvm::Value* EmitReduce(const ir::Op& op);
  Result<llvm::Value*> EmitConvert(const ir::Op& op);
  llvm::Value* EmitLoad(const ir::Op& op);
  void EmitStore(const ir::Op& op);
  llvm::Value* MinOrMax(llvm::Value* a, llvm::Value* b, bool min);
  llvm::Value* Address(ir::ValueId ptr, ir::ValueId byte);
  // A constant mask of `total` lanes, of which the first `lanes` are set.
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
  llvm::Value* scratch_ = nullptr;    // of a kernel
};

}  // namespace ggufc::codegen
