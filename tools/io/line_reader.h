// Reads the lines of a file or of standard input, with a limit on their length.
#pragma once

#include <cstdint>
#include <string>

#include "support/result.h"

namespace ggufc::tools {

class LineReader {
 public:
  // "-" is standard input. Errors name the file.
  static Result<LineReader> Open(const std::string& path, size_t max_line_bytes);

  LineReader(LineReader&& other) noexcept;
  LineReader& operator=(LineReader&&) = delete;
  ~LineReader();

  // Reads the next line without its LF; returns false at the end. The last line needs no LF. A UTF-8 byte order mark at
  // the start of the first line is removed.
  // A line that is too long is an error of kind kTooLong; the next call continues after it.
  Result<bool> Next(std::string& line);

  const std::string& name() const { return name_; }
  int64_t line_number() const { return line_number_; }  // of the line that Next returned last; from 1

 private:
  LineReader() = default;

  std::string name_;
  int fd_ = -1;
  size_t max_line_bytes_ = 0;
  int64_t line_number_ = 0;
  std::string buffer_;
  size_t position_ = 0;
  bool at_end_ = false;
  bool skip_rest_ = false;  // of a line that was too long
};

}  // namespace ggufc::tools
