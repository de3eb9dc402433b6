// A mutex that is given to those that wait in the order in which they came.
#pragma once

#include <atomic>
#include <cstdint>

namespace ggufc::runtime {

// For BasicLockable users (std::lock_guard). A std::mutex goes to whoever asks at the right moment, most often to the thread
// that just gave it back: one that takes it a thousand times in a row would keep all others waiting for so long.
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
  std::atomic<uint32_t> next_{0};     // ticket of the next that comes
  std::atomic<uint32_t> serving_{0};  // ticket of the one that has it, or may take it
};

}  // namespace ggufc::runtime
