// Derives a bound on the difference between two computations of one graph. The error of each op's result follows from
// the errors of its operands (first-order propagation on the actual values) and from its own roundings.
//
// Errors are standard errors. Independent errors add as squares; errors that share a cause (the two operands of an add,
// the tokens of a sequence) add linearly. error_bound.cpp has the rule of each op.
#pragma once

#include <vector>

#include "ir/interpret/interpreter.h"

namespace ggufc::passes {

inline constexpr double kF32Roundoff = 0x1p-24;
inline constexpr double kDoubleRoundoff = 0x1p-53;

// The roundings that only one of the computations makes.
struct Noise {
  double roundoff = kDoubleRoundoff;  // relative error of each rounding: kF32Roundoff of f32 against double
  bool folded = false;                // scaled gains and rope tables are rounded to f32
  bool quantized = false;             // quantize rounds on one side only, or in different directions
};

// Standard errors of forward's result, row-major [B, dims]. `graph` is a module at the graph stage.
Result<std::vector<double>> StandardErrors(const ir::Module& graph, const ir::WeightSource& weights,
                                           const ir::InterpreterInput& batch, const Noise& noise);

// The largest Euclidean |a - b| / |errors| of a row: 0 for equal rows, infinity if shapes differ, a value is NaN, or
// rows without error differ.
double InStandardErrors(const ir::InterpreterOutput& a, const ir::InterpreterOutput& b,
                        const std::vector<double>& errors);

// A difference above this many standard errors is a disagreement. A row has many columns, so its length varies little.
// The neglected part (correlations that a sum over columns does not average out) is a small factor: the largest
// difference in tens of thousands of random programs was about 3.
inline constexpr double kMaxStandardErrors = 8;

}  // namespace ggufc::passes
