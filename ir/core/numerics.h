// Versions of the arithmetic, per family of ops (numerics.def).
#pragma once

#include <string>

#include "ir/core/module.h"

namespace ggufc::ir {

// The numerics families of the tensor ops in `forward`, with their versions, in alphabetical order: "embed=1
// linear_int=1 ...". `module` must be at the graph stage after quantise-activations, which decides between integer and
// f32 arithmetic for each linear and attention.
std::string NumericsOf(const Module& module);

}  // namespace ggufc::ir
