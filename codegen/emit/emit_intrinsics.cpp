#include "codegen/emit/emit_intrinsics.h"

#include <fmt/format.h>
#include <llvm/IR/IntrinsicsX86.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/Casting.h>

#include <numeric>

#include "support/check.h"

namespace ggufc::codegen {
namespace {

int Lanes(llvm::Value* value) {
  return static_cast<int>(llvm::cast<llvm::FixedVectorType>(value->getType())->getNumElements());
}

// The scalar or vector type `like` with another element type.
llvm::Type* WithElement(llvm::Type* like, llvm::Type* element) {
  if (auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(like)) {
    return llvm::FixedVectorType::get(element, vector->getNumElements());
  }
  return element;
}

llvm::Type* I32Lanes(llvm::IRBuilder<>& b, int lanes) {
  return llvm::FixedVectorType::get(b.getInt32Ty(), static_cast<unsigned>(lanes));
}

}  // namespace

llvm::Value* IntrinsicEmitter::Slice(llvm::Value* vector, int first, int count) {
  llvm::SmallVector<int, 64> mask(static_cast<size_t>(count));
  std::iota(mask.begin(), mask.end(), first);
  return b_.CreateShuffleVector(vector, mask);
}

llvm::Value* IntrinsicEmitter::StridedLanes(llvm::Value* vector, int stride, int first) {
  llvm::SmallVector<int, 64> mask;
  for (int i = first; i < Lanes(vector); i += stride) mask.push_back(i);
  return b_.CreateShuffleVector(vector, mask);
}

template <typename Part>
llvm::Value* IntrinsicEmitter::Halves(llvm::Value* acc, llvm::Value* x, llvm::Value* y, Part part) {
  llvm::Value* results[2];
  for (int half = 0; half < 2; ++half) {
    auto piece = [&](llvm::Value* v) { return Slice(v, half * Lanes(v) / 2, Lanes(v) / 2); };
    results[half] = part(piece(acc), piece(x), piece(y));
  }
  llvm::SmallVector<int, 64> all(static_cast<size_t>(Lanes(acc)));
  std::iota(all.begin(), all.end(), 0);
  return b_.CreateShuffleVector(results[0], results[1], all);
}

llvm::Value* IntrinsicEmitter::DotI16(llvm::Value* acc, llvm::Value* a, llvm::Value* w) {
  switch (target_.dot_i16) {
    case DotLowering::kPlain:
      return b_.CreateAdd(acc, PlainMadd(a, w));
    case DotLowering::kMadd256:
      return Halves(acc, a, w, [&](auto* c, auto* x, auto* y) { return b_.CreateAdd(c, Madd(x, y)); });
    case DotLowering::kVnni256:
      return Halves(acc, a, w, [&](auto* c, auto* x, auto* y) { return Dpwssd(c, x, y); });
    case DotLowering::kVnni512:
      return Dpwssd(acc, a, w);
  }
  CHECK(false, "dot lowering {}", static_cast<int>(target_.dot_i16));
  return nullptr;
}

llvm::Value* IntrinsicEmitter::DotU8(llvm::Value* acc, llvm::Value* w, llvm::Value* a, bool seven_bit) {
  const DotLowering lowering = seven_bit ? target_.dot_u8s7 : target_.dot_u8s8;
  switch (lowering) {
    case DotLowering::kPlain:
      return PlainDpbusd(acc, w, a);
    case DotLowering::kMadd256:
      CHECK(seven_bit, "{}: vpmaddubsw saturates with eight-bit activations", target_.name());
      return Halves(acc, w, a, [&](auto* c, auto* u, auto* s) {
        llvm::Value* pairs = MaddUbs(u, s);
        return b_.CreateAdd(c, Madd(pairs, llvm::ConstantInt::get(pairs->getType(), 1)));
      });
    case DotLowering::kVnni256:
      return Halves(acc, w, a, [&](auto* c, auto* u, auto* s) { return Dpbusd(c, u, s); });
    case DotLowering::kVnni512:
      return Dpbusd(acc, w, a);
  }
  CHECK(false, "dot lowering {}", static_cast<int>(lowering));
  return nullptr;
}

llvm::Value* IntrinsicEmitter::PlainMadd(llvm::Value* a, llvm::Value* b) {
  llvm::Type* wide = WithElement(a->getType(), b_.getInt32Ty());
  llvm::Value* product = b_.CreateMul(b_.CreateSExt(a, wide), b_.CreateSExt(b, wide));
  return b_.CreateAdd(StridedLanes(product, 2, 0), StridedLanes(product, 2, 1));
}

llvm::Value* IntrinsicEmitter::PlainDpbusd(llvm::Value* acc, llvm::Value* u, llvm::Value* s) {
  llvm::Type* wide = WithElement(u->getType(), b_.getInt32Ty());
  llvm::Value* product = b_.CreateMul(b_.CreateZExt(u, wide), b_.CreateSExt(s, wide));
  for (int i = 0; i < 4; ++i) acc = b_.CreateAdd(acc, StridedLanes(product, 4, i));
  return acc;
}

llvm::Value* IntrinsicEmitter::Madd(llvm::Value* a, llvm::Value* b) {
  if (replace_) return PlainMadd(a, b);
  return b_.CreateIntrinsic(llvm::Intrinsic::x86_avx2_pmadd_wd, {}, {a, b});
}

llvm::Value* IntrinsicEmitter::MaddUbs(llvm::Value* u, llvm::Value* s) {
  if (!replace_) return b_.CreateIntrinsic(llvm::Intrinsic::x86_avx2_pmadd_ub_sw, {}, {u, s});
  llvm::Type* wide = WithElement(u->getType(), b_.getInt32Ty());
  llvm::Value* product = b_.CreateMul(b_.CreateZExt(u, wide), b_.CreateSExt(s, wide));
  llvm::Value* sum = b_.CreateAdd(StridedLanes(product, 2, 0), StridedLanes(product, 2, 1));
  auto limit = [&](int64_t value) { return llvm::ConstantInt::getSigned(sum->getType(), value); };
  sum = b_.CreateBinaryIntrinsic(llvm::Intrinsic::smin, sum, limit(INT16_MAX));
  sum = b_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, sum, limit(INT16_MIN));
  return b_.CreateTrunc(sum, WithElement(sum->getType(), b_.getInt16Ty()));
}

