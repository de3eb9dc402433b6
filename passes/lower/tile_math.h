// Functions of 16 lanes as loop IR. All targets share one definition, made of operations that IEEE 754 rounds in one
// way only, so the bits are the same everywhere.
#pragma once

#include "ir/core/builder.h"

namespace ggufc::passes {

inline constexpr int64_t kFloat = 4;        // bytes of an f32
inline constexpr double kMasked = -3.0e38;  // the score of a masked key: below every score

// e^x for f32x16, with an error below 2 ulp for x in [-86, 88]. Smaller and larger x are clamped to these bounds. e^NaN
// is NaN.
ir::ValueId EmitExp(ir::Builder& b, ir::ValueId x);

// gelu, tanh form (Hendrycks and Gimpel, arXiv:1606.08415): x / (1 + exp(-2 sqrt(2/pi) (x + 0.044715 x^3))).
ir::ValueId EmitGelu(ir::Builder& b, ir::ValueId x);

// The integers nearest to x * factor (ties to even) as i32x16, rounded once. Assumes |x * factor| < 2^22.
ir::ValueId EmitRoundToInt(ir::Builder& b, ir::ValueId x, ir::ValueId factor);

}  // namespace ggufc::passes
