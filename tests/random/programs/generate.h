// Random programs. One in four is a model as an importer writes it, of random shape; the others are random graphs
// (random_graph.h). Everything is small: what is looked for is in how ops meet, and a few tokens and narrow rows let
// hundreds of programs run a minute.
#pragma once

#include <cstdint>

#include "program.h"

namespace ggufc::programs {

// The same program for the same numbers, on every machine. The module passes ir::Verify, and no value in it is far
// from 1 in size.
Program Generate(uint64_t seed, uint64_t index);

}  // namespace ggufc::programs
