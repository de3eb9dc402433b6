// Random graphs: one or several lookups, ops in any order and combination that the type rules allow, pooled into sequences
// and finished there.
#pragma once

#include <cstdint>

#include "draw.h"
#include "ir/core/module.h"

namespace ggufc::programs {

struct GraphLimits {
  int64_t vocab = 16;      // rows of lookup tables
  int64_t positions = 64;  // of the longest sequence
};

// Every op and every definition of a weight that the graph stage knows occurs. Beside single ops there are the groups of
// ops that passes look for (linears of one input, gated pairs, heads, residuals), intact and with something in the way:
// another reader, another order, a shared weight.
ir::Module RandomGraph(Draw& draw, const GraphLimits& limits);

}  // namespace ggufc::programs
