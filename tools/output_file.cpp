#include "tools/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

namespace ggufc::tools {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 18;

}  // namespace

Result<OutputFile> OutputFile::Create(const std::string& path) {
  OutputFile file;
  file.name_ = path;
  if (path == "-" || path == "/dev/stdout") {
    file.name_ = "standard output";
    file.fd_ = STDOUT_FILENO;
    return file;
  }
  file.owned_ = true;
  file.target_ = path;
  struct stat info;
  if (stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return Err("{}: cannot write: it is a folder", path);
    if (!S_ISREG(info.st_mode)) {
      file.fd_ = open(path.c_str(), O_WRONLY | O_CLOEXEC);
      if (file.fd_ < 0) return Err("{}: cannot open for writing: {}", path, std::strerror(errno));
      return file;
    }
    // A link stays a link: the file that it leads to is replaced.
    std::error_code ignored;
    const std::filesystem::path real = std::filesystem::canonical(path, ignored);
    if (!ignored) file.target_ = real.string();
  }
  for (int attempt = 0; attempt < 100 && file.fd_ < 0; ++attempt) {
    const std::string temporary = fmt::format("{}.{}-{}.tmp", file.target_, getpid(), attempt);
    file.fd_ = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file.fd_ >= 0) file.temporary_ = temporary;
    if (file.fd_ < 0 && errno != EEXIST) break;
  }
  if (file.fd_ < 0) return Err("{}: cannot create: {}", path, std::strerror(errno));
  return file;
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : name_(std::move(other.name_)),
      target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, {})),
      fd_(std::exchange(other.fd_, -1)),
      owned_(std::exchange(other.owned_, false)),
      buffer_(std::move(other.buffer_)) {}

OutputFile::~OutputFile() {
  if (owned_ && fd_ >= 0) close(fd_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

Status OutputFile::Wrong(int error) const { return Err("{}: cannot write: {}", name_, std::strerror(error)); }

Status OutputFile::WriteAll(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(fd_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Wrong(errno);
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return {};
}

Status OutputFile::Write(std::string_view bytes) {
  buffer_ += bytes;
  return buffer_.size() < kBufferBytes ? Status() : Flush();
}

Status OutputFile::WriteStart(std::string_view bytes) {
  RETURN_IF_ERROR(Flush());
  if (pwrite(fd_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return Wrong(errno);
  return {};
}

Status OutputFile::Flush() {
  Status status = WriteAll(buffer_);
  buffer_.clear();
  return status;
}

Status OutputFile::Finish() {
  RETURN_IF_ERROR(Flush());
  if (owned_ && close(std::exchange(fd_, -1)) != 0) return Wrong(errno);
  if (!temporary_.empty()) {
    if (rename(temporary_.c_str(), target_.c_str()) != 0) return Wrong(errno);
    temporary_.clear();
  }
  return {};
}

Status WriteToStdout(std::string_view text) {
  ASSIGN_OR_RETURN(OutputFile out, OutputFile::Create("-"));
  RETURN_IF_ERROR(out.Write(text));
  return out.Finish();
}

}  // namespace ggufc::tools
