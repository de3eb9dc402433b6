// The interpreter of the graph and kernel stages; see interpreter.h.
#pragma once

#include "ir/interpret/interpreter.h"

namespace ggufc::ir {

// Assumes that the module passes Verify and that the input's lengths add up to its ids.
Result<InterpreterOutput> InterpretTensors(const Module& module, const WeightSource& weights,
                                           const InterpreterInput& input);

}  // namespace ggufc::ir
