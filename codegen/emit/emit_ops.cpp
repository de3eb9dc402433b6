#include <cmath>

#include "codegen/emit/emit_function.h"
#include "support/check.h"

namespace ggufc::codegen {

using ir::Attr;
using ir::OpKind;
using ir::Scalar;

Result<llvm::Value*> FunctionEmitter::EmitOp(const ir::Op& op) {
  auto in = [&](size_t i) { return Get(op.operands[i]); };
  auto result_type = [&] { return function_.type(op.results[0]); };
  switch (op.kind) {
    case OpKind::kConst:
      return EmitConst(op);
    case OpKind::kAdd:
    case OpKind::kSub:
    case OpKind::kMul:
    case OpKind::kDiv:
    case OpKind::kRem:
    case OpKind::kMin:
    case OpKind::kMax:
    case OpKind::kAnd:
    case OpKind::kOr:
    case OpKind::kXor:
    case OpKind::kShl:
    case OpKind::kShr:
      return EmitArithmetic(op);
    case OpKind::kFma:
      return intrinsics_.Fma(in(0), in(1), in(2));
    case OpKind::kSqrt:
      return b_.CreateUnaryIntrinsic(llvm::Intrinsic::sqrt, in(0));
    case OpKind::kAbs:
      if (function_.type(op.operands[0]).IsFloat())
        return b_.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, in(0));
      return b_.CreateBinaryIntrinsic(llvm::Intrinsic::abs, in(0), b_.getFalse());
    case OpKind::kCmpLt:
    case OpKind::kCmpLe:
    case OpKind::kCmpEq:
      return EmitCompare(op);
    case OpKind::kSelect:
      return b_.CreateSelect(in(0), in(1), in(2));
    case OpKind::kSplat:
      return b_.CreateVectorSplat(static_cast<unsigned>(result_type().lanes), in(0));
    case OpKind::kIota: {
      const ir::Type type = result_type();
      llvm::SmallVector<llvm::Constant*, 64> lanes;
      for (int i = 0; i < type.lanes; ++i) {
        lanes.push_back(llvm::ConstantInt::get(LlvmType(type.Element()), static_cast<uint64_t>(i)));
      }
      return llvm::ConstantVector::get(lanes);
    }
    case OpKind::kReduceAdd:
    case OpKind::kReduceMax:
      return EmitReduce(op);
    case OpKind::kConvert:
      return EmitConvert(op);
    case OpKind::kBitcast:
      return b_.CreateBitCast(in(0), LlvmType(result_type()));
    case OpKind::kLoad:
      return EmitLoad(op);
    case OpKind::kStore:
      EmitStore(op);
      return nullptr;
    case OpKind::kPtrAdd:
      return Address(op.operands[0], op.operands[1]);
    case OpKind::kPrefetch:
      // Operands: address, read, maximum locality (all cache levels), data cache.
      b_.CreateIntrinsic(
          llvm::Intrinsic::prefetch, {b_.getPtrTy()},
          {Address(op.operands[0], op.operands[1]), b_.getInt32(0), b_.getInt32(3), b_.getInt32(1)});
      return nullptr;
    case OpKind::kDotI16:
      return intrinsics_.DotI16(in(0), in(1), in(2));
    case OpKind::kDotU8S8:
      return intrinsics_.DotU8(in(0), in(1), in(2), false);
    case OpKind::kDotU8S7:
      return intrinsics_.DotU8(in(0), in(1), in(2), true);
    case OpKind::kScratch:
      if (scratch_ == nullptr) return Err("scratch: only kernels have scratch memory");
      if (!op.Has(Attr::kOffset)) return Err("scratch has no offset; run plan-memory first");
      return b_.CreateConstGEP1_64(b_.getInt8Ty(), scratch_, static_cast<uint64_t>(op.Int(Attr::kOffset)));
    default:
      return Err("{}: not an op of the loop stage", ir::Info(op.kind).name);
  }
}

