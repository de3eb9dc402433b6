// Cuts a step's domain of rows and column units into work items. Any cut gives the same bits; the cut decides the
// speed.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/exec/program.h"

namespace ggufc::runtime {

// Rows [r0, r1) and column units [c0, c1) of a step.
struct WorkItem {
  int64_t r0, r1, c0, c1;
  friend bool operator==(const WorkItem&, const WorkItem&) = default;
};

// For tests: random cuts in random order instead of the fast ones.
struct CutOptions {
  int64_t max_rows = 0;  // per item; 0: all
  int64_t max_cols = 0;  // column units per item; 0: all
  uint64_t seed = 0;
  bool random() const { return max_rows > 0 || max_cols > 0; }
};

// Multiply-adds that are worth another thread: about three microseconds at 50 GMAC/s. A barrier of two threads costs
// 0.1 to 0.2 us (Zen 5), and after it each thread fetches the activations that the other wrote.
inline constexpr int64_t kMinWorkPerThread = int64_t{1} << 17;

// Appends the items of a step over `rows` rows, in the order in which threads claim them.
//
//   one thread, or little work   one item, the whole domain: kernels block rows and columns themselves
//   many rows                    items of at most row_grain rows and all columns, if each thread gets at least two
//   few rows                     items of at least col_grain columns too: for few rows the cost is reading weights, and
//                                each thread then reads only its columns; if that gives too few items, fewer rows than
//                                row_grain
//
// Items have even sizes. Their number is a multiple of the threads in use where the domain allows it. Items that share
// columns of weights are adjacent. Assumes a step that ValidateProgram has accepted.
void CutStep(const Step& step, int64_t rows, int threads, std::vector<WorkItem>& items);

// `index`: the number of the step, so that each step is cut differently.
void CutStepRandomly(const Step& step, int64_t rows, const CutOptions& options, int64_t index,
                     std::vector<WorkItem>& items);

}  // namespace ggufc::runtime
