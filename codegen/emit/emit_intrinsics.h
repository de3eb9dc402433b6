// The ops whose instructions differ by target: integer dots, fma, f16 conversion. Each function emits one op with the
// lowering of the target's row. Each x86 intrinsic has an equivalent in plain LLVM IR, which is emitted instead if
// intrinsics are replaced (EmitOptions::replace_intrinsics).
#pragma once

#include <llvm/IR/IRBuilder.h>

#include <string>
#include <utility>

#include "codegen/target.h"

namespace ggufc::codegen {

class IntrinsicEmitter {
 public:
  // `symbol_prefix`: the prefix of names of helper functions.
  IntrinsicEmitter(llvm::IRBuilder<>& builder, const Target& target, bool replace, std::string symbol_prefix)
      : b_(builder), target_(target), replace_(replace), symbol_prefix_(std::move(symbol_prefix)) {}

  // acc: <16 x i32>; a, w: <32 x i16>. acc[i] + a[2i] w[2i] + a[2i+1] w[2i+1]
  llvm::Value* DotI16(llvm::Value* acc, llvm::Value* a, llvm::Value* w);
  // acc: <16 x i32>; w: <64 x i8>, unsigned; a: <64 x i8>, signed. `seven_bit`: |a| <= 63.
  llvm::Value* DotU8(llvm::Value* acc, llvm::Value* w, llvm::Value* a, bool seven_bit);
  // f32 scalars or vectors: a * b + c, rounded once.
  llvm::Value* Fma(llvm::Value* a, llvm::Value* b, llvm::Value* c);
  // f16 as i16 scalars or vectors, to f32. A signalling NaN becomes quiet, as with vcvtph2ps.
  llvm::Value* F16ToF32(llvm::Value* half);

  // Lanes [first, first + count) of a vector.
  llvm::Value* Slice(llvm::Value* vector, int first, int count);

 private:
  // The helper function that emulates fma on `type`, an f32 scalar or vector; defined in the module on first use.
  llvm::Function* EmulatedFma(llvm::Type* type);
  void DefineEmulatedFma(llvm::Function& function);
  llvm::Value* F16BitsToF32(llvm::Value* half);
  // Runs `part` on the lower and on the upper half of the operands' lanes and concatenates the results.
  template <typename Part>
  llvm::Value* Halves(llvm::Value* acc, llvm::Value* x, llvm::Value* y, Part part);

  llvm::Value* Madd(llvm::Value* a, llvm::Value* b);     // vpmaddwd: i16 pairs to i32
  llvm::Value* MaddUbs(llvm::Value* u, llvm::Value* s);  // vpmaddubsw: u8 x s8 pairs to i16, saturating
  llvm::Value* Dpwssd(llvm::Value* acc, llvm::Value* a, llvm::Value* b);
  llvm::Value* Dpbusd(llvm::Value* acc, llvm::Value* u, llvm::Value* s);
  // Lanes first, first + stride, first + 2 stride, ... of a vector.
  llvm::Value* StridedLanes(llvm::Value* vector, int stride, int first);
  llvm::Value* PlainMadd(llvm::Value* a, llvm::Value* b);
  llvm::Value* PlainDpbusd(llvm::Value* acc, llvm::Value* u, llvm::Value* s);

  llvm::IRBuilder<>& b_;
  const Target& target_;
  bool replace_;
  std::string symbol_prefix_;
};

}  // namespace ggufc::codegen