llvm::Value* FunctionEmitter::EmitConst(const ir::Op& op) {
  const double value = op.Float(Attr::kValue);
  const ir::Type type = function_.type(op.results[0]);
  if (type.IsFloat())
    return llvm::ConstantFP::get(LlvmType(type), static_cast<double>(static_cast<float>(value)));
  // The verifier ensures that integer constants are whole numbers that fit the type, as signed or as unsigned.
  llvm::Type* llvm_type = LlvmType(type);
  const llvm::APInt bits(64, static_cast<uint64_t>(static_cast<int64_t>(value)));
  return llvm::ConstantInt::get(llvm_type, bits.trunc(llvm_type->getScalarSizeInBits()));
}

llvm::Value* FunctionEmitter::EmitArithmetic(const ir::Op& op) {
  llvm::Value* a = Get(op.operands[0]);
  llvm::Value* b = Get(op.operands[1]);
  const bool f32 = a->getType()->isFPOrFPVectorTy();
  // Shift counts modulo the width, so that no shift is undefined. For constant counts this costs nothing.
  auto shift_count = [&] {
    return b_.CreateAnd(b, llvm::ConstantInt::get(b->getType(), a->getType()->getScalarSizeInBits() - 1));
  };
  switch (op.kind) {
    case OpKind::kAdd:
      return f32 ? b_.CreateFAdd(a, b) : b_.CreateAdd(a, b);
    case OpKind::kSub:
      return f32 ? b_.CreateFSub(a, b) : b_.CreateSub(a, b);
    case OpKind::kMul:
      return f32 ? b_.CreateFMul(a, b) : b_.CreateMul(a, b);
    case OpKind::kDiv:
      return f32 ? b_.CreateFDiv(a, b) : b_.CreateUDiv(a, b);
    case OpKind::kRem:
      return b_.CreateURem(a, b);
    case OpKind::kMin:
      return MinOrMax(a, b, true);
    case OpKind::kMax:
      return MinOrMax(a, b, false);
    case OpKind::kAnd:
      return b_.CreateAnd(a, b);
    case OpKind::kOr:
      return b_.CreateOr(a, b);
    case OpKind::kXor:
      return b_.CreateXor(a, b);
    case OpKind::kShl:
      return b_.CreateShl(a, shift_count());
    case OpKind::kShr:
      return b_.CreateAShr(a, shift_count());
    default:
      CHECK(false, "{} is not arithmetic", ir::Info(op.kind).name);
      return nullptr;
  }
}

// a < b ? a : b if `min`, else a > b ? a : b. For f32 these are minps and maxps, also for NaN and zeros.
llvm::Value* FunctionEmitter::MinOrMax(llvm::Value* a, llvm::Value* b, bool min) {
  if (a->getType()->isFPOrFPVectorTy()) {
    return b_.CreateSelect(min ? b_.CreateFCmpOLT(a, b) : b_.CreateFCmpOGT(a, b), a, b);
  }
  return b_.CreateBinaryIntrinsic(min ? llvm::Intrinsic::smin : llvm::Intrinsic::smax, a, b);
}

llvm::Value* FunctionEmitter::EmitCompare(const ir::Op& op) {
  llvm::Value* a = Get(op.operands[0]);
  llvm::Value* b = Get(op.operands[1]);
  const bool f32 = a->getType()->isFPOrFPVectorTy();
  switch (op.kind) {
    case OpKind::kCmpLt:
      return f32 ? b_.CreateFCmpOLT(a, b) : b_.CreateICmpSLT(a, b);
    case OpKind::kCmpLe:
      return f32 ? b_.CreateFCmpOLE(a, b) : b_.CreateICmpSLE(a, b);
    default:
      return f32 ? b_.CreateFCmpOEQ(a, b) : b_.CreateICmpEQ(a, b);
  }
}

