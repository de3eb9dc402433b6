// merge-linears: linears that read one value and have weights of one type become one linear over a merged weight.
// gate and up, whose results meet in mul(gelu(gate), up), are interleaved by blocks of 32 columns, so that a work item
// holds both; others (q, k, v) lie side by side. Users read slices.
#pragma once

#include "passes/pass.h"

namespace ggufc::passes {

Result<bool> MergeLinears(ir::Module& module, const PassContext& context);

}  // namespace ggufc::passes
