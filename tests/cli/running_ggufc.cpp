#include "running_ggufc.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace ggufc::testing {

RunningGgufc::RunningGgufc(const std::vector<std::string>& arguments, const std::function<void()>& prepare)
    : err_(std::tmpfile()) {
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  out_fd_ = ends[0];
  std::vector<std::string> owned = arguments;
  const std::string binary = GgufcBinary();
  owned.insert(owned.begin(), binary);
  std::vector<char*> argv;
  for (std::string& argument : owned) argv.push_back(argument.data());
  argv.push_back(nullptr);
  child_ = fork();
  if (child_ == 0) {
    const int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    dup2(ends[1], STDOUT_FILENO);
    dup2(fileno(err_), STDERR_FILENO);
    close(nothing);
    if (prepare) prepare();
    execv(binary.c_str(), argv.data());
    _exit(127);
  }
  close(ends[1]);
}

RunningGgufc::~RunningGgufc() {
  if (child_ > 0) {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  CloseOutput();
  std::fclose(err_);
}

void RunningGgufc::CloseOutput() {
  if (out_fd_ >= 0) close(out_fd_);
  out_fd_ = -1;
}

void RunningGgufc::Signal(int signal) const { EXPECT_EQ(kill(child_, signal), 0); }

bool RunningGgufc::Read(size_t bytes) {
  std::string piece(bytes, '\0');
  const ssize_t count = read(out_fd_, piece.data(), bytes);
  EXPECT_GE(count, 0);
  if (count > 0) out_.append(piece, 0, static_cast<size_t>(count));
  return count > 0;
}

Outcome RunningGgufc::Wait() {
  while (Read(65536)) {
  }
  return WaitUnread();
}

Outcome RunningGgufc::WaitUnread() {
  int status = 0;
  EXPECT_EQ(waitpid(child_, &status, 0), child_);
  child_ = -1;
  std::string err;
  char piece[4096];
  ssize_t count = 0;
  while ((count = pread(fileno(err_), piece, sizeof piece, static_cast<off_t>(err.size()))) > 0) {
    err.append(piece, static_cast<size_t>(count));
  }
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), out_, err};
}

}  // namespace ggufc::testing
