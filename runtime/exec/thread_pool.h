// A fixed set of threads that runs lists of steps. The caller is thread 0 and works too. A pool of one thread creates
// no thread and runs a plain loop.
//
// Threads claim the items of a step by an atomic counter. The next step opens when the last item of this one is *done*.
// A thread that the system does not run (more threads than cores, a worker that is still waking up) therefore delays
// nobody: the others take its items. A thread that finds nothing to claim spins for a few tens of microseconds, which
// is longer than the imbalance of a step, then sleeps until the next step. A pool with more threads than cores sleeps
// at once. Workers also sleep between runs.
//
// A pool belongs to the process that made it. In a child of fork its threads do not exist, and the copy of the pool
// must be neither run nor destroyed. See executor.h.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

namespace ggufc::runtime {

class ThreadPool {
 public:
  static constexpr int kMaxThreads = 64;

  // A list of steps to run. Its functions are called from several threads at once.
  class Work {
   public:
    virtual int64_t Steps() const = 0;              // < 2^31
    virtual int64_t Items(int64_t step) const = 0;  // < 2^31; may be 0; the same in each call
    // Runs after all items of earlier steps. No two calls with the same `thread` run at once.
    virtual void Do(int64_t step, int64_t item, int thread) = 0;
    // Runs once per step, on one thread, after the step's last item and before the next step's first.
    virtual void StepDone(int64_t /*step*/) {}

   protected:
    ~Work() = default;
  };

  // `threads` in [1, kMaxThreads]. If the system refuses to create a thread, the pool has fewer: see threads().
  explicit ThreadPool(int threads) : ThreadPool(threads, DefaultSpin(threads)) {}
  ThreadPool(int threads, std::chrono::nanoseconds spin);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Returns when all steps are done and no thread of the pool uses `work` any more. One run at a time; never from Do.
  void Run(Work& work);

  // Runs one step: fn(item, thread) for each item in [0, items).
  template <typename Fn>
  void ForEach(int64_t items, Fn&& fn);

  // 50 us, or 0 if there are more threads than cores.
  static std::chrono::nanoseconds DefaultSpin(int threads);

 private:
  static constexpr uint32_t kOpen = uint32_t{1} << 31;

  void WorkerMain(int thread);
  bool Drain(int thread, uint32_t& seen);
  void OpenStep(int64_t step);
  bool SpinUntilEpochChanges(uint32_t seen) const;
  bool Join();
  void Leave();

  // Separate cache lines: waiting threads read the first, working threads write the second.
  //
  // claim_ is step << 32 | next item; a step beyond the work's last means that there is nothing to do. epoch_ counts
  // the events that wake a waiting thread: a step has opened, a run has begun, the pool ends.
  alignas(64) std::atomic<uint64_t> claim_{0};
  std::atomic<uint32_t> epoch_{0};
  alignas(64) std::atomic<int64_t> done_{0};  // finished items of the open step
  // kOpen while workers may join the run, plus the number of workers in it. A sleeping worker is not in the run, so
  // that the end of the run need not wait for it.
  alignas(64) std::atomic<uint32_t> state_{0};
  std::atomic<bool> stop_{false};
  Work* work_ = nullptr;  // written before kOpen is set in state_
  int64_t steps_ = 0;
  std::chrono::nanoseconds spin_;
  std::vector<std::thread> workers_;
};

template <typename Fn>
void ThreadPool::ForEach(int64_t items, Fn&& fn) {
  struct OneStep final : Work {
    OneStep(int64_t n, Fn& f) : items(n), fn(f) {}
    int64_t Steps() const override { return 1; }
    int64_t Items(int64_t) const override { return items; }
    void Do(int64_t, int64_t item, int thread) override { fn(item, thread); }
    int64_t items;
    Fn& fn;
  };
  OneStep work(items, fn);
  Run(work);
}

}  // namespace ggufc::runtime
