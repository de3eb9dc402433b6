#include "runtime/exec/thread_pool.h"

#include <pthread.h>
#include <signal.h>

#include <cfenv>
#include <new>
#include <string>
#include <system_error>

#include "runtime/sys/cpu_count.h"
#include "support/check.h"

namespace ggufc::runtime {
namespace {

constexpr std::chrono::microseconds kSpin{50};

void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

// Blocks all signals in threads created in its scope: signals belong to the threads of the program, not to a library's.
class BlockSignals {
 public:
  BlockSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_ = {};
};

}  // namespace

std::chrono::nanoseconds ThreadPool::DefaultSpin(int threads) {
  if (threads <= 1 || threads > CpuCount()) return std::chrono::nanoseconds(0);
  return kSpin;
}

ThreadPool::ThreadPool(int threads, std::chrono::nanoseconds spin) : spin_(spin) {
  CHECK(threads >= 1 && threads <= kMaxThreads, "{} threads", threads);
  if (threads == 1) return;
  const BlockSignals block;
  workers_.reserve(static_cast<size_t>(threads - 1));
  try {
    for (int i = 1; i < threads; ++i) {
      workers_.emplace_back([this, i] { WorkerMain(i); });
      pthread_setname_np(workers_.back().native_handle(), ("ggufc-" + std::to_string(i)).c_str());
    }
  } catch (const std::system_error&) {
    // A limit on processes. The pool runs with the threads that it has.
  } catch (const std::bad_alloc&) {  // no memory for another thread
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  epoch_.fetch_add(1);
  epoch_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::Run(Work& work) {
  const int64_t steps = work.Steps();
  if (workers_.empty()) {
    for (int64_t step = 0; step < steps; ++step) {
      const int64_t items = work.Items(step);
      for (int64_t item = 0; item < items; ++item) work.Do(step, item, 0);
      work.StepDone(step);
    }
    return;
  }

  CHECK(steps >= 0 && steps <= INT32_MAX, "a run of {} steps", steps);
  CHECK(state_.load(std::memory_order_relaxed) == 0, "Run is called from within a run");
  work_ = &work;
  steps_ = steps;
  // A worker that joins before the first step opens finds a step beyond the last and leaves. The opening wakes it.
  claim_.store(uint64_t{UINT32_MAX} << 32, std::memory_order_relaxed);
  state_.store(kOpen, std::memory_order_release);
  OpenStep(0);
  for (uint32_t seen = 0; !Drain(0, seen);) epoch_.wait(seen, std::memory_order_acquire);

  // No worker may join any more. Those in the run find nothing to do and leave.
  uint32_t inside = state_.fetch_sub(kOpen, std::memory_order_acq_rel) - kOpen;
  for (int spins = 0; inside != 0; inside = state_.load(std::memory_order_acquire)) {
    if (++spins < 1000 && spin_.count() > 0) {
      Pause();
    } else {
      state_.wait(inside, std::memory_order_acquire);
    }
  }
}

// Works until all steps are done (returns true), or until nothing could be claimed for the time of a spin (returns
// false). After false the thread may sleep until epoch_ differs from `seen`.
bool ThreadPool::Drain(int thread, uint32_t& seen) {
  Work& work = *work_;
  for (;;) {
    // Read before claim_, which OpenStep writes before epoch_. So if the claim fails, the change of epoch_ that ends
    // the wait is still to come.
    seen = epoch_.load(std::memory_order_acquire);
    const uint64_t ticket = claim_.fetch_add(1, std::memory_order_acq_rel);
    const auto step = static_cast<int64_t>(ticket >> 32);
    const auto item = static_cast<int64_t>(ticket & UINT32_MAX);
    if (step >= steps_) return true;
    const int64_t items = work.Items(step);
    if (item < items) {
      work.Do(step, item, thread);
      // The writes of each item happen before its count, and the last count happens before the next step opens.
      if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == items) {
        work.StepDone(step);
        OpenStep(step + 1);
      }
    } else if (!SpinUntilEpochChanges(seen)) {
      return false;
    }
  }
}

// Only one thread calls this at a time: the thread that begins the run, or that finished the last item of a step.
void ThreadPool::OpenStep(int64_t step) {
  int64_t items = 0;
  for (; step < steps_; ++step) {
    items = work_->Items(step);
    if (items > 0) break;
    work_->StepDone(step);
  }
  CHECK(items <= INT32_MAX, "a step of {} items", items);
  done_.store(0, std::memory_order_relaxed);
  // Failed claims of the old step's items are overwritten. Claims after this get an item of the new step.
  claim_.store(static_cast<uint64_t>(step) << 32, std::memory_order_release);
  epoch_.fetch_add(1, std::memory_order_seq_cst);
  epoch_.notify_all();  // costs a load if no thread sleeps
}

bool ThreadPool::SpinUntilEpochChanges(uint32_t seen) const {
  if (spin_.count() == 0) return epoch_.load(std::memory_order_acquire) != seen;
  const auto begin = std::chrono::steady_clock::now();
  do {
    for (int i = 0; i < 32; ++i) {
      if (epoch_.load(std::memory_order_acquire) != seen) return true;
      Pause();
    }
  } while (std::chrono::steady_clock::now() - begin < spin_);
  return false;
}

bool ThreadPool::Join() {
  uint32_t state = state_.load(std::memory_order_relaxed);
  while ((state & kOpen) != 0) {
    if (state_.compare_exchange_weak(state, state + 1, std::memory_order_acquire,
                                     std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

void ThreadPool::Leave() {
  if (state_.fetch_sub(1, std::memory_order_acq_rel) == 1)
    state_.notify_one();  // Run waits for the last worker
}

void ThreadPool::WorkerMain(int thread) {
  // A new thread inherits the float environment of its creator, which may flush denormals.
  std::fesetenv(FE_DFL_ENV);
  while (true) {
    uint32_t seen = epoch_.load(std::memory_order_acquire);
    if (stop_.load(std::memory_order_acquire)) return;
    bool must_sleep = false;
    if (Join()) {
      must_sleep = !Drain(thread, seen);
      Leave();
    }
    if (must_sleep || !SpinUntilEpochChanges(seen)) epoch_.wait(seen, std::memory_order_acquire);
  }
}

}  // namespace ggufc::runtime
