#include "codegen/emit/emit_function.h"

#include <llvm/IR/Constants.h>
#include <llvm/IR/Metadata.h>

#include <algorithm>

#include "ir/core/builder.h"
#include "support/check.h"

namespace ggufc::codegen {

using ir::OpKind;

namespace {

constexpr int64_t kPointerBytes = 8;

bool IsInnermost(const ir::Function& function, const ir::Block& region) {
  return std::ranges::none_of(region.ops, [&](ir::OpId id) { return function.op(id).kind == OpKind::kFor; });
}

// Aligns the loop that `back` closes to a cache line, because the cache of decoded instructions works by line. On Zen 3 a
// block of the 6-row i16 tile, whose k loop has 192 bytes, takes 135 cycles if the loop occupies three lines and 144 if it
// occupies four. The function is aligned too, so that its code does not depend on its position in the object.
void AlignLoop(llvm::BranchInst& back) {
  constexpr uint32_t kCacheLine = 64;
  back.getFunction()->setAlignment(llvm::Align(kCacheLine));
  llvm::LLVMContext& context = back.getContext();
  llvm::Metadata* align[] = {
      llvm::MDString::get(context, "llvm.loop.align"),
      llvm::ConstantAsMetadata::get(llvm::ConstantInt::get(llvm::Type::getInt32Ty(context), kCacheLine))};
  llvm::Metadata* loop[] = {nullptr, llvm::MDNode::get(context, align)};
  llvm::MDNode* const id = llvm::MDNode::getDistinct(context, loop);
  id->replaceOperandWith(0, id);  // the first operand of loop metadata is the node itself
  back.setMetadata(llvm::LLVMContext::MD_loop, id);
}

}  // namespace

FunctionEmitter::FunctionEmitter(const ir::Module& module, const ir::Function& function, const Target& target,
                                 bool replace, const std::vector<llvm::Function*>& functions,
                                 llvm::Function* into)
    : module_(module),
      function_(function),
      target_(target),
      functions_(functions),
      into_(into),
      b_(llvm::BasicBlock::Create(into->getContext(), "entry", into)),
      intrinsics_(b_, target, replace, into->getName().drop_back(function.name.size()).str()),
      values_(function.values.size()) {}

Status FunctionEmitter::Run() {
  BindParams();
  std::vector<llvm::Value*> none;
  RETURN_IF_ERROR(EmitBlock(function_.body, none));
  if (b_.GetInsertBlock()->getTerminator() == nullptr) b_.CreateRetVoid();
  return {};
}

void FunctionEmitter::BindParams() {
  const auto& params = function_.params;
  if (function_.kind == ir::Function::Kind::kMicro) {
    for (size_t i = 0; i < params.size(); ++i) Set(params[i], into_->getArg(static_cast<unsigned>(i)));
    return;
  }
  CHECK(params.size() >= ir::kItemParams, "kernel @{}: {} parameters", function_.name, params.size());
  const size_t leading = params.size() - ir::kItemParams;
  llvm::Value* args = into_->getArg(0);
  args->setName("args");
  for (size_t i = 0; i < leading; ++i) {
    llvm::Value* slot = b_.CreateConstGEP1_64(b_.getInt8Ty(), args, i * kPointerBytes);
    Set(params[i], b_.CreateAlignedLoad(b_.getPtrTy(), slot, llvm::Align(kPointerBytes)));
  }
  for (size_t i = 0; i < ir::kItemParams; ++i) {
    Set(params[leading + i], into_->getArg(static_cast<unsigned>(1 + i)));
  }
  scratch_ = into_->getArg(1);
}

llvm::Type* FunctionEmitter::LlvmType(const ir::Type& type) {
  CHECK(!type.IsTensor() && ir::Bits(type.scalar) > 0, "@{}: type {} at the loop stage", function_.name,
        ir::ToString(type));
  llvm::Type* element = type.scalar == ir::Scalar::kF32 ? b_.getFloatTy()
                        : type.scalar == ir::Scalar::kPtr
                            ? static_cast<llvm::Type*>(b_.getPtrTy())
                            : b_.getIntNTy(static_cast<unsigned>(ir::Bits(type.scalar)));
  return type.IsVector() ? llvm::FixedVectorType::get(element, static_cast<unsigned>(type.lanes)) : element;
}

llvm::Value* FunctionEmitter::Get(ir::ValueId id) const {
  llvm::Value* value = values_[id.index];
  CHECK(value != nullptr, "@{}: value {} is used before it is defined", function_.name, id.index);
  return value;
}

void FunctionEmitter::Set(ir::ValueId id, llvm::Value* value) {
  values_[id.index] = value;
  const std::string& name = function_.value(id).name;
  // Constants have no names. A value that an op only passes on keeps its name.
  if (!name.empty() && !llvm::isa<llvm::Constant>(value) && !value->hasName()) value->setName(name);
}

llvm::BasicBlock* FunctionEmitter::NewBlock(const char* name) {
  return llvm::BasicBlock::Create(into_->getContext(), name, into_);
}

Status FunctionEmitter::EmitBlock(ir::BlockId block, std::vector<llvm::Value*>& yielded) {
  for (const ir::OpId id : function_.block(block).ops) {
    const ir::Op& op = function_.op(id);
    switch (op.kind) {
      case OpKind::kFor:
        RETURN_IF_ERROR(EmitFor(op));
        break;
      case OpKind::kIf:
        RETURN_IF_ERROR(EmitIf(op));
        break;
      case OpKind::kSwitch:
        RETURN_IF_ERROR(EmitSwitch(op));
        break;
      case OpKind::kCall:
        EmitCall(op);
        break;
      case OpKind::kReturn:
        CHECK(op.operands.empty(), "@{}: loop-stage functions return nothing", function_.name);
        b_.CreateRetVoid();
        break;
      case OpKind::kYield:
        for (const ir::ValueId operand : op.operands) yielded.push_back(Get(operand));
        break;
      default: {
        ASSIGN_OR_RETURN(llvm::Value * value, WithContext("@" + function_.name, EmitOp(op)));
        if (value != nullptr) Set(op.results[0], value);
      }
    }
  }
  return {};
}

// The loop is emitted rotated, the form that LICM needs, with one branch per iteration:
//
//   head:  br (lo < hi), body, exit
//   body:  i = phi [lo, head], [i + step, latch]; carried = phi [init, head], [yielded, latch]
//   latch: br (i + step < hi), body, exit
//   exit:  result = phi [init, head], [yielded, latch]
Status FunctionEmitter::EmitFor(const ir::Op& op) {
  CHECK(op.operands.size() >= 3 && op.regions.size() == 1, "@{}: for has no bounds", function_.name);
  const ir::Block& region = function_.block(op.regions[0]);
  const size_t carried = op.operands.size() - 3;
  CHECK(region.args.size() == carried + 1 && op.results.size() == carried,
        "@{}: for carries {} values into {}", function_.name, carried, region.args.size());
  llvm::Value* lo = Get(op.operands[0]);
  llvm::Value* hi = Get(op.operands[1]);
  llvm::Value* step = Get(op.operands[2]);
  llvm::BasicBlock* head = b_.GetInsertBlock();
  llvm::BasicBlock* body = NewBlock("for");
  llvm::BasicBlock* exit = NewBlock("end");
  b_.CreateCondBr(b_.CreateICmpSLT(lo, hi), body, exit);

  b_.SetInsertPoint(body);
  std::vector<llvm::PHINode*> phis;
  for (size_t i = 0; i <= carried; ++i) {
    llvm::Value* init = i == 0 ? lo : Get(op.operands[2 + i]);
    phis.push_back(b_.CreatePHI(init->getType(), 2));
    phis.back()->addIncoming(init, head);
    Set(region.args[i], phis.back());
  }
  std::vector<llvm::Value*> yielded;
  RETURN_IF_ERROR(EmitBlock(op.regions[0], yielded));
  CHECK(yielded.size() == carried, "@{}: for yields {} values, carries {}", function_.name, yielded.size(),
        carried);
  // The index does not overflow (docs/ir.md). The add is not marked nsw: LLVM would then compare the old index, which costs
  // a copy per iteration.
  llvm::Value* next = b_.CreateAdd(phis[0], step);
  llvm::BasicBlock* latch = b_.GetInsertBlock();
  llvm::BranchInst* back = b_.CreateCondBr(b_.CreateICmpSLT(next, hi), body, exit);
  const bool hot = function_.kind == ir::Function::Kind::kMicro && IsInnermost(function_, region);
  if (hot) AlignLoop(*back);
  phis[0]->addIncoming(next, latch);
  for (size_t i = 0; i < carried; ++i) phis[i + 1]->addIncoming(yielded[i], latch);

  b_.SetInsertPoint(exit);
  exit->moveAfter(latch);
  for (size_t i = 0; i < carried; ++i) {
    llvm::PHINode* result = b_.CreatePHI(yielded[i]->getType(), 2);
    result->addIncoming(Get(op.operands[3 + i]), head);
    result->addIncoming(yielded[i], latch);
    Set(op.results[i], result);
  }
  return {};
}

Status FunctionEmitter::EmitIf(const ir::Op& op) {
  llvm::BasicBlock* then = NewBlock("then");
  llvm::BasicBlock* join = NewBlock("join");
  b_.CreateCondBr(Get(op.operands[0]), then, join);
  b_.SetInsertPoint(then);
  std::vector<llvm::Value*> none;
  RETURN_IF_ERROR(EmitBlock(op.regions[0], none));
  b_.CreateBr(join);
  join->moveAfter(b_.GetInsertBlock());
  b_.SetInsertPoint(join);
  return {};
}

// A selector out of range runs no case.
Status FunctionEmitter::EmitSwitch(const ir::Op& op) {
  llvm::BasicBlock* join = NewBlock("join");
  llvm::SwitchInst* table =
      b_.CreateSwitch(Get(op.operands[0]), join, static_cast<unsigned>(op.regions.size()));
  for (size_t i = 0; i < op.regions.size(); ++i) {
    llvm::BasicBlock* block = NewBlock("case");
    table->addCase(b_.getInt64(i + 1), block);
    b_.SetInsertPoint(block);
    std::vector<llvm::Value*> none;
    RETURN_IF_ERROR(EmitBlock(op.regions[i], none));
    b_.CreateBr(join);
  }
  join->moveAfter(b_.GetInsertBlock());
  b_.SetInsertPoint(join);
  return {};
}

void FunctionEmitter::EmitCall(const ir::Op& op) {
  llvm::Function* callee = functions_[op.callee.index];
  CHECK(callee != nullptr && op.results.empty() &&
            module_.function(op.callee).kind == ir::Function::Kind::kMicro,
        "@{}: only micro-kernels can be called, and they have no results", function_.name);
  std::vector<llvm::Value*> args;
  for (const ir::ValueId operand : op.operands) args.push_back(Get(operand));
  b_.CreateCall(callee, args);
}

}  // namespace ggufc::codegen
