#include "support/os/output_file.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <utility>

#include "support/os/huge_page.h"

namespace ggufc {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 18;

// What poll() promises: this much can be written at once without waiting (on Linux, one page of the pipe).
constexpr size_t kPieceBytes = PIPE_BUF;

// A link's file, so that the link stays one.
std::string ResolveLinks(const std::string& path) {
  char* const real = realpath(path.c_str(), nullptr);
  if (real == nullptr) return path;
  std::string resolved(real);
  std::free(real);
  return resolved;
}

// How many bytes go to a pipe before a signal may come: as many lines as fit a piece, or a single longer one.
size_t WholeLines(std::string_view bytes) {
  size_t end = bytes.substr(0, kPieceBytes).rfind('\n');
  if (end == std::string_view::npos) end = bytes.find('\n');
  return end == std::string_view::npos ? bytes.size() : end + 1;
}

}  // namespace

Status CheckNotAnInput(const std::string& output, const std::vector<std::string>& inputs) {
  struct stat target = {}, source = {};
  if (output == "-" || stat(output.c_str(), &target) != 0 || !S_ISREG(target.st_mode)) return {};
  for (const std::string& input : inputs) {
    if (stat(input.c_str(), &source) == 0 && source.st_dev == target.st_dev &&
        source.st_ino == target.st_ino) {
      return Err("{}: is the input {} too, whose place the output would take", output, input);
    }
  }
  return {};
}

bool AppearsWhenComplete(const std::string& path) {
  struct stat info = {};
  if (path == "-" || path == "/dev/stdout") return false;
  return stat(path.c_str(), &info) != 0 || S_ISREG(info.st_mode);
}

Result<OutputFile> OutputFile::Create(const std::string& path, const OutputFileOptions& options) {
  OutputFile file;
  file.name_ = path;
  struct stat info = {};
  if (path == "-" || path == "/dev/stdout") {
    file.name_ = "standard output";
    file.fd_ = STDOUT_FILENO;
    file.may_block_ = fstat(file.fd_, &info) != 0 || !S_ISREG(info.st_mode);
    return file;
  }
  file.owned_ = true;
  file.target_ = path;
  bool exists = false;
  if (stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return Err(ErrorKind::kIo, "{}: cannot write: it is a folder", path);
    if (!S_ISREG(info.st_mode)) {
      file.may_block_ = true;
      file.fd_ = open(path.c_str(), O_WRONLY | O_CLOEXEC);
      if (file.fd_ < 0)
        return Err(ErrorKind::kIo, "{}: cannot open for writing: {}", path, std::strerror(errno));
      return file;
    }
    exists = true;
    file.target_ = ResolveLinks(path);
  } else if (errno != ENOENT) {
    return Err(ErrorKind::kIo, "{}: cannot create: {}", path, std::strerror(errno));
  }
  RETURN_IF_ERROR(file.CreateTemporary(path, exists ? info.st_mode & 0777 : options.permissions));
  // Against the umask.
  if (exists && fchmod(file.fd_, info.st_mode & 0777) != 0) RETURN_IF_ERROR(file.Wrong(errno));
  return file;
}

Status OutputFile::CreateTemporary(const std::string& path, unsigned permissions) {
  const size_t slash = target_.rfind('/');
  const size_t name = slash == std::string::npos ? 0 : slash + 1;
  // Room for what is appended, where the name is as long as names may be.
  const std::string start = target_.substr(0, name + std::min<size_t>(target_.size() - name, NAME_MAX - 40));
  int error = 0;
  for (int attempt = 0; attempt < 100; ++attempt) {
    const std::string temporary = fmt::format("{}.{}-{}.tmp", start, getpid(), attempt);
    const Uninterrupted section;
    // Before it is there: listing takes memory, and the thread that the handler has stopped may hold the lock on that.
    listed_ = RemovedOnSignal(temporary);
    fd_ = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, permissions);
    if (fd_ >= 0) {
      temporary_ = temporary;
      return {};
    }
    error = errno;
    listed_ = {};
    if (error != EEXIST) break;
  }
  return Err(ErrorKind::kIo, "{}: cannot create: {}", path, std::strerror(error));
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : name_(std::move(other.name_)),
      target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, {})),
      listed_(std::move(other.listed_)),
      fd_(std::exchange(other.fd_, -1)),
      owned_(std::exchange(other.owned_, false)),
      may_block_(other.may_block_),
      written_(other.written_),
      buffer_(std::move(other.buffer_)) {}

