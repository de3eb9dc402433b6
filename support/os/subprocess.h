// Runs another program and waits for it.
#pragma once

#include <string>
#include <vector>

#include "support/result.h"

namespace ggufc {

// `command`: the program, searched in PATH, and its arguments. The program inherits standard streams and environment,
// has default signal handling, and gets its own process group. The signal handler (interruption.h) ends that group
// first, so that the program does not go on writing files that were removed. At most one program at a time per process.
// Returns the wait status; an error says why the program could not be started.
Result<int> RunProgram(const std::vector<std::string>& command);

}  // namespace ggufc
