// Where results go: standard output, or a file that appears under its name only when it is complete.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "support/result.h"

namespace ggufc::tools {

// Buffered. A regular file is written beside its target and renamed by Finish(); until then the target is
// untouched, and an OutputFile that goes before that leaves nothing behind. "-" (or /dev/stdout) is standard
// output; that and targets that are no regular files (a device, a pipe) are written as the bytes come. Errors
// name the file and say what the system said.
class OutputFile {
 public:
  static Result<OutputFile> Create(const std::string& path);

  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  // Whether WriteStart works.
  bool seekable() const { return !temporary_.empty(); }

  Status Write(std::string_view bytes);
  // Replaces the first bytes of what has been written.
  Status WriteStart(std::string_view bytes);
  Status Flush();
  Status Finish();

 private:
  OutputFile() = default;
  Status WriteAll(std::string_view bytes);
  Status Wrong(int error) const;

  std::string name_;  // for messages
  std::string target_;
  std::string temporary_;  // empty: written directly
  int fd_ = -1;
  bool owned_ = false;
  std::string buffer_;
};

Status WriteToStdout(std::string_view text);

}  // namespace ggufc::tools
