// Runs another program and waits for it.
#pragma once

#include <string>
#include <vector>

#include "support/result.h"

namespace ggufc {

// `command`: the program, looked for in PATH, and its arguments. It has our standard streams and environment, the signals
// as a shell would give them, and a process group of its own, which a signal that ends us (interruption.h) ends first: it
// must not go on writing files that we have removed. One at a time in a process. Returns its wait status; the error says
// why it could not be started.
Result<int> RunProgram(const std::vector<std::string>& command);

}  // namespace ggufc
