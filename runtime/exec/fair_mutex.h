// A mutex that waiting threads get in the order in which they asked.
#pragma once

#include <atomic>
#include <cstdint>

namespace ggufc::runtime {

// BasicLockable, for std::lock_guard. A std::mutex mostly goes back to the thread that just released it, so a thread
// that locks it a thousand times in a row would keep all others waiting for that long.
class FairMutex {
 public:
  void lock() {
    const uint32_t ticket = next_.fetch_add(1, std::memory_order_relaxed);
    for (uint32_t serving = 0; (serving = serving_.load(std::memory_order_acquire)) != ticket;) {
      serving_.wait(serving, std::memory_order_acquire);
    }
  }
  void unlock() {
    serving_.fetch_add(1, std::memory_order_release);
    serving_.notify_all();
  }

 private:
  std::atomic<uint32_t> next_{0};     // ticket of the next thread that asks
  std::atomic<uint32_t> serving_{0};  // ticket of the thread that holds the mutex or may take it
};

}  // namespace ggufc::runtime
