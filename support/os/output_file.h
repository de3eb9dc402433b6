// Output of results: standard output, or a file that appears under its name only when it is complete.
//
// A regular file is written beside its target, as NAME.PID-NUMBER.tmp, and renamed by Finish(); until then the
// target is untouched. Destroying an OutputFile before Finish(), and a signal that ends the program (interruption.h),
// remove the temporary file. Only SIGKILL and a crash can leave a .tmp file; no program reads it and later runs ignore
// it. An existing target keeps its permissions; a link stays a link.
//
// Nothing is synced to the disk: as with cp or a compiler, a machine that loses power within seconds of Finish() may
// come back with an empty or partial file. Results can be computed again; files that ggufc reads back (artifacts,
// cache entries) carry checksums.
//
// "-" (or /dev/stdout) is standard output. It and targets that are not regular files (a device, a pipe) are written
// directly. A signal then ends the program only after the current line is complete, unless the reader stops reading
// for kGraceMilliseconds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "support/os/interruption.h"
#include "support/result.h"

namespace ggufc {

struct OutputFileOptions {
  unsigned permissions = 0666;  // of a new file, less the umask
};

// An error if `output` is the same file as one of `inputs`, under any name: the result would replace its own input.
// Devices, pipes and files that do not exist are allowed.
Status CheckNotAnInput(const std::string& output, const std::vector<std::string>& inputs);

// True if OutputFile::Create(path) makes a file that appears when it is complete; otherwise bytes are written at once.
bool AppearsWhenComplete(const std::string& path);

// Buffered. Errors name the file and the system's message.
class OutputFile {
 public:
  static Result<OutputFile> Create(const std::string& path, const OutputFileOptions& options = {});

  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  // Whether WriteStart and WriteAt work.
  bool seekable() const { return !temporary_.empty(); }

  // Pass whole lines: a signal may end the program between the bytes of two calls, not within those of one.
  Status Write(std::string_view bytes);
  // Overwrites the first bytes of the file.
  Status WriteStart(std::string_view bytes) { return WriteAt(0, bytes); }
  // Overwrites bytes from `offset` on.
  Status WriteAt(int64_t offset, std::string_view bytes);
  Status Flush();
  // The temporary file of a regular target, for programs that read or replace it before Finish; empty for other targets.
  const std::string& temporary() const { return temporary_; }
  // Completes the file. Call it once.
  Status Finish();

 private:
  OutputFile() = default;
  Status CreateTemporary(const std::string& path, unsigned permissions);
  Status WriteToFile(std::string_view bytes);
  Status WriteToStream(std::string_view bytes);
  Status WriteLines(std::string_view bytes);
  Status WriteError(int error) const;

  std::string name_;  // for messages
  std::string target_;
  std::string temporary_;  // empty: the target is written directly
  RemovedOnSignal removed_on_signal_;
  int fd_ = -1;
  bool owns_fd_ = false;
  bool may_block_ = false;  // a pipe, a terminal, a socket
  uint64_t written_ = 0;    // bytes written to a regular file, without those in buffer_ and those of WriteAt
  std::string buffer_;
};

Status WriteToStdout(std::string_view text);

// Opens /dev/null for each standard stream that is closed at the start, so that no other file takes its number and
// receives messages. Reading from and writing to such a stream fail. Call it in main() before any file is opened.
void OpenStandardStreams();

}  // namespace ggufc
