// fold-scales: removes scale ops. The scale of an embedding lookup multiplies the lookup's factor. The scale of an
// rms_norm multiplies the norm's gain, which becomes a derived weight computed at compile time. Ropes between the norm
// and the scale do not matter, because rope is linear. Assumes that the values on the way have one use each; other
// scales stay. Cost: one walk over the ops, one weight per distinct gain and factor.
#pragma once

#include "passes/pass.h"

namespace ggufc::passes {

Result<bool> FoldScales(ir::Module& module, const PassContext& context);

}  // namespace ggufc::passes
