#include "runtime/exec/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <random>

namespace ggufc::runtime {
namespace {

using std::chrono::microseconds;

// Counts the calls. Each step reads, without locks, what all items of the step before wrote, so that ThreadSanitizer
// and the check detect a step that begins too early.
class Recorder final : public ThreadPool::Work {
 public:
  Recorder(std::vector<int64_t> items, int threads)
      : items_(std::move(items)), busy_(static_cast<size_t>(threads)) {
    for (const int64_t n : items_) {
      calls_.emplace_back(static_cast<size_t>(n));
      sums_.emplace_back(static_cast<size_t>(n));
    }
    done_.resize(items_.size());
  }

  int64_t Steps() const override { return static_cast<int64_t>(items_.size()); }
  int64_t Items(int64_t step) const override { return items_[static_cast<size_t>(step)]; }

  void Do(int64_t step, int64_t item, int thread) override {
    const auto s = static_cast<size_t>(step);
    if (thread < 0 || static_cast<size_t>(thread) >= busy_.size()) {
      ++errors_;
      return;
    }
    if (busy_[static_cast<size_t>(thread)].exchange(true))
      ++errors_;  // two items at once with one thread number
    if (work) work(step, item);
    int64_t sum = 1;
    for (size_t before = s; before-- > 0;) {
      if (done_[before] != 1) ++errors_;
      if (items_[before] == 0) continue;
      sum = std::accumulate(sums_[before].begin(), sums_[before].end(), sum);
      break;
    }
    sums_[s][static_cast<size_t>(item)] = sum % 1000003;
    ++calls_[s][static_cast<size_t>(item)];
    busy_[static_cast<size_t>(thread)] = false;
  }

  void StepDone(int64_t step) override {
    const auto s = static_cast<size_t>(step);
    if (std::any_of(calls_[s].begin(), calls_[s].end(), [](int n) { return n != 1; })) ++errors_;
    if (s > 0 && done_[s - 1] != 1) ++errors_;
    ++done_[s];
  }

  void Check() const {
    EXPECT_EQ(errors_.load(), 0);
    for (size_t s = 0; s < items_.size(); ++s) {
      EXPECT_EQ(done_[s], 1) << "step " << s;
      for (size_t i = 0; i < calls_[s].size(); ++i)
        EXPECT_EQ(calls_[s][i], 1) << "step " << s << " item " << i;
    }
  }

  std::function<void(int64_t, int64_t)> work;

