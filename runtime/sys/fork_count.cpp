#include "runtime/sys/fork_count.h"

#include <pthread.h>

#include <atomic>
#include <cstring>

namespace ggufc::runtime {
namespace {

// A property of the process, like its identifier. Written only by the only thread of a new child.
std::atomic<uint64_t> fork_count{0};
static_assert(std::atomic<uint64_t>::is_always_lock_free);

}  // namespace

Status WatchForks() {
  // One handler is enough and two are harmless. After a failure the next call tries again. The handlers of a shared
  // library are removed when it is unloaded.
  static std::atomic<bool> watching{false};
  if (watching.load(std::memory_order_acquire)) return {};
  const int error =
      pthread_atfork(nullptr, nullptr, [] { fork_count.fetch_add(1, std::memory_order_relaxed); });
  if (error == 0) watching.store(true, std::memory_order_release);
  if (error != 0) return Err(ErrorKind::kOutOfMemory, "pthread_atfork: {}", std::strerror(error));
  return {};
}

uint64_t ForkCount() { return fork_count.load(std::memory_order_relaxed); }

}  // namespace ggufc::runtime
