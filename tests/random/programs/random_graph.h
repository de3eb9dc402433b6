// Random graphs: one or more embeds, ops in any combination that the type rules allow, mean pooling, and ops on sequences.
#pragma once

#include <cstdint>

#include "draw.h"
#include "ir/core/module.h"

namespace ggufc::programs {

struct GraphLimits {
  int64_t vocab = 16;      // rows of embedding tables
  int64_t positions = 64;  // tokens of the longest sequence
};

// Graphs have all ops and all definitions of weights of the graph stage. Besides single ops they have the groups of ops that
// passes match (linears of one input, gated pairs, heads, residuals), both intact and with obstacles to a match: another
// reader, another order, a shared weight.
ir::Module RandomGraph(Draw& draw, const GraphLimits& limits);

}  // namespace ggufc::programs
