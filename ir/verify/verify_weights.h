// The part of the verifier that looks at a module's weights; verifier.cpp lists what holds.
#pragma once

#include "ir/core/module.h"
#include "support/result.h"

namespace ggufc::ir {

Status VerifyWeight(const Module& module, WeightId id);

}  // namespace ggufc::ir
