#include "generate.h"

#include <algorithm>

#include "draw.h"
#include "model_text.h"
#include "random_graph.h"

namespace ggufc::programs {
namespace {

// Lengths on both sides of multiples of 16, the size of key panels and query tiles.
int32_t Length(Draw& draw) {
  return draw.Percent(70) ? static_cast<int32_t>(draw.Between(1, 9))
                          : draw.OneOf({11, 15, 16, 17, 20, 31, 33});
}

ir::InterpreterInput Batch(Draw& draw, int64_t vocab) {
  constexpr int32_t kMostTokens = 48;
  ir::InterpreterInput batch;
  const int64_t count = draw.OneOf({1, 1, 2, 2, 3, 4, 6});
  int32_t tokens = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int32_t length = std::min(Length(draw), kMostTokens - tokens);
    if (length == 0) break;
    batch.lengths.push_back(length);
    tokens += length;
  }
  for (int32_t t = 0; t < tokens; ++t) batch.ids.push_back(static_cast<int32_t>(draw.Between(0, vocab - 1)));
  return batch;
}

passes::ModelShape Shape(Draw& draw, int64_t vocab) {
  passes::ModelShape s;
  s.weights = draw.OneOf({ir::Scalar::kQ8_0, ir::Scalar::kQ8_0, ir::Scalar::kQ8_0, ir::Scalar::kF32,
                          ir::Scalar::kF16, ir::Scalar::kBF16});
  const int64_t step = s.weights == ir::Scalar::kQ8_0 ? ir::kQuantBlock : 1;
  const auto width = [&](int64_t lo, int64_t hi) {
    return step * draw.Between((lo + step - 1) / step, hi / step);
  };
  s.dim = width(9, 96);
  do {
    s.head_dim = draw.OneOf({4, 12, 16, 20, 32, 40, 64});
    s.kv_heads = draw.OneOf({1, 1, 2, 3});
    s.heads = s.kv_heads * draw.OneOf({1, 1, 2, 3});
  } while (s.heads * s.head_dim > 128 || s.heads * s.head_dim % step != 0);
  s.ffn = width(9, 96);
  s.layers = draw.OneOf({1, 1, 1, 2});
  s.window = draw.OneOf({0, 2, 3, 5, 8, 16, 31, 64});
  s.global_every = draw.Between(2, 4);
  s.vocab = vocab;
  s.dense = draw.Percent(50) ? 0 : width(9, 96);
  // At least a third of the columns: a vector of few columns may have a norm near 0, which makes relative errors large.
  s.dims = draw.Percent(50) ? 0 : draw.Between(s.dim / 3, s.dim);
  s.normalize = draw.Percent(75);
  return s;
}

}  // namespace

Program Generate(uint64_t seed, uint64_t index) {
  Draw draw(ProgramSeed(seed, index));
  Program program;
  program.turn = index;
  program.weights = draw.Next() % 1000000;
  program.activations = draw.OneOf({ir::Scalar::kQ16, ir::Scalar::kQ8, ir::Scalar::kQ7});
  program.row_block = draw.OneOf({3, 5, 12, 48});
  // Mostly low tiles: code generation dominates the run time and grows with the number of tile heights.
  program.tile_rows = draw.Percent(10) ? 0 : draw.Between(1, 3);
  const int64_t vocab = draw.Between(2, 40);
  program.batch = Batch(draw, vocab);
  const int64_t longest = *std::max_element(program.batch.lengths.begin(), program.batch.lengths.end());
  program.context_length = draw.Percent(50) ? longest : 64;
  if (draw.Percent(25)) {
    program.module = passes::BuildModel(Shape(draw, vocab));
  } else {
    program.module = RandomGraph(draw, {.vocab = vocab, .positions = program.context_length});
  }
  return program;
}

}  // namespace ggufc::programs
