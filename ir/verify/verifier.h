// Checks the invariants that every pass may rely on and must keep. verifier.cpp lists them.
#pragma once

#include "ir/core/module.h"
#include "support/result.h"

namespace ggufc::ir {

Status Verify(const Module& module);

}  // namespace ggufc::ir
