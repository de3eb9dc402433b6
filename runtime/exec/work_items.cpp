#include "runtime/exec/work_items.h"

#include <algorithm>
#include <random>

namespace ggufc::runtime {
namespace {

int64_t CeilDivide(int64_t a, int64_t b) { return a / b + (a % b != 0); }
int64_t RoundUp(int64_t a, int64_t multiple) { return CeilDivide(a, multiple) * multiple; }

// Appends row_pieces x col_pieces items of even sizes.
void AddGrid(int64_t rows, int64_t row_pieces, int64_t cols, int64_t col_pieces,
             std::vector<WorkItem>& items) {
  for (int64_t c = 0; c < col_pieces; ++c) {
    for (int64_t r = 0; r < row_pieces; ++r) {
      items.push_back({rows * r / row_pieces, rows * (r + 1) / row_pieces, cols * c / col_pieces,
                       cols * (c + 1) / col_pieces});
    }
  }
}

// The number of threads for which the step has enough work. Unknown work (0) counts as enough.
int64_t UsefulThreads(const Step& step, int64_t rows, int threads) {
  if (step.work_per_row == 0) return threads;
  int64_t work = 0;
  if (__builtin_mul_overflow(step.work_per_row, rows, &work)) return threads;
  return std::clamp<int64_t>(work / kMinWorkPerThread, 1, threads);
}

std::vector<int64_t> RandomBounds(int64_t size, int64_t max_piece, std::mt19937_64& random) {
  std::vector<int64_t> bounds{0};
  while (bounds.back() < size) {
    const int64_t left = size - bounds.back();
    const int64_t most = max_piece > 0 ? std::min(max_piece, left) : left;
    const int64_t piece =
        max_piece > 0 ? 1 + static_cast<int64_t>(random() % static_cast<uint64_t>(most)) : most;
    bounds.push_back(bounds.back() + piece);
  }
  return bounds;
}

}  // namespace

void CutStep(const Step& step, int64_t rows, int threads, std::vector<WorkItem>& items) {
  if (rows == 0) return;
  const int64_t useful = UsefulThreads(step, rows, threads);
  if (useful == 1) return AddGrid(rows, 1, step.cols, 1, items);

  int64_t row_pieces = CeilDivide(rows, step.row_grain);
  if (row_pieces >= 2 * useful) {
    return AddGrid(rows, std::min(rows, RoundUp(row_pieces, useful)), step.cols, 1, items);
  }
  const int64_t max_col_pieces = std::max<int64_t>(1, step.cols / step.col_grain);
  const int64_t col_pieces = std::min(max_col_pieces, CeilDivide(2 * useful, row_pieces));
  // Each further piece of rows reads the weights again, so there are only as many as give each thread one item.
  if (row_pieces * col_pieces < useful) row_pieces = std::min(rows, CeilDivide(useful, col_pieces));
  AddGrid(rows, row_pieces, step.cols, col_pieces, items);
}

void CutStepRandomly(const Step& step, int64_t rows, const CutOptions& options, int64_t index,
                     std::vector<WorkItem>& items) {
  std::mt19937_64 random(options.seed * 1000003 + static_cast<uint64_t>(index));
  const std::vector<int64_t> row_bounds = RandomBounds(rows, options.max_rows, random);
  const std::vector<int64_t> col_bounds = RandomBounds(step.cols, options.max_cols, random);
  const auto first = static_cast<std::ptrdiff_t>(items.size());
  for (size_t r = 0; r + 1 < row_bounds.size(); ++r) {
    for (size_t c = 0; c + 1 < col_bounds.size(); ++c) {
      items.push_back({row_bounds[r], row_bounds[r + 1], col_bounds[c], col_bounds[c + 1]});
    }
  }
  std::shuffle(items.begin() + first, items.end(), random);
}

}  // namespace ggufc::runtime