OutputFile::~OutputFile() {
  if (owned_ && fd_ >= 0) close(fd_);
  if (temporary_.empty()) return;
  const Uninterrupted section;
  unlink(temporary_.c_str());
  listed_ = {};
}

Status OutputFile::Wrong(int error) const {
  return Err(ErrorKind::kIo, "{}: cannot write: {}", name_, std::strerror(error));
}

Status OutputFile::WriteToFile(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(fd_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Wrong(errno);
    bytes.remove_prefix(static_cast<size_t>(count));
    written_ += static_cast<size_t>(count);
  }
  return {};
}

Status OutputFile::WriteToStream(std::string_view bytes) {
  if (!may_block_) {
    const Uninterrupted section;
    return WriteToFile(bytes);
  }
  while (!bytes.empty()) {
    // Between two lines a signal is welcome.
    pollfd ready = {.fd = fd_, .events = POLLOUT, .revents = 0};
    if (poll(&ready, 1, -1) < 0 && errno != EINTR) return Wrong(errno);
    const size_t count = WholeLines(bytes);
    RETURN_IF_ERROR(WriteLines(bytes.substr(0, count)));
    bytes.remove_prefix(count);
  }
  return {};
}

Status OutputFile::WriteLines(std::string_view bytes) {
  using Clock = std::chrono::steady_clock;
  constexpr int kLookMilliseconds = 20;  // how often a section that waits looks for a signal
  while (!bytes.empty()) {
    const Uninterrupted section;
    Clock::time_point stalled = Clock::now();
    while (!bytes.empty()) {
      pollfd ready = {.fd = fd_, .events = POLLOUT, .revents = 0};
      const int events = poll(&ready, 1, kLookMilliseconds);
      if (events < 0 && errno != EINTR) return Wrong(errno);
      if (events <= 0) {
        const bool long_enough = Clock::now() - stalled > std::chrono::milliseconds(kGraceMilliseconds);
        if (long_enough && Uninterrupted::SignalWaits()) break;  // out of the section, which lets it in
        continue;
      }
      const ssize_t count = write(fd_, bytes.data(), std::min(bytes.size(), kPieceBytes));
      if (count < 0 && errno != EINTR && errno != EAGAIN) return Wrong(errno);
      if (count > 0) bytes.remove_prefix(static_cast<size_t>(count));
      stalled = Clock::now();
    }
  }
  return {};
}

Status OutputFile::Write(std::string_view bytes) {
  buffer_ += bytes;
  if (!seekable()) return buffer_.size() < kBufferBytes ? Status() : Flush();
  // In huge pages, each from its start on: so large are the file's pages in the page cache then (on file systems with large
  // folios), and mapping 117 MB of weights takes 58 faults.
  if (buffer_.size() < kHugePage) return {};
  const size_t count = buffer_.size() - (written_ + buffer_.size()) % kHugePage;
  RETURN_IF_ERROR(WriteToFile(std::string_view(buffer_).substr(0, count)));
  buffer_.erase(0, count);
  return {};
}

Status OutputFile::WriteAt(int64_t offset, std::string_view bytes) {
  RETURN_IF_ERROR(Flush());
  while (!bytes.empty()) {
    const ssize_t count = pwrite(fd_, bytes.data(), bytes.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Wrong(errno);
    bytes.remove_prefix(static_cast<size_t>(count));
    offset += count;
  }
  return {};
}

Status OutputFile::Flush() {
  const Status status = seekable() ? WriteToFile(buffer_) : WriteToStream(buffer_);
  buffer_.clear();
  return status;
}

Status OutputFile::Finish() {
  RETURN_IF_ERROR(Flush());
  if (owned_ && close(std::exchange(fd_, -1)) != 0) return Wrong(errno);
  if (!temporary_.empty()) {
    const Uninterrupted section;
    if (rename(temporary_.c_str(), target_.c_str()) != 0) return Wrong(errno);
    temporary_.clear();
    listed_ = {};
  }
  return {};
}

Status WriteToStdout(std::string_view text) {
  ASSIGN_OR_RETURN(OutputFile out, OutputFile::Create("-"));
  RETURN_IF_ERROR(out.Write(text));
  return out.Finish();
}

void OpenStandardStreams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // The lowest free number is taken, which is this one. The wrong way round, so that its use is an error.
    if (fcntl(fd, F_GETFD) < 0) open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

}  // namespace ggufc
