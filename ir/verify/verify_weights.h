// The part of the verifier that checks weights; verifier.cpp lists the invariants.
#pragma once

#include "ir/core/module.h"
#include "support/result.h"

namespace ggufc::ir {

inline constexpr int64_t kMaxDim = int64_t{1} << 31;  // of a tensor

Status VerifyWeight(const Module& module, WeightId id);

}  // namespace ggufc::ir