// The VNNI intrinsics take all operands as vectors of i32. The activations are the last operand, the only one that can be
// a broadcast from memory.
llvm::Value* IntrinsicEmitter::Dpwssd(llvm::Value* acc, llvm::Value* a, llvm::Value* w) {
  if (replace_) return b_.CreateAdd(acc, PlainMadd(a, w));
  const int lanes = Lanes(acc);
  const auto id =
      lanes == 16 ? llvm::Intrinsic::x86_avx512_vpdpwssd_512 : llvm::Intrinsic::x86_avx512_vpdpwssd_256;
  llvm::Type* type = I32Lanes(b_, lanes);
  return b_.CreateIntrinsic(id, {}, {acc, b_.CreateBitCast(w, type), b_.CreateBitCast(a, type)});
}

llvm::Value* IntrinsicEmitter::Dpbusd(llvm::Value* acc, llvm::Value* u, llvm::Value* s) {
  if (replace_) return PlainDpbusd(acc, u, s);
  const int lanes = Lanes(acc);
  const auto id =
      lanes == 16 ? llvm::Intrinsic::x86_avx512_vpdpbusd_512 : llvm::Intrinsic::x86_avx512_vpdpbusd_256;
  llvm::Type* type = I32Lanes(b_, lanes);
  return b_.CreateIntrinsic(id, {}, {acc, b_.CreateBitCast(u, type), b_.CreateBitCast(s, type)});
}

llvm::Value* IntrinsicEmitter::Fma(llvm::Value* a, llvm::Value* b, llvm::Value* c) {
  if (target_.fma == FmaLowering::kEmulated) return b_.CreateCall(EmulatedFma(a->getType()), {a, b, c});
  return b_.CreateIntrinsic(llvm::Intrinsic::fma, {a->getType()}, {a, b, c});
}

// One function per type. Inlined at its hundreds of uses it would be three quarters of the code.
llvm::Function* IntrinsicEmitter::EmulatedFma(llvm::Type* type) {
  llvm::Function& user = *b_.GetInsertBlock()->getParent();
  const auto* lanes = llvm::dyn_cast<llvm::FixedVectorType>(type);
  const std::string name =
      fmt::format("{}fma.f32x{}", symbol_prefix_, lanes != nullptr ? lanes->getNumElements() : 1);
  if (llvm::Function* made = user.getParent()->getFunction(name)) return made;
  auto* function = llvm::Function::Create(llvm::FunctionType::get(type, {type, type, type}, false),
                                          user.getLinkage(), name, user.getParent());
  function->setVisibility(user.getVisibility());
  function->setDSOLocal(user.isDSOLocal());
  function->addFnAttrs(llvm::AttrBuilder(user.getContext(), user.getAttributes().getFnAttrs()));
  function->setDoesNotAccessMemory();
  function->setWillReturn();
  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(user.getContext(), "entry", function));
  IntrinsicEmitter(builder, target_, replace_, symbol_prefix_).DefineEmulatedFma(*function);
  return function;
}

// Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd"
// (2008). The product of two f32 is exact in double (48 of 53 bits; exponents from -298 to 255 fit). The sum with c is
// rounded to odd instead of to nearest: TwoSum gives the error of the nearest sum; if it is not zero and the sum's last
// bit is even, the neighbour on the error's side is taken. Rounding to odd with 53 >= 24 + 2 bits and then to nearest f32
// equals one rounding, also for subnormal results, which keep fewer bits. With infinities and NaNs the error is NaN, the
// comparison is false, and the sum is unchanged.
void IntrinsicEmitter::DefineEmulatedFma(llvm::Function& function) {
  llvm::Value *a = function.getArg(0), *b = function.getArg(1), *c = function.getArg(2);
  llvm::Type* f64 = WithElement(a->getType(), b_.getDoubleTy());
  llvm::Type* i64 = WithElement(a->getType(), b_.getInt64Ty());
  llvm::Value* p = b_.CreateFMul(b_.CreateFPExt(a, f64), b_.CreateFPExt(b, f64));
  llvm::Value* d = b_.CreateFPExt(c, f64);
  llvm::Value* sum = b_.CreateFAdd(p, d);
  llvm::Value* d_part = b_.CreateFSub(sum, p);
  llvm::Value* p_part = b_.CreateFSub(sum, d_part);
  llvm::Value* error = b_.CreateFAdd(b_.CreateFSub(p, p_part), b_.CreateFSub(d, d_part));

  llvm::Value* zero = llvm::Constant::getNullValue(i64);
  llvm::Value* one = llvm::ConstantInt::get(i64, 1);
  llvm::Value* bits = b_.CreateBitCast(sum, i64);
  llvm::Value* even = b_.CreateICmpEQ(b_.CreateAnd(bits, one), zero);
  llvm::Value* inexact = b_.CreateFCmpONE(error, llvm::Constant::getNullValue(f64));
  // The neighbour away from zero is bits + 1, towards zero bits - 1. An inexact sum is not zero.
  llvm::Value* differ = b_.CreateXor(bits, b_.CreateBitCast(error, i64));
  llvm::Value* toward = b_.CreateAShr(differ, 63);  // -1 where the signs differ, else 0
  llvm::Value* odd = b_.CreateAdd(bits, b_.CreateOr(toward, one));
  llvm::Value* fixed = b_.CreateSelect(b_.CreateAnd(inexact, even), odd, bits);
  b_.CreateRet(b_.CreateFPTrunc(b_.CreateBitCast(fixed, f64), a->getType()));
}

llvm::Value* IntrinsicEmitter::F16ToF32(llvm::Value* half) {
  if (target_.f16 == F16Lowering::kBits) return F16BitsToF32(half);
  llvm::Value* value = b_.CreateBitCast(half, WithElement(half->getType(), b_.getHalfTy()));
  return b_.CreateFPExt(value, WithElement(half->getType(), b_.getFloatTy()));
}

// Moving exponent and mantissa to their f32 positions divides the value by 2^112 (the difference of the biases, 127 - 15).
// The multiplication reverses this exactly and normalises subnormals. Infinities and NaNs get f32's all-ones exponent.
llvm::Value* IntrinsicEmitter::F16BitsToF32(llvm::Value* half) {
  llvm::Type* i32 = WithElement(half->getType(), b_.getInt32Ty());
  llvm::Type* f32 = WithElement(half->getType(), b_.getFloatTy());
  auto constant = [&](uint32_t value) { return llvm::ConstantInt::get(i32, value); };
  llvm::Value* wide = b_.CreateZExt(half, i32);
  llvm::Value* magnitude = b_.CreateAnd(wide, constant(0x7fff));
  llvm::Value* sign = b_.CreateShl(b_.CreateAnd(wide, constant(0x8000)), 16);
  llvm::Value* shifted = b_.CreateShl(magnitude, 13);
  llvm::Value* scaled = b_.CreateFMul(b_.CreateBitCast(shifted, f32), llvm::ConstantFP::get(f32, 0x1p112));
  llvm::Value* infinity = b_.CreateOr(shifted, constant(0x7f800000));
  llvm::Value* quiet = b_.CreateOr(infinity, constant(0x00400000));
  llvm::Value* special = b_.CreateSelect(b_.CreateICmpSGT(magnitude, constant(0x7c00)), quiet, infinity);
  llvm::Value* bits =
      b_.CreateSelect(b_.CreateICmpSLT(magnitude, constant(0x7c00)), b_.CreateBitCast(scaled, i32), special);
  return b_.CreateBitCast(b_.CreateOr(bits, sign), f32);
}

}  // namespace ggufc::codegen
