// Delta debugging: cuts a program down while it still fails.
#pragma once

#include <cstdint>
#include <functional>

#include "program.h"

namespace ggufc::programs {

struct ReduceLimits {
  int64_t tries = 2000;
  double seconds = 120;  // none starts later
};

struct Reduction {
  Program program;
  int64_t tries = 0;
};

// `fails` holds of `program`, and says whether it holds of a smaller one: fewer sequences and tokens, an earlier value
// returned, an op replaced by one of its operands or by another value of its type, narrower matrices and heads, plainer
// attributes and weights. Greedy and in that order, again and again until nothing helps or a limit is reached.
Reduction Reduce(const Program& program, const std::function<bool(const Program&)>& fails,
                 const ReduceLimits& limits = {});

}  // namespace ggufc::programs
