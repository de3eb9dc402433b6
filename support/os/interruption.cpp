#include "support/os/interruption.h"

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <utility>

namespace ggufc {
namespace {

constexpr std::array<int, 3> kSignals = {SIGINT, SIGTERM, SIGHUP};

// A section increments `sections` before it reads `ending`; the handler sets `ending` before it reads `sections`. With
// sequential consistency (the default) at least one of them sees the other.
std::atomic<int> sections{0};
std::atomic<bool> ending{false};
std::atomic<pid_t> child_group{0};

sigset_t SignalSet() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : kSignals) sigaddset(&set, signal);
  return set;
}

}  // namespace

// The list only grows: free entries are reused, never deleted.
struct RemovedOnSignal::Entry {
  enum State : int { kFree, kTaken, kListed };
  std::atomic<int> state{kTaken};
  std::string path;  // does not change while the entry is listed
  pid_t process = 0;
  Entry* next = nullptr;

  static std::atomic<Entry*> first;
};

std::atomic<RemovedOnSignal::Entry*> RemovedOnSignal::Entry::first{nullptr};

void RemovedOnSignal::RemoveAll() {
  const pid_t process = getpid();
  for (Entry* entry = Entry::first.load(std::memory_order_acquire); entry != nullptr; entry = entry->next) {
    // After fork() the child's list contains the parent's files too.
    if (entry->state.load(std::memory_order_acquire) == Entry::kListed && entry->process == process) {
      unlink(entry->path.c_str());
    }
  }
}

namespace {

constexpr timespec kMillisecond = {.tv_sec = 0, .tv_nsec = 1'000'000};

// Async-signal-safe. Waits until all processes of the group have ended, so that none of them creates another file.
// SIGTERM comes first because a compiler then removes its own temporary files.
void EndChildGroup() {
  const pid_t group = child_group.load();
  if (group == 0) return;
  for (const int signal : {SIGTERM, SIGKILL}) {
    kill(-group, signal);
    for (int waited = 0; waited < kGraceMilliseconds; ++waited) {
      waitpid(group, nullptr, WNOHANG);
      if (kill(-group, 0) != 0) return;
      nanosleep(&kMillisecond, nullptr);
    }
  }
}

// The signal handler. Async-signal-safe; never runs within a section of its thread.
void EndProcess(int signal) {
  // If another thread handles an earlier signal, that handler ends the process.
  if (ending.exchange(true)) return;
  for (int waited = 0; sections.load() != 0 && waited < kGraceMilliseconds; ++waited) {
    nanosleep(&kMillisecond, nullptr);
  }
  EndChildGroup();
  RemovedOnSignal::RemoveAll();
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, nullptr);
  raise(signal);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);  // the process ends here
}

}  // namespace

void EndCleanlyOnSignals() {
  struct sigaction action = {};
  action.sa_handler = EndProcess;
  action.sa_mask = SignalSet();
  action.sa_flags = SA_RESTART;
  for (const int signal : kSignals) {
    struct sigaction before = {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

void SetGroupEndedOnSignal(pid_t group) { child_group.store(group); }

Uninterrupted::Uninterrupted() {
  const sigset_t set = SignalSet();
  pthread_sigmask(SIG_BLOCK, &set, &old_mask_);
  sections.fetch_add(1);
  if (!ending.load()) return;
  sections.fetch_sub(1);
  while (true) pause();  // until the process ends
}

Uninterrupted::~Uninterrupted() {
  sections.fetch_sub(1);
  pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
}

bool Uninterrupted::SignalPending() {
  if (ending.load()) return true;
  sigset_t pending;
  if (sigpending(&pending) != 0) return false;
  for (const int signal : kSignals) {
    if (sigismember(&pending, signal) == 1) return true;
  }
  return false;
}

RemovedOnSignal::RemovedOnSignal(const std::string& path) {
  for (entry_ = Entry::first.load(std::memory_order_acquire); entry_ != nullptr; entry_ = entry_->next) {
    int expected = Entry::kFree;
    if (entry_->state.compare_exchange_strong(expected, Entry::kTaken)) break;
  }
  if (entry_ == nullptr) {
    entry_ = new Entry();
    entry_->next = Entry::first.load();
    while (!Entry::first.compare_exchange_weak(entry_->next, entry_)) {
    }
  }
  entry_->path = path;
  entry_->process = getpid();
  entry_->state.store(Entry::kListed, std::memory_order_release);
}

RemovedOnSignal& RemovedOnSignal::operator=(RemovedOnSignal&& other) noexcept {
  std::swap(entry_, other.entry_);
  return *this;
}

RemovedOnSignal::~RemovedOnSignal() {
  if (entry_ != nullptr) entry_->state.store(Entry::kFree, std::memory_order_release);
}

}  // namespace ggufc
