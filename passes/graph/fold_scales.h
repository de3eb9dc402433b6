// fold-scales: a scale of an embedding lookup becomes the lookup's factor; a scale behind a norm (rope
// between them is linear and may stand in the way) becomes a norm with a scaled gain, computed at compile time.
#pragma once

#include "passes/pass.h"

namespace ggufc::passes {

Result<bool> FoldScales(ir::Module& module, const PassContext& context);

}  // namespace ggufc::passes
