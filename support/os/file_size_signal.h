// Files that a library writes.
#pragma once

#include <pthread.h>

#include <csignal>
#include <ctime>

namespace ggufc {

// Writing beyond the limit on the size of a file raises SIGXFSZ, which ends a program that has not said otherwise. In a
// library that is no way to learn of a limit: while this lives, the error of write() is.
class NoFileSizeSignal {
 public:
  NoFileSizeSignal() {
    sigemptyset(&signal_);
    sigaddset(&signal_, SIGXFSZ);
    sigset_t pending;
    sigpending(&pending);
    pending_before_ = sigismember(&pending, SIGXFSZ) == 1;
    pthread_sigmask(SIG_BLOCK, &signal_, &before_);
  }
  ~NoFileSizeSignal() {
    // It comes to the thread that wrote, and waits: taken off before it is let in.
    const timespec now = {};
    if (!pending_before_) sigtimedwait(&signal_, nullptr, &now);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoFileSizeSignal(const NoFileSizeSignal&) = delete;
  NoFileSizeSignal& operator=(const NoFileSizeSignal&) = delete;

 private:
  sigset_t signal_ = {}, before_ = {};
  bool pending_before_ = false;
};

}  // namespace ggufc
