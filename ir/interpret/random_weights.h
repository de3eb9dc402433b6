// Made-up weights for tests and ggufc-opt: the same numbers for the same seed and tensor name, whatever the
// module. Vectors (norm gains) are near 1; matrices are normal with variance 1 / row length, so that
// activations keep their size.
#pragma once

#include <cstdint>

#include "ir/interpret/interpreter.h"

namespace ggufc::ir {

WeightSource RandomWeights(uint64_t seed);

}  // namespace ggufc::ir