 private:
  std::vector<int64_t> items_;
  std::vector<std::vector<int>> calls_;
  std::vector<std::vector<int64_t>> sums_;
  std::vector<int> done_;
  std::vector<std::atomic<bool>> busy_;
  std::atomic<int> errors_{0};
};

void Burn(int64_t turns) {
  [[maybe_unused]] volatile int64_t sink = 0;
  for (int64_t i = 0; i < turns; ++i) sink = i;
}

// With and without spinning, because the code that waits differs.
const std::vector<std::chrono::nanoseconds> kSpins = {microseconds(0), microseconds(1), microseconds(50)};

TEST(ThreadPoolTest, OneThreadRunsAPlainLoopOnTheCaller) {
  ThreadPool pool(1);
  EXPECT_EQ(pool.threads(), 1);
  const auto caller = std::this_thread::get_id();
  std::vector<int64_t> order;
  pool.ForEach(5, [&](int64_t item, int thread) {
    EXPECT_EQ(thread, 0);
    EXPECT_EQ(std::this_thread::get_id(), caller);
    order.push_back(item);
  });
  EXPECT_EQ(order, (std::vector<int64_t>{0, 1, 2, 3, 4}));
}

TEST(ThreadPoolTest, EveryItemOnceAndStepsInOrder) {
  for (const int threads : {1, 2, 3, 4, 8, 16, 64}) {
    for (const auto spin : kSpins) {
      ThreadPool pool(threads, spin);
      ASSERT_EQ(pool.threads(), threads);
      for (uint64_t seed = 0; seed < 5; ++seed) {
        SCOPED_TRACE("threads " + std::to_string(threads) + " spin " + std::to_string(spin.count()) +
                     " seed " + std::to_string(seed));
        std::mt19937_64 random(seed);
        std::vector<int64_t> items(1 + random() % 40);
        for (int64_t& n : items) n = static_cast<int64_t>(random() % 4 == 0 ? 0 : random() % 60);
        Recorder recorder(items, threads);
        recorder.work = [](int64_t step, int64_t item) { Burn((step * 7919 + item * 104729) % 3000); };
        pool.Run(recorder);
        recorder.Check();
      }
    }
  }
}

TEST(ThreadPoolTest, NothingToDo) {
  ThreadPool pool(3);
  for (const std::vector<int64_t>& items :
       {std::vector<int64_t>{}, std::vector<int64_t>{0}, std::vector<int64_t>{0, 0, 1, 0}}) {
    Recorder recorder(items, 3);
    pool.Run(recorder);
    recorder.Check();
  }
}

// Workers join as soon as a run begins, and must not claim items before its first step opens. The caller, which first
// asks for the items of that step, is slow here.
TEST(ThreadPoolTest, NoItemIsClaimedBeforeTheFirstStepOpens) {
  class Slow final : public ThreadPool::Work {
   public:
    int64_t Steps() const override { return 2; }
    int64_t Items(int64_t) const override {
      if (first_.exchange(false)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
      return 4;
    }
    void Do(int64_t step, int64_t item, int) override { ++calls[step * 4 + item]; }
    std::atomic<int> calls[8] = {};

   private:
    mutable std::atomic<bool> first_{true};
  };
  for (int i = 0; i < 20; ++i) {
    ThreadPool pool(3, microseconds(50));  // a new pool, because the first run differs from the others
    Slow slow;
    pool.Run(slow);
    for (const std::atomic<int>& calls : slow.calls) EXPECT_EQ(calls.load(), 1);
  }
}

TEST(ThreadPoolTest, ManyTinyRuns) {
  for (const int threads : {2, 4, 16}) {
    for (const auto spin : kSpins) {
      ThreadPool pool(threads, spin);
      for (int run = 0; run < 2000; ++run) {
        std::atomic<int64_t> sum{0};
        pool.ForEach(run % 7, [&](int64_t item, int) { sum += item + 1; });
        const int64_t n = run % 7;
        ASSERT_EQ(sum.load(), n * (n + 1) / 2) << "threads " << threads << " run " << run;
      }
    }
  }
}

TEST(ThreadPoolTest, WorkersTakePart) {
  // Each of two items waits for the other, so one thread alone would never finish.
  for (const auto spin : kSpins) {
    ThreadPool pool(2, spin);
    for (int run = 0; run < 20; ++run) {
      std::atomic<int> arrived{0};
      std::atomic<int> threads_seen{0};
      pool.ForEach(2, [&](int64_t, int thread) {
        threads_seen |= 1 << thread;
        ++arrived;
        while (arrived < 2) std::this_thread::yield();
      });
      EXPECT_EQ(threads_seen, 3);
    }
  }
}

TEST(ThreadPoolTest, SleepersWakeForTheNextStepAndTheNextRun) {
  for (const int threads : {2, 5}) {
    for (const auto spin : kSpins) {
      ThreadPool pool(threads, spin);
      for (int run = 0; run < 3; ++run) {
        // Item 0 of each step takes longer than the spin, so that the other threads sleep in the middle of a run.
        Recorder recorder({4, 1, 9, 1, 4}, threads);
        recorder.work = [](int64_t, int64_t item) {
          if (item == 0) std::this_thread::sleep_for(microseconds(1500));
        };
        pool.Run(recorder);
        recorder.Check();
        std::this_thread::sleep_for(microseconds(2000));  // and between runs
      }
    }
  }
}

TEST(ThreadPoolTest, UnevenItemsAreShared) {
  ThreadPool pool(4, microseconds(50));
  // One item takes as long as all others together. The others must not wait for it.
  std::atomic<bool> others_done{false};
  std::atomic<int> done{0};
  pool.ForEach(40, [&](int64_t item, int) {
    if (item == 0) {
      while (!others_done) std::this_thread::yield();
    } else if (++done == 39) {
      others_done = true;
    }
  });
  EXPECT_TRUE(others_done);
}

TEST(ThreadPoolTest, CreateAndDestroyWithoutARun) {
  for (int i = 0; i < 50; ++i) ThreadPool pool(1 + i % 16);
}

}  // namespace
}  // namespace ggufc::runtime
