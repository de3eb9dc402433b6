// Functions of 16 lanes as loop IR: one definition for all targets, of operations that IEEE rounds one way only, so the
// bits are the same everywhere.
#pragma once

#include "ir/core/builder.h"

namespace ggufc::passes {

// e^x for f32x16, relative error below 2 ulp for x in [-86, 88]; smaller and larger x count as those bounds. NaN stays
// unspecified.
ir::ValueId EmitExp(ir::Builder& b, ir::ValueId x);

// gelu, tanh form (Hendrycks and Gimpel, arXiv:1606.08415): x / (1 + exp(-2 sqrt(2/pi) (x + 0.044715 x^3))).
ir::ValueId EmitGelu(ir::Builder& b, ir::ValueId x);

// f32x16 to the nearest integers (ties to even) as i32x16, of x * factor rounded once; |x * factor| < 2^22.
ir::ValueId EmitRoundToInt(ir::Builder& b, ir::ValueId x, ir::ValueId factor);

}  // namespace ggufc::passes
