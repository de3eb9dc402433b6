// A check in a process of its own: a crash, a failed CHECK or a hang of the compiler or of its code is an outcome, too.
#pragma once

#include <functional>

#include "checks.h"

namespace ggufc::programs {

struct IsolationLimits {
  int cpu_seconds = 120;  // of the check, all threads
  int wall_seconds =
      1800;  // for what sleeps; generous, because a busy machine may stop a process for minutes
};

// Runs `check` in a child process and returns its outcome. A child that ends otherwise disagrees: Outcome::check is
// "crash: " and the failed CHECK's place, or the signal; Outcome::message is what it wrote to standard error.
//
// Forks, so the caller has no threads but its own.
Outcome RunIsolated(const std::function<Outcome()>& check, const IsolationLimits& limits = {});

}  // namespace ggufc::programs
