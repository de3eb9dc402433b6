// Where results go: standard output, or a file that appears under its name only when it is complete.
//
// A regular file is written beside its target, as NAME.PID-NUMBER.tmp, and renamed by Finish(); until then the
// target is untouched. An OutputFile that goes before that removes what it wrote, and so does a signal that ends
// the program (interruption.h). Only SIGKILL and a crash can leave a .tmp file, which nobody takes for a result
// and which no later run minds. A target that exists keeps its permissions; a link stays a link.
//
// Nothing is synced to the disk: as with cp or a compiler, a machine that loses power within seconds of Finish() may
// come back with an empty or partial file. Results can be computed again; what is read back by us (artifacts,
// cache entries) carries checksums.
//
// "-" (or /dev/stdout) is standard output; it and targets that are no regular files (a device, a pipe) get the
// bytes as they come. There a line that has begun is finished before a signal ends the program, unless the
// reader stops reading for kGraceMilliseconds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "support/os/interruption.h"
#include "support/result.h"

namespace ggufc {

struct OutputFileOptions {
  unsigned permissions = 0666;  // of a file that does not exist yet, less the umask
};

// An error where `output` is one of the files `inputs`, by whatever name: the result would take the place of what it was made
// from. Devices and pipes are no matter, nor are names of nothing.
Status CheckNotAnInput(const std::string& output, const std::vector<std::string>& inputs);

// Whether OutputFile::Create(path) makes a file that appears when it is complete; otherwise the bytes go out as they come.
bool AppearsWhenComplete(const std::string& path);

// Buffered. Errors name the file and say what the system said.
class OutputFile {
 public:
  static Result<OutputFile> Create(const std::string& path, const OutputFileOptions& options = {});

  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  // Whether WriteStart and WriteAt work.
  bool seekable() const { return !temporary_.empty(); }

  // The bytes of one call reach a pipe as a whole, so a call has whole lines.
  Status Write(std::string_view bytes);
  // Replaces the first bytes of what has been written.
  Status WriteStart(std::string_view bytes) { return WriteAt(0, bytes); }
  // The same from `offset` on.
  Status WriteAt(int64_t offset, std::string_view bytes);
  Status Flush();
  // Where a regular file's bytes are until Finish, for programs that read or replace them; empty for other targets.
  const std::string& temporary() const { return temporary_; }
  // Once. The file is complete after it, and only after it.
  Status Finish();

 private:
  OutputFile() = default;
  Status CreateTemporary(const std::string& path, unsigned permissions);
  Status WriteToFile(std::string_view bytes);
  Status WriteToStream(std::string_view bytes);
  Status WriteLines(std::string_view bytes);
  Status Wrong(int error) const;

  std::string name_;  // for messages
  std::string target_;
  std::string temporary_;  // empty: written directly
  RemovedOnSignal listed_;
  int fd_ = -1;
  bool owned_ = false;
  bool may_block_ = false;  // a pipe, a terminal, a socket
  uint64_t written_ = 0;    // bytes of a file, those in buffer_ and those by WriteAt apart
  std::string buffer_;
};

Status WriteToStdout(std::string_view text);

// In main(), before a file is opened: takes the numbers of standard streams that the process was started without, so
// that no file gets the messages. Reading from and writing to them are errors.
void OpenStandardStreams();

}  // namespace ggufc
