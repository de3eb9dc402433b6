// Runs a module of any stage with plain loops.
//
//   graph, kernel   double precision: the oracle. Tensors are arrays of double; a quantised activation is its
//                   dequantised value, rounded where `quantize` rounds.
//   loop            a model of the machine: memory is bytes, every load and store is checked against its allocation, and
//                   f32 arithmetic rounds as in IEEE 754, so results equal those of generated code to the last bit.
//
// A batch consists of sequences packed one after another. The interpreter makes the tables that loop-stage kernels read
// (batch_tables.h) from the sequences' lengths.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "ir/core/module.h"
#include "support/result.h"

namespace ggufc::ir {

// Provides weights. `floats`: dequantised elements in row-major order. `bytes`: the bytes that a loop-stage kernel reads,
// which are packed panels if the weight has a layout and the file's bytes otherwise.
struct WeightSource {
  std::function<Result<std::vector<double>>(const Module&, WeightId)> floats;
  std::function<Result<std::vector<uint8_t>>(const Module&, WeightId)> bytes;
};

struct InterpreterInput {
  std::vector<int32_t> ids;      // all sequences, one after another
  std::vector<int32_t> lengths;  // tokens of each sequence, > 0
  // Loop stage: the maximum rows and column units per work item. Items then run in a random order drawn from `seed`,
  // like items of several threads. 0: items as large as the domain's grain allows; if both are 0, in order.
  int64_t max_rows = 0;
  int64_t max_cols = 0;
  uint64_t seed = 0;
  // Graph and kernel stage: called with each op's result, row-major, in the order of execution.
  std::function<void(const Op&, std::span<const double>)> observe = {};
};

// Row-major results of `forward`: [B, dims].
struct InterpreterOutput {
  int64_t rows = 0;
  int64_t columns = 0;
  std::vector<double> values;  // graph and kernel; loop: the f32 results, widened
};

Result<InterpreterOutput> Interpret(const Module& module, const WeightSource& weights,
                                    const InterpreterInput& input);

}  // namespace ggufc::ir