// The fixed reduction tree of ops.def: combines the two halves lane by lane until one lane is left.
llvm::Value* FunctionEmitter::EmitReduce(const ir::Op& op) {
  llvm::Value* value = Get(op.operands[0]);
  const bool f32 = value->getType()->isFPOrFPVectorTy();
  for (int half = function_.type(op.operands[0]).lanes / 2; half >= 1; half /= 2) {
    llvm::Value* low = intrinsics_.Slice(value, 0, half);
    llvm::Value* high = intrinsics_.Slice(value, half, half);
    if (op.kind == OpKind::kReduceMax) {
      value = MinOrMax(low, high, false);
    } else {
      value = f32 ? b_.CreateFAdd(low, high) : b_.CreateAdd(low, high);
    }
  }
  return b_.CreateExtractElement(value, uint64_t{0});
}

Result<llvm::Value*> FunctionEmitter::EmitConvert(const ir::Op& op) {
  llvm::Value* value = Get(op.operands[0]);
  const Scalar from = function_.type(op.operands[0]).scalar;
  const ir::Type to_type = function_.type(op.results[0]);
  const Scalar to = to_type.scalar;
  llvm::Type* type = LlvmType(to_type);
  auto is_int = [](Scalar s) {
    return s == Scalar::kI8 || s == Scalar::kU8 || s == Scalar::kI16 || s == Scalar::kI32 ||
           s == Scalar::kIndex;
  };
  if (from == to) return value;
  if (from == Scalar::kF16 && to == Scalar::kF32) return intrinsics_.F16ToF32(value);
  if (from == Scalar::kBF16 && to == Scalar::kF32) {
    llvm::Value* wide = b_.CreateZExt(value, LlvmType(to_type.With(Scalar::kI32)));
    return b_.CreateBitCast(b_.CreateShl(wide, 16), type);
  }
  if (is_int(from) && is_int(to)) {
    return from == Scalar::kU8 ? b_.CreateZExtOrTrunc(value, type) : b_.CreateSExtOrTrunc(value, type);
  }
  if (from == Scalar::kI32 && to == Scalar::kF32) return b_.CreateSIToFP(value, type);
  return Err("convert: cannot convert {} to {}", ir::Name(from), ir::Name(to));
}

llvm::Value* FunctionEmitter::Address(ir::ValueId ptr, ir::ValueId byte) {
  return b_.CreateGEP(b_.getInt8Ty(), Get(ptr), Get(byte));
}

llvm::Value* FunctionEmitter::LaneMask(int64_t lanes, int64_t total) {
  llvm::SmallVector<llvm::Constant*, 64> mask;
  for (int64_t i = 0; i < total; ++i) mask.push_back(b_.getInt1(i < lanes));
  return llvm::ConstantVector::get(mask);
}

llvm::Value* FunctionEmitter::EmitLoad(const ir::Op& op) {
  const ir::Type type = function_.type(op.results[0]);
  llvm::Type* llvm_type = LlvmType(type);
  llvm::Value* address = Address(op.operands[0], op.operands[1]);
  const int64_t lanes = op.Int(Attr::kLanes);
  if (lanes == 0 || lanes >= type.lanes) return b_.CreateAlignedLoad(llvm_type, address, llvm::Align(1));
  return b_.CreateMaskedLoad(llvm_type, address, llvm::Align(1), LaneMask(lanes, type.lanes),
                             llvm::Constant::getNullValue(llvm_type));
}

void FunctionEmitter::EmitStore(const ir::Op& op) {
  llvm::Value* value = Get(op.operands[0]);
  const ir::Type type = function_.type(op.operands[0]);
  llvm::Value* address = Address(op.operands[1], op.operands[2]);
  const int64_t lanes = op.Int(Attr::kLanes);
  if (lanes == 0 || lanes >= type.lanes) {
    b_.CreateAlignedStore(value, address, llvm::Align(1));
  } else {
    b_.CreateMaskedStore(value, address, llvm::Align(1), LaneMask(lanes, type.lanes));
  }
}

}  // namespace ggufc::codegen
