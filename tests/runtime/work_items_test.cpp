#include "runtime/exec/work_items.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace ggufc::runtime {
namespace {

Step MakeStep(int64_t row_grain, int64_t cols, int64_t col_grain, int64_t work_per_row) {
  Step step;
  step.row_grain = row_grain;
  step.cols = cols;
  step.col_grain = col_grain;
  step.work_per_row = work_per_row;
  return step;
}

constexpr int64_t kMuch = int64_t{1} << 30;

std::vector<WorkItem> Cut(const Step& step, int64_t rows, int threads) {
  std::vector<WorkItem> items;
  CutStep(step, rows, threads, items);
  return items;
}

void ExpectCoversOnce(const std::vector<WorkItem>& items, int64_t rows, int64_t cols) {
  std::vector<int> cells(static_cast<size_t>(rows * cols));
  for (const WorkItem& item : items) {
    ASSERT_LE(0, item.r0);
    ASSERT_LT(item.r0, item.r1);
    ASSERT_LE(item.r1, rows);
    ASSERT_LE(0, item.c0);
    ASSERT_LT(item.c0, item.c1);
    ASSERT_LE(item.c1, cols);
    for (int64_t r = item.r0; r < item.r1; ++r) {
      for (int64_t c = item.c0; c < item.c1; ++c) ++cells[static_cast<size_t>(r * cols + c)];
    }
  }
  EXPECT_TRUE(std::all_of(cells.begin(), cells.end(), [](int n) { return n == 1; }));
}

TEST(CutStepTest, EveryCellOnceAndWithinTheGrains) {
  for (const int threads : {1, 2, 3, 7, 16, 64}) {
    for (const int64_t rows : {0, 1, 2, 11, 48, 97, 512}) {
      for (const int64_t row_grain : {1, 5, 48}) {
        for (const int64_t cols : {1, 4, 36}) {
          for (const int64_t col_grain : {1, 3, 100}) {
            for (const int64_t work : {int64_t{0}, int64_t{3000}, kMuch}) {
              SCOPED_TRACE(fmt::format("threads {} rows {} by {} cols {} by {} work {}", threads, rows,
                                       row_grain, cols, col_grain, work));
              const std::vector<WorkItem> items =
                  Cut(MakeStep(row_grain, cols, col_grain, work), rows, threads);
              ExpectCoversOnce(items, rows, cols);
              if (items.size() <= 1) continue;
              for (const WorkItem& item : items) {
                EXPECT_LE(item.r1 - item.r0, row_grain);
                EXPECT_GE(item.c1 - item.c0, std::min(cols, col_grain));
              }
            }
          }
        }
      }
    }
  }
}

TEST(CutStepTest, OneThreadOrLittleWorkIsOneItem) {
  EXPECT_EQ(Cut(MakeStep(48, 12, 1, kMuch), 1000, 1), (std::vector<WorkItem>{{0, 1000, 0, 12}}));
  EXPECT_EQ(Cut(MakeStep(1, 12, 1, 100), 1000, 8), (std::vector<WorkItem>{{0, 1000, 0, 12}}));
}

TEST(CutStepTest, WorkLimitsTheThreads) {
  // The work is worth two of eight threads: two items of one column each.
  EXPECT_EQ(Cut(MakeStep(48, 1, 1, kMinWorkPerThread / 10 + 1), 20, 8),
            (std::vector<WorkItem>{{0, 10, 0, 1}, {10, 20, 0, 1}}));
}

TEST(CutStepTest, ManyRowsAreCutByRowsEvenly) {
  const std::vector<WorkItem> items = Cut(MakeStep(48, 12, 1, kMuch), 480, 4);
  ASSERT_EQ(items.size(), 12u);  // ten grains, rounded up to a multiple of the threads
  for (const WorkItem& item : items) {
    EXPECT_EQ(item.r1 - item.r0, 40);
    EXPECT_EQ(item.c1 - item.c0, 12);
  }
}

TEST(CutStepTest, FewRowsAreCutByColumns) {
  // 11 tokens, two threads: all rows in each item, so that each thread reads its columns' weights once.
  EXPECT_EQ(Cut(MakeStep(48, 12, 1, kMuch), 11, 2),
            (std::vector<WorkItem>{{0, 11, 0, 3}, {0, 11, 3, 6}, {0, 11, 6, 9}, {0, 11, 9, 12}}));
}

TEST(CutStepTest, OneColumnAndFewRowsAreCutFinerThanTheGrain) {
  EXPECT_EQ(Cut(MakeStep(48, 1, 1, kMuch), 11, 2), (std::vector<WorkItem>{{0, 5, 0, 1}, {5, 11, 0, 1}}));
  EXPECT_EQ(Cut(MakeStep(48, 1, 1, kMuch), 3, 8).size(), 3u);
}

TEST(CutStepTest, EveryThreadGetsWork) {
  for (const int threads : {2, 3, 5, 16, 64}) {
    for (const int64_t rows : {1, 11, 100, 600}) {
      for (const int64_t cols : {1, 4, 36}) {
        const size_t items = Cut(MakeStep(48, cols, 1, kMuch), rows, threads).size();
        EXPECT_GE(items, static_cast<size_t>(std::min<int64_t>(threads, rows * cols)))
            << "threads " << threads << " rows " << rows << " cols " << cols;
      }
    }
  }
}

TEST(CutStepRandomlyTest, CoversOnceWithinTheLimitsAndFollowsTheSeed) {
  const Step step = MakeStep(48, 12, 2, kMuch);
  std::set<std::vector<int64_t>> seen;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    std::vector<WorkItem> items, again;
    CutStepRandomly(step, 37, {.max_rows = 5, .max_cols = 3, .seed = seed}, 4, items);
    CutStepRandomly(step, 37, {.max_rows = 5, .max_cols = 3, .seed = seed}, 4, again);
    EXPECT_EQ(items, again);
    ExpectCoversOnce(items, 37, 12);
    std::vector<int64_t> flat;
    for (const WorkItem& item : items) {
      EXPECT_LE(item.r1 - item.r0, 5);
      EXPECT_LE(item.c1 - item.c0, 3);
      flat.insert(flat.end(), {item.r0, item.c0});
    }
    seen.insert(flat);
  }
  EXPECT_EQ(seen.size(), 20u);
  std::vector<WorkItem> rows_only;
  CutStepRandomly(step, 37, {.max_rows = 5, .seed = 1}, 0, rows_only);
  ExpectCoversOnce(rows_only, 37, 12);
  for (const WorkItem& item : rows_only) EXPECT_EQ(item.c1 - item.c0, 12);
}

}  // namespace
}  // namespace ggufc::runtime
