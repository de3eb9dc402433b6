#include "support/os/subprocess.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "support/check.h"
#include "support/os/interruption.h"

namespace ggufc {

Result<int> RunProgram(const std::vector<std::string>& command) {
  CHECK(!command.empty());
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);

  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  for (const int ignored : {SIGPIPE, SIGXFSZ}) sigaddset(&defaults, ignored);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, static_cast<short>(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                           POSIX_SPAWN_SETPGROUP));
  pid_t child = 0;
  int error = 0;
  {
    const Uninterrupted section;
    error = posix_spawnp(&child, arguments[0], nullptr, &attributes, arguments.data(), environ);
    if (error == 0) SetGroupEndedOnSignal(child);
  }
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return Err(ErrorKind::kIo, "cannot run '{}': {}", command[0], std::strerror(error));

  // WNOWAIT keeps the process id reserved until the group is no longer registered.
  siginfo_t info = {};
  while (waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  SetGroupEndedOnSignal(0);
  int status = 0;
  if (waitpid(child, &status, 0) != child) {
    return Err(ErrorKind::kIo, "cannot wait for '{}': {}", command[0], std::strerror(errno));
  }
  return status;
}

}  // namespace ggufc
