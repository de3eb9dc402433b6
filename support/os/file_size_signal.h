// Keeps a library that writes files from ending the process at the file size limit.
#pragma once

#include <pthread.h>

#include <csignal>
#include <ctime>

namespace ggufc {

// Writing beyond the file size limit (RLIMIT_FSIZE) raises SIGXFSZ, which by default ends the process. While an object
// of this class lives, SIGXFSZ is blocked in this thread and write() fails with EFBIG instead.
class NoFileSizeSignal {
 public:
  NoFileSizeSignal() {
    sigemptyset(&signal_);
    sigaddset(&signal_, SIGXFSZ);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGXFSZ) == 1;
    pthread_sigmask(SIG_BLOCK, &signal_, &old_mask_);
  }
  ~NoFileSizeSignal() {
    // The signal is pending in the thread that wrote: consume it before unblocking.
    const timespec now = {};
    if (!was_pending_) sigtimedwait(&signal_, nullptr, &now);
    pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
  }
  NoFileSizeSignal(const NoFileSizeSignal&) = delete;
  NoFileSizeSignal& operator=(const NoFileSizeSignal&) = delete;

 private:
  sigset_t signal_ = {}, old_mask_ = {};
  bool was_pending_ = false;
};

}  // namespace ggufc
