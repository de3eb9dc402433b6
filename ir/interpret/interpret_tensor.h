// The interpreter of the graph and kernel stages; interpreter.h says what it computes.
#pragma once

#include "ir/interpret/interpreter.h"

namespace ggufc::ir {

// The module is verified and the input's lengths add up.
Result<InterpreterOutput> InterpretTensors(const Module& module, const WeightSource& weights,
                                           const InterpreterInput& input);

}  // namespace ggufc::ir
