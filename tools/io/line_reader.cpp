#include "tools/io/line_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace ggufc::tools {

Result<LineReader> LineReader::Open(const std::string& path, size_t max_line_bytes) {
  LineReader reader;
  reader.max_line_bytes_ = max_line_bytes;
  reader.name_ = path == "-" ? "standard input" : path;
  reader.fd_ = path == "-" ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (reader.fd_ < 0) return Err("{}: cannot open: {}", path, std::strerror(errno));
  return reader;
}

LineReader::LineReader(LineReader&& other) noexcept
    : name_(std::move(other.name_)),
      fd_(std::exchange(other.fd_, -1)),
      max_line_bytes_(other.max_line_bytes_),
      line_number_(other.line_number_),
      buffer_(std::move(other.buffer_)),
      position_(other.position_),
      at_end_(other.at_end_),
      skip_rest_(other.skip_rest_) {}

LineReader::~LineReader() {
  if (fd_ > STDIN_FILENO) close(fd_);
}

Result<bool> LineReader::Next(std::string& line) {
  line.clear();
  ++line_number_;
  while (true) {
    const size_t end = buffer_.find('\n', position_);
    if (!skip_rest_) line.append(buffer_, position_, end - position_);
    position_ = end == std::string::npos ? buffer_.size() : end + 1;
    if (skip_rest_ && end != std::string::npos) {
      skip_rest_ = false;
      continue;
    }
    if (line.size() > max_line_bytes_) {
      skip_rest_ = end == std::string::npos;
      return Err(ErrorKind::kTooLong, "{}: line {}: longer than {} bytes", name_, line_number_,
                 max_line_bytes_);
    }
    if (end != std::string::npos) break;
    if (at_end_) {
      if (line.empty()) return false;
      break;
    }
    buffer_.resize(size_t{1} << 16);
    ssize_t count = 0;
    do {
      count = read(fd_, buffer_.data(), buffer_.size());
    } while (count < 0 && errno == EINTR);
    if (count < 0) return Err("{}: cannot read: {}", name_, std::strerror(errno));
    buffer_.resize(static_cast<size_t>(count));
    position_ = 0;
    at_end_ = count == 0;
  }
  if (line_number_ == 1 && line.starts_with("\xef\xbb\xbf")) line.erase(0, 3);
  return true;
}

}  // namespace ggufc::tools
