#include "isolate.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <string>

#include "support/check.h"

namespace ggufc::programs {
namespace {

// Fields separated by NUL: kind, check, message, then pairs of pass and standard errors.
std::string Encode(const Outcome& outcome) {
  std::string text = std::to_string(static_cast<int>(outcome.kind));
  const auto field = [&](std::string_view value) { (text += '\0') += value; };
  field(outcome.check);
  field(outcome.message);
  for (const auto& [pass, errors] : outcome.standard_errors) {
    field(pass);
    field(fmt::format("{}", errors));
  }
  return text;
}

Outcome Decode(std::string_view text) {
  const auto field = [&] {
    const size_t end = std::min(text.find('\0'), text.size());
    const std::string_view value = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return std::string(value);
  };
  Outcome outcome;
  outcome.kind = static_cast<Outcome::Kind>(field()[0] - '0');
  outcome.check = field();
  outcome.message = field();
  while (!text.empty()) {
    const std::string pass = field(), errors = field();
    std::from_chars(errors.data(), errors.data() + errors.size(), outcome.standard_errors[pass]);
  }
  return outcome;
}

// A file in memory that parent and child share.
class SharedFile {
 public:
  explicit SharedFile(const char* name) : fd_(memfd_create(name, MFD_CLOEXEC)) {
    CHECK(fd_ >= 0, "memfd_create: {}", strerror(errno));
  }
  ~SharedFile() { close(fd_); }
  int fd() const { return fd_; }
  void Write(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t written = write(fd_, text.data(), text.size());
      if (written <= 0) return;
      text.remove_prefix(static_cast<size_t>(written));
    }
  }
  std::string Read() const {
    std::string text;
    char buffer[4096];
    for (ssize_t n; (n = pread(fd_, buffer, sizeof(buffer), static_cast<off_t>(text.size()))) > 0;)
      text.append(buffer, static_cast<size_t>(n));
    return text;
  }

 private:
  int fd_;
};

[[noreturn]] void RunChild(const std::function<Outcome()>& check, const IsolationLimits& limits,
                           const SharedFile& report, const SharedFile& errors) {
  dup2(errors.fd(), STDERR_FILENO);
  const auto seconds = static_cast<rlim_t>(limits.cpu_seconds);
  const rlimit cpu{seconds, seconds + 5}, core{0, 0};
  setrlimit(RLIMIT_CPU, &cpu);
  setrlimit(RLIMIT_CORE, &core);
  report.Write(Encode(check()));
  _exit(0);
}

// Waits for the child, killing it after `wall_seconds`. Returns the wait status.
int Wait(pid_t child, int done, int wall_seconds) {
  pollfd closed{done, 0, 0};
  if (poll(&closed, 1, wall_seconds * 1000) == 0) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0) CHECK(errno == EINTR, "waitpid: {}", strerror(errno));
  return status;
}

// The name of a crash: "crash: passes/graph/fuse.cpp:12" for a failed CHECK, else the signal or the exit status.
std::string CrashName(int status, const std::string& errors) {
  const size_t at = errors.find(": internal error: CHECK(");
  if (at != std::string::npos) {
    const size_t line = errors.rfind('\n', at) + 1;  // npos + 1 is 0
    return "crash: " + errors.substr(line, at - line);
  }
  if (WIFSIGNALED(status)) return fmt::format("crash: {}", sigdescr_np(WTERMSIG(status)));
  return fmt::format("crash: exit status {}", WEXITSTATUS(status));
}

}  // namespace

Outcome RunIsolated(const std::function<Outcome()>& check, const IsolationLimits& limits) {
  const SharedFile report("report"), errors("stderr");
  int done[2];  // the child's end closes when the child ends
  CHECK(pipe2(done, O_CLOEXEC) == 0, "pipe: {}", strerror(errno));
  fflush(nullptr);
  const pid_t child = fork();
  CHECK(child >= 0, "fork: {}", strerror(errno));
  if (child == 0) RunChild(check, limits, report, errors);
  close(done[1]);
  const int status = Wait(child, done[0], limits.wall_seconds);
  close(done[0]);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return Decode(report.Read());
  Outcome outcome;
  outcome.kind = Outcome::Kind::kDisagrees;
  outcome.check = CrashName(status, errors.Read());
  outcome.message = errors.Read();
  return outcome;
}

}  // namespace ggufc::programs
