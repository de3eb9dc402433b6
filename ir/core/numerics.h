// Versions of the arithmetic, per family of ops (numerics.def).
#pragma once

#include <string>

#include "ir/core/module.h"

namespace ggufc::ir {

// The families that the tensor ops of `forward` use, with their versions: "embed=1 linear_int=1 ...", in alphabetical
// order. `module` is at the graph stage with its activations quantised: which path a linear or an attention takes is
// decided by then.
std::string NumericsOf(const Module& module);

}  // namespace ggufc::ir
