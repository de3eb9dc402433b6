// Random models, batches and targets, the same for the same seed, for tests that run both sides of a pass.
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
  PassContext context;  // positions for the longest text of the batch, sometimes not one more
  ir::InterpreterInput input;
};

// Shapes are small and awkward: widths that are no power of two (multiples of 32 where blocks of q8_0 ask for it), heads
// of 32 to 256 columns, windows from 2 to more than the text.
RandomModel MakeRandomModel(uint64_t seed, ir::Scalar weights);

std::string Describe(const RandomModel& model);

// `count` sequences, of up to `max_length` tokens each.
ir::InterpreterInput RandomBatch(std::mt19937_64& random, int count, int max_length, int64_t vocab);

// Empty when both are the same to the last bit and hold numbers only; the first element that differs otherwise.
std::string FirstDifference(const ir::InterpreterOutput& a, const ir::InterpreterOutput& b);

// The largest |a - b| / |b| of a row, Euclidean; infinity where shapes differ or something is no number. For rows of
// length 1, 1 - cos(a, b) is at most half its square.
double RelativeError(const ir::InterpreterOutput& a, const ir::InterpreterOutput& b);

}  // namespace ggufc::passes
