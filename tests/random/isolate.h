// Runs a check in a child process, so that a crash, a failed CHECK or a hang of the compiler or its code is an outcome.
#pragma once

#include <functional>

#include "checks.h"

namespace ggufc::programs {

struct IsolationLimits {
  int cpu_seconds = 120;  // CPU time of all threads of the check
  // For checks that sleep. Long, because a busy machine may stop a process for minutes.
  int wall_seconds = 1800;
};

// Runs `check` in a child process and returns its outcome. If the child crashes or is killed, the outcome is kDisagrees:
// Outcome::check is "crash: " and the location of the failed CHECK, or the signal; Outcome::message is the child's standard
// error.
//
// It forks, so the calling process must have one thread only.
Outcome RunIsolated(const std::function<Outcome()>& check, const IsolationLimits& limits = {});

}  // namespace ggufc::programs
