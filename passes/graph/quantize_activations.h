// quantize-activations: a linear on q8_0 weights reads quantised activations; all linears that read one value share
// one quantize.
#pragma once

#include "passes/pass.h"

namespace ggufc::passes {

Result<bool> QuantizeActivations(ir::Module& module, const PassContext& context);

}  // namespace ggufc::passes
