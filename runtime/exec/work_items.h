// Cuts a step's domain of rows and column units into work items. Any cut gives the same bits; this decides
// what is fast.
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

// For tests: random cuts in random order, instead of those that are fast.
struct CutOptions {
  int64_t max_rows = 0;  // of one item; 0: all
  int64_t max_cols = 0;  // column units of one item; 0: all
  uint64_t seed = 0;
  bool random() const { return max_rows > 0 || max_cols > 0; }
};

// Less work than this (multiply-adds) is not worth another thread: about three microseconds at 50 GMAC/s. To
// meet costs two threads 0.1 to 0.2 us (Zen 5), and then each fetches the activations that the other wrote.
inline constexpr int64_t kMinWorkPerThread = int64_t{1} << 17;

// Appends the items of a step over `rows` rows, in the order in which threads are to claim them.
//
//   one thread, or little work   the whole domain: kernels block rows and columns themselves
//   many rows                    at most row_grain rows and all columns, if each thread gets two or more
//   few rows                     also by columns, at least col_grain each: for few rows the weights are what
//                                costs, and each thread reads only its columns; then rows finer than the
//                                grain if need be
//
// Items are of even size and their number is a multiple of the threads in use where the domain allows it.
// Items that share columns of weights follow one another. Assumes a step that ValidateProgram has accepted.
void CutStep(const Step& step, int64_t rows, int threads, std::vector<WorkItem>& items);

// `index` of the step, so that steps are cut differently.
void CutStepRandomly(const Step& step, int64_t rows, const CutOptions& options, int64_t index,
                     std::vector<WorkItem>& items);

}  // namespace ggufc::runtime
