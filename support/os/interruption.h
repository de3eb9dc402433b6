// What SIGINT, SIGTERM and SIGHUP leave behind: no temporary file, and output whose last line is whole.
//
// Work that must not be cut in the middle is a section (Uninterrupted): its thread does not take the signals, and
// the handler, in whichever thread it runs, first lets no new section begin, then waits until the open ones have
// ended, removes the files on the list, and ends the process by the same signal, so that a shell sees it die of
// it. Sections are short: the system calls around a file's creation, a line that goes to a pipe. Where one takes
// longer than kGraceMilliseconds, a reader that does not read or a file system that does not answer, the process
// ends all the same.
//
// The list of files and the number of sections are global because a signal handler can reach nothing else. They
// are kept whether or not a handler is there: installing one is for main(), never for a library.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <string>

namespace ggufc {

inline constexpr int kGraceMilliseconds = 1000;

// Takes over SIGINT, SIGTERM and SIGHUP, except those that the process was started with ignored (nohup). Ignores
// SIGPIPE and SIGXFSZ: a closed pipe and a file beyond the limit become errors of write(). Once, in main().
void EndCleanlyOnSignals();

// A section. Sections of one thread do not nest. Its thread must not wait in it for another one's section.
class Uninterrupted {
 public:
  Uninterrupted();
  ~Uninterrupted();
  Uninterrupted(const Uninterrupted&) = delete;
  Uninterrupted& operator=(const Uninterrupted&) = delete;

  // Whether one of the signals waits for the end of the section. Sections that wait for something ask.
  static bool SignalWaits();

 private:
  sigset_t before_ = {};
};

// A file that a signal removes while this lives. Made and destroyed within sections.
class RemovedOnSignal {
 public:
  RemovedOnSignal() = default;
  explicit RemovedOnSignal(const std::string& path);
  RemovedOnSignal(RemovedOnSignal&& other) noexcept : entry_(other.entry_) { other.entry_ = nullptr; }
  RemovedOnSignal& operator=(RemovedOnSignal&& other) noexcept;
  ~RemovedOnSignal();

  // What the handler does: removes all such files of this process. Async-signal-safe.
  static void RemoveAll();

 private:
  struct Entry;
  Entry* entry_ = nullptr;
};

// The process group of a program that we have started, 0: none (subprocess.h). A signal ends it before files are removed.
void SetGroupEndedOnSignal(pid_t group);

}  // namespace ggufc
