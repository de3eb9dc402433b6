// Random weights for tests and ggufc-opt. The values depend on the seed and the tensor's name and type alone, not on the
// module. Vectors (norm gains) are near 1; matrices are normal with variance 1 / row length, so that activations keep
// their magnitude.
#pragma once

#include <cstdint>

#include "ir/interpret/interpreter.h"

namespace ggufc::ir {

WeightSource RandomWeights(uint64_t seed);

}  // namespace ggufc::ir
