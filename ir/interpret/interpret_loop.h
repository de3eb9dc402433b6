// The interpreter of the loop stage; see interpreter.h.
#pragma once

#include "ir/interpret/interpreter.h"

namespace ggufc::ir {

// Assumes that the module passes Verify and that the input's lengths add up to its ids.
Result<InterpreterOutput> InterpretLoops(const Module& module, const WeightSource& weights,
                                         const InterpreterInput& input);

}  // namespace ggufc::ir
