#include "passes/lower/tile_math.h"

namespace ggufc::passes {

using ir::OpKind;
using ir::ValueId;

namespace {

// Adding 1.5 * 2^23 to a float of magnitude below 2^22 leaves its nearest integer in the low mantissa bits.
constexpr double kRounder = 12582912.0;
constexpr int64_t kRounderBits = 0x4B400000;

}  // namespace

ValueId EmitRoundToInt(ir::Builder& b, ValueId x, ValueId factor) {
  const ValueId shifted = b.Fma(x, factor, b.F32V(kRounder));
  return b.Sub(b.Bitcast(shifted, ir::I32x16()), b.I32V(kRounderBits));
}

// x = n ln 2 + r with |r| <= ln 2 / 2, so e^x = 2^n e^r. e^r is its Taylor series to r^7, whose remainder (0.3466^8 /
// 40320 = 5e-9) is below half an ulp. ln 2 is subtracted in two parts; the first has 15 bits, so that its product with
// n is exact. The bounds on x keep 2^n e^r normal. The bounds are the first operands of min and max, which return their
// second operand if one is a NaN, so e^NaN is a NaN. (The low bits of the NaNs that arithmetic produces are zero, so
// adding the exponent changes nothing.)
ValueId EmitExp(ir::Builder& b, ValueId x) {
  const ValueId bounded = b.Max(b.F32V(-86.0), b.Min(b.F32V(88.0), x));
  const ValueId shifted = b.Fma(bounded, b.F32V(1.4426950408889634), b.F32V(kRounder));
  const ValueId n = b.Sub(shifted, b.F32V(kRounder));
  ValueId r = b.Fma(n, b.F32V(-0.693145751953125), bounded);
  r = b.Fma(n, b.F32V(-1.4286068203094173e-06), r);
  ValueId sum = b.F32V(1.0 / 5040);
  for (const double coefficient : {1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1.0, 1.0}) {
    sum = b.Fma(sum, r, b.F32V(coefficient));
  }
  const ValueId exponent = b.Sub(b.Bitcast(shifted, ir::I32x16()), b.I32V(kRounderBits));
  const ValueId bits = b.Add(b.Bitcast(sum, ir::I32x16()), b.Emit(OpKind::kShl, {exponent, b.I32V(23)}));
  return b.Bitcast(bits, ir::F32x16());
}

ValueId EmitGelu(ir::Builder& b, ValueId x) {
  constexpr double kSlope = -1.5957691216057308;  // -2 sqrt(2 / pi)
  const ValueId inner = b.Fma(b.Mul(x, x), b.F32V(kSlope * 0.044715), b.F32V(kSlope));
  return b.Div(x, b.Add(EmitExp(b, b.Mul(x, inner)), b.F32V(1.0)));
}

}  // namespace ggufc::passes
