// Clean ends on SIGINT, SIGTERM and SIGHUP: no temporary file is left, and the last line of the output is complete.
//
// Work that must not be interrupted is a section (Uninterrupted), whose thread blocks the signals. The handler, in
// whichever thread it runs, blocks new sections, waits for open ones, removes the listed files, and ends the process by
// the same signal, so that a shell sees the cause. Sections are short: the system calls around a file's creation, a
// line written to a pipe. The handler waits kGraceMilliseconds at most, because a reader or a file system may hang.
//
// The list of files and the count of sections are global: a signal handler can reach nothing else. They are kept even
// without a handler, because only main() installs one, never a library.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <string>

namespace ggufc {

inline constexpr int kGraceMilliseconds = 1000;

// Installs the handler for SIGINT, SIGTERM and SIGHUP, except for signals that were ignored at the start (nohup).
// Ignores SIGPIPE and SIGXFSZ: a closed pipe and an exceeded file size limit become errors of write(). Call it once, in
// main().
void EndCleanlyOnSignals();

// A section. Sections of one thread do not nest, and a section must not wait for a section of another thread.
class Uninterrupted {
 public:
  Uninterrupted();
  ~Uninterrupted();
  Uninterrupted(const Uninterrupted&) = delete;
  Uninterrupted& operator=(const Uninterrupted&) = delete;

  // Whether a signal waits for the end of the section. Sections that wait for something poll this.
  static bool SignalPending();

 private:
  sigset_t old_mask_ = {};
};

// A file that the handler removes while this object lives. Construct and destroy it within sections.
class RemovedOnSignal {
 public:
  RemovedOnSignal() = default;
  explicit RemovedOnSignal(const std::string& path);
  RemovedOnSignal(RemovedOnSignal&& other) noexcept : entry_(other.entry_) { other.entry_ = nullptr; }
  RemovedOnSignal& operator=(RemovedOnSignal&& other) noexcept;
  ~RemovedOnSignal();

  // Removes all listed files of this process; called by the handler. Async-signal-safe.
  static void RemoveAll();

 private:
  struct Entry;
  Entry* entry_ = nullptr;
};

// Sets the process group of the running child program (subprocess.h); 0: none. The handler ends it before removing files.
void SetGroupEndedOnSignal(pid_t group);

}  // namespace ggufc
