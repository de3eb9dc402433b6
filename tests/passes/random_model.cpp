#include "random_model.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace ggufc::passes {
namespace {

// Used instead of std::uniform_int_distribution, whose numbers differ between libraries: a seed must always give one
// model.
int64_t Between(std::mt19937_64& random, int64_t lo, int64_t hi) {
  return lo + static_cast<int64_t>(random() % static_cast<uint64_t>(hi - lo + 1));
}
int64_t Multiple(std::mt19937_64& random, int64_t step, int64_t lo, int64_t hi) {
  return step * Between(random, (lo + step - 1) / step, hi / step);
}
template <size_t N>
int64_t OneOf(std::mt19937_64& random, const int64_t (&values)[N]) {
  return values[random() % N];
}

}  // namespace

ir::InterpreterInput RandomBatch(std::mt19937_64& random, int count, int max_length, int64_t vocab) {
  ir::InterpreterInput input;
  for (int i = 0; i < count; ++i) {
    input.lengths.push_back(static_cast<int32_t>(Between(random, 1, max_length)));
    for (int32_t t = 0; t < input.lengths.back(); ++t) {
      input.ids.push_back(static_cast<int32_t>(Between(random, 0, vocab - 1)));
    }
  }
  return input;
}

RandomModel MakeRandomModel(uint64_t seed, ir::Scalar weights) {
  std::mt19937_64 random(seed);
  RandomModel model;
  model.seed = seed;
  ModelShape& s = model.shape;
  const bool blocks = weights == ir::Scalar::kQ8_0;
  const int64_t step = blocks ? ir::kQuantBlock : 1;
  s.weights = weights;
  s.dim = Multiple(random, step, 20, 160);
  do {
    s.head_dim = OneOf(random, {32, 40, 48, 64, 80, 96, 128, 256});
    s.kv_heads = OneOf(random, {1, 1, 2, 3});
    s.heads = s.kv_heads * OneOf(random, {1, 1, 2, 3});
  } while (s.heads * s.head_dim > 512 || s.heads * s.head_dim % step != 0);
  s.ffn = Multiple(random, step, 20, 200);
  s.layers = Between(random, 1, 3);
  s.window = OneOf(random, {2, 3, 5, 8, 16, 31, 64});
  s.global_every = Between(random, 2, 4);
  s.vocab = Between(random, 20, 60);
  s.dense = random() % 2 == 0 ? 0 : Multiple(random, step, 20, 160);
  // At least a third of the columns: the norm of a few columns may be near zero, which makes any relative error large.
  s.dims = random() % 2 == 0 ? 0 : Between(random, s.dim / 3, s.dim);
  s.normalize = random() % 4 != 0;
  model.input = RandomBatch(random, static_cast<int>(Between(random, 1, 4)), 40, s.vocab);
  const int64_t longest = *std::max_element(model.input.lengths.begin(), model.input.lengths.end());
  model.context.context_length = random() % 2 == 0 ? longest : 64;
  model.context.target.row_block = static_cast<int>(OneOf(random, {5, 12, 48}));
  return model;
}

std::string Describe(const RandomModel& m) {
  return fmt::format("seed {} ({}): {}; texts of {} tokens, context of {}", m.seed, ir::Name(m.shape.weights),
                     Describe(m.shape), fmt::join(m.input.lengths, ", "), m.context.context_length);
}

std::string FirstDifference(const ir::InterpreterOutput& a, const ir::InterpreterOutput& b) {
  if (a.rows != b.rows || a.columns != b.columns) {
    return fmt::format("{} x {} against {} x {}", a.rows, a.columns, b.rows, b.columns);
  }
  for (size_t i = 0; i < b.values.size(); ++i) {
    if (std::bit_cast<uint64_t>(a.values[i]) == std::bit_cast<uint64_t>(b.values[i]) &&
        !std::isnan(a.values[i]))
      continue;
    const int64_t at = static_cast<int64_t>(i);
    return fmt::format("row {}, column {}: {:.17g} against {:.17g}", at / b.columns, at % b.columns,
                       a.values[i], b.values[i]);
  }
  return {};
}

double RelativeError(const ir::InterpreterOutput& a, const ir::InterpreterOutput& b) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (a.rows != b.rows || a.columns != b.columns) return kInfinity;
  double worst = 0;
  for (int64_t row = 0; row < b.rows; ++row) {
    double difference = 0, size = 0;
    for (int64_t column = 0; column < b.columns; ++column) {
      const size_t i = static_cast<size_t>(row * b.columns + column);
      difference += (a.values[i] - b.values[i]) * (a.values[i] - b.values[i]);
      size += b.values[i] * b.values[i];
    }
    const double error = std::sqrt(difference / size);
    if (std::isnan(error)) return kInfinity;
    worst = std::max(worst, error);
  }
  return worst;
}

}  // namespace ggufc::passes
