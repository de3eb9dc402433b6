// Random programs. One in four is a model of random shape, as an importer makes it; the others are random graphs
// (random_graph.h). Programs are small: the defects to find are in combinations of ops, and with few tokens and narrow rows
// hundreds of programs run per minute.
#pragma once

#include <cstdint>

#include "program.h"

namespace ggufc::programs {

// The program depends on the two numbers alone. Its module passes ir::Verify, and its values have magnitudes near 1.
Program Generate(uint64_t seed, uint64_t index);

}  // namespace ggufc::programs
