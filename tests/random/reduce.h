// Delta debugging: makes a program smaller while it still fails.
#pragma once

#include <cstdint>
#include <functional>

#include "program.h"

namespace ggufc::programs {

struct ReduceLimits {
  int64_t tries = 2000;
  double seconds = 120;  // no try starts later
};

struct Reduction {
  Program program;
  int64_t tries = 0;
};

// `fails` must be true for `program`. Tries smaller programs for which `fails` is true: fewer sequences and tokens, an
// earlier value as the result, an op replaced by one of its operands or by another value of its type, narrower matrices and
// heads, plainer attributes and weights. Greedy and in this order, repeated until nothing helps or a limit is reached.
Reduction Reduce(const Program& program, const std::function<bool(const Program&)>& fails,
                 const ReduceLimits& limits = {});

}  // namespace ggufc::programs
