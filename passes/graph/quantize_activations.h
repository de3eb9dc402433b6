// quantize-activations: inserts a quantize before each linear with q8_0 weights. All linears that read one value share
// one quantize. Attention whose result is so quantised, and whose values come from a linear and are read by nothing
// else, computes with 16-bit integer dots too. Cost: linear in ops, except that each attention searches the ops for
// readers of its values.
#pragma once

#include "passes/pass.h"

namespace ggufc::passes {

Result<bool> QuantizeActivations(ir::Module& module, const PassContext& context);

}  // namespace ggufc::passes
