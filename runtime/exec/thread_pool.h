// A fixed set of threads that runs lists of steps. The caller is thread 0 and works too; a pool of one thread
// creates none and is a plain loop.
//
// The items of a step are claimed by an atomic counter; the next step opens when the last item of this one is
// *done*. So a thread that the system does not run (a machine with more threads than cores, a worker that
// still wakes up) delays nobody: the others take its items. Threads that find nothing to claim spin for a few
// tens of microseconds, which is longer than the imbalance of a step, then sleep until the next step; a pool
// with more threads than cores sleeps at once. Workers also sleep between runs.
//
// A pool belongs to the process that made it: in a child of fork its threads do not exist, and the copy of the pool
// must be neither run nor destroyed there. See executor.h.
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

  // What to run. Called from several threads at once.
  class Work {
   public:
    virtual int64_t Steps() const = 0;              // < 2^31
    virtual int64_t Items(int64_t step) const = 0;  // < 2^31; 0 is fine; the same answer each time
    // Happens after all items of earlier steps. No two calls run at once with the same `thread`.
    virtual void Do(int64_t step, int64_t item, int thread) = 0;
    // Once a step, by one thread, after its last item and before the next step's first.
    virtual void StepDone(int64_t /*step*/) {}

   protected:
    ~Work() = default;
  };

  // `threads` in [1, kMaxThreads]. Where the system refuses to create a thread the pool has fewer: see
  // threads().
  explicit ThreadPool(int threads) : ThreadPool(threads, DefaultSpin(threads)) {}
  ThreadPool(int threads, std::chrono::nanoseconds spin);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Returns when all is done, and then no thread of the pool touches `work`. One run at a time, and not from
  // within Do.
  void Run(Work& work);

  // One step: fn(item, thread) for each item in [0, items).
  template <typename Fn>
  void ForEach(int64_t items, Fn&& fn);

  // 50 us, or nothing when there are more threads than cores to run them.
  static std::chrono::nanoseconds DefaultSpin(int threads);

 private:
  static constexpr uint32_t kOpen = uint32_t{1} << 31;

  void WorkerMain(int thread);
  bool Drain(int thread, uint32_t& seen);
  void OpenStep(int64_t step);
  bool SpinUntilNews(uint32_t seen) const;
  bool Join();
  void Leave();

  // Separate cache lines: waiters watch the first, working threads write the second.
  //
  // claim_ is step << 32 | next item; a step that the work does not have: nothing to do. epoch_ counts everything
  // that a waiting thread may want to know: a step has opened, a run has begun, the pool ends.
  alignas(64) std::atomic<uint64_t> claim_{0};
  std::atomic<uint32_t> epoch_{0};
  alignas(64) std::atomic<int64_t> done_{0};  // items of the open step
  // kOpen while a run takes threads in, plus the number of workers in it. A worker that sleeps is not in it,
  // so that a run need not wait for it at its end.
  alignas(64) std::atomic<uint32_t> state_{0};
  std::atomic<bool> stop_{false};
  Work* work_ = nullptr;  // written before state_ opens
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
