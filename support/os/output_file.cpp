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

// After poll() reports POLLOUT, this many bytes can be written without waiting (on Linux, one page of the pipe).
constexpr size_t kPieceBytes = PIPE_BUF;

// The file that a link points to, so that writing keeps the link.
std::string ResolveLinks(const std::string& path) {
  char* const real = realpath(path.c_str(), nullptr);
  if (real == nullptr) return path;
  std::string resolved(real);
  std::free(real);
  return resolved;
}

// Bytes to write to a pipe before a signal may end the program: as many lines as fit a piece, or one longer line.
size_t WholeLineBytes(std::string_view bytes) {
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
      return Err(
          "{}: the output is the same file as the input {} and would replace it; choose another output",
          output, input);
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
  file.owns_fd_ = true;
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
  // open() applied the umask; an existing file keeps its permissions.
  if (exists && fchmod(file.fd_, info.st_mode & 0777) != 0) RETURN_IF_ERROR(file.WriteError(errno));
  return file;
}

Status OutputFile::CreateTemporary(const std::string& path, unsigned permissions) {
  const size_t slash = target_.rfind('/');
  const size_t name = slash == std::string::npos ? 0 : slash + 1;
  // Cut a name near NAME_MAX so that the suffix fits.
  const std::string start = target_.substr(0, name + std::min<size_t>(target_.size() - name, NAME_MAX - 40));
  int error = 0;
  for (int attempt = 0; attempt < 100; ++attempt) {
    const std::string temporary = fmt::format("{}.{}-{}.tmp", start, getpid(), attempt);
    const Uninterrupted section;
    // List the file before it exists. Listing allocates, so it happens in the section: a signal handler must not interrupt
    // a thread that holds the allocator's lock.
    removed_on_signal_ = RemovedOnSignal(temporary);
    fd_ = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, permissions);
    if (fd_ >= 0) {
      temporary_ = temporary;
      return {};
    }
    error = errno;
    removed_on_signal_ = {};
    if (error != EEXIST) break;
  }
  return Err(ErrorKind::kIo, "{}: cannot create: {}", path, std::strerror(error));
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : name_(std::move(other.name_)),
      target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, {})),
      removed_on_signal_(std::move(other.removed_on_signal_)),
      fd_(std::exchange(other.fd_, -1)),
      owns_fd_(std::exchange(other.owns_fd_, false)),
      may_block_(other.may_block_),
      written_(other.written_),
      buffer_(std::move(other.buffer_)) {}

OutputFile::~OutputFile() {
  if (owns_fd_ && fd_ >= 0) close(fd_);
  if (temporary_.empty()) return;
  const Uninterrupted section;
  unlink(temporary_.c_str());
  removed_on_signal_ = {};
}

Status OutputFile::WriteError(int error) const {
  return Err(ErrorKind::kIo, "{}: cannot write: {}", name_, std::strerror(error));
}

Status OutputFile::WriteToFile(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(fd_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return WriteError(errno);
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
    // Outside a section: a signal may end the program between two lines.
    pollfd ready = {.fd = fd_, .events = POLLOUT, .revents = 0};
    if (poll(&ready, 1, -1) < 0 && errno != EINTR) return WriteError(errno);
    const size_t count = WholeLineBytes(bytes);
    RETURN_IF_ERROR(WriteLines(bytes.substr(0, count)));
    bytes.remove_prefix(count);
  }
  return {};
}

Status OutputFile::WriteLines(std::string_view bytes) {
  using Clock = std::chrono::steady_clock;
  constexpr int kPollMilliseconds = 20;  // interval at which a waiting section checks for a signal
  while (!bytes.empty()) {
    const Uninterrupted section;
    Clock::time_point last_progress = Clock::now();
    while (!bytes.empty()) {
      pollfd ready = {.fd = fd_, .events = POLLOUT, .revents = 0};
      const int events = poll(&ready, 1, kPollMilliseconds);
      if (events < 0 && errno != EINTR) return WriteError(errno);
      if (events <= 0) {
        const bool stalled = Clock::now() - last_progress > std::chrono::milliseconds(kGraceMilliseconds);
        if (stalled && Uninterrupted::SignalPending())
          break;  // leaves the section, which delivers the signal
        continue;
      }
      const ssize_t count = write(fd_, bytes.data(), std::min(bytes.size(), kPieceBytes));
      if (count < 0 && errno != EINTR && errno != EAGAIN) return WriteError(errno);
      if (count > 0) bytes.remove_prefix(static_cast<size_t>(count));
      last_progress = Clock::now();
    }
  }
  return {};
}

Status OutputFile::Write(std::string_view bytes) {
  buffer_ += bytes;
  if (!seekable()) return buffer_.size() < kBufferBytes ? Status() : Flush();
  // Write whole huge pages, aligned in the file. On file systems with large folios the page cache then holds the file in
  // huge pages, and mapping 117 MB of weights takes 58 page faults.
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
    if (count < 0) return WriteError(errno);
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
  if (owns_fd_ && close(std::exchange(fd_, -1)) != 0) return WriteError(errno);
  if (!temporary_.empty()) {
    const Uninterrupted section;
    if (rename(temporary_.c_str(), target_.c_str()) != 0) return WriteError(errno);
    temporary_.clear();
    removed_on_signal_ = {};
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
    // open() takes the lowest free number, which is this one. The access mode is reversed, so that using it fails.
    if (fcntl(fd, F_GETFD) < 0) open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

}  // namespace ggufc
