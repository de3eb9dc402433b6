// merge-linears: linears that read one value and have weights of one type become one linear with a merged weight. Two
// linears whose results meet in mul(gelu(gate), up) are interleaved in groups of 32 columns, so that a work item
// computes both. Others (q, k, v) are concatenated. Users read slices or deinterleaves. Derived weights are not merged.
// Cost: linear in ops, except that each pair of linears searches the ops for the mul.
#pragma once

#include "passes/pass.h"

namespace ggufc::passes {

Result<bool> MergeLinears(ir::Module& module, const PassContext& context);

}  // namespace ggufc::passes
