// Random models, batches and targets, determined by a seed, for tests that run both sides of a pass.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "ir/interpret/interpreter.h"
#include "model_text.h"
#include "passes/pass.h"

namespace ggufc::passes {

struct RandomModel {
  uint64_t seed = 0;
  ModelShape shape;
  PassContext context;  // the context length is sometimes exactly the longest text of the batch
  ir::InterpreterInput input;
};

// Shapes are small and irregular: widths that are not powers of two (multiples of 32 for q8_0), heads of 32 to 256
// columns, windows from 2 to more than the text.
RandomModel MakeRandomModel(uint64_t seed, ir::Scalar weights);

std::string Describe(const RandomModel& model);

// `count` sequences, of up to `max_length` tokens each.
ir::InterpreterInput RandomBatch(std::mt19937_64& random, int count, int max_length, int64_t vocab);

// Describes the first element that differs or is NaN. Empty if all bits are equal and no value is NaN.
std::string FirstDifference(const ir::InterpreterOutput& a, const ir::InterpreterOutput& b);

// The largest Euclidean |a - b| / |b| of a row; infinity if shapes differ or a value is NaN. For rows of length 1,
// 1 - cos(a, b) is at most half its square.
double RelativeError(const ir::InterpreterOutput& a, const ir::InterpreterOutput& b);

}  // namespace ggufc::passes
