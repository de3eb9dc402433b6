// How far two ways of computing one graph may be apart, from the arithmetic: the error of each op's result is derived from
// the errors of its operands (first-order propagation on the values at hand) and from its own roundings.
//
// An error is a standard error: independent errors add up as squares, errors that share a cause (the two operands of an
// add, the tokens of a sequence) as they are. error_bound.cpp has the rule of each op.
#pragma once

#include <vector>

#include "ir/interpret/interpreter.h"

namespace ggufc::passes {

inline constexpr double kF32Roundoff = 0x1p-24;
inline constexpr double kDoubleRoundoff = 0x1p-53;

// What one side does and the other does not.
struct Noise {
  double roundoff = kDoubleRoundoff;  // relative error of each rounding: kF32Roundoff of f32 against double
  bool folded = false;                // scaled gains and rope tables are rounded to f32
  bool quantized = false;             // quantize rounds, or rounds a value the other way
};

// Standard errors of forward's result, row-major [B, dims]. `graph` is a module at the graph stage.
Result<std::vector<double>> StandardErrors(const ir::Module& graph, const ir::WeightSource& weights,
                                           const ir::InterpreterInput& batch, const Noise& noise);

// The largest |a - b| / |errors| of a row, Euclidean; 0 where rows are equal, infinity where shapes differ, something is
// no number, or rows that may have no error differ.
double InStandardErrors(const ir::InterpreterOutput& a, const ir::InterpreterOutput& b,
                        const std::vector<double>& errors);

// Of so many standard errors a difference is a disagreement. A row is many columns, so its length scatters little, and
// what the propagation neglects (correlations that a sum over columns does not average out) is a small factor; over
// tens of thousands of random programs the largest was about 3.
inline constexpr double kMostStandardErrors = 8;

}  // namespace ggufc::passes
