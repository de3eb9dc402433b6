// Runs a module of any stage with plain loops.
//
//   graph, kernel   double precision: the oracle. Tensors are arrays of double; a quantised activation is its
//                   dequantised value, rounded where `quantize` rounds.
//   loop            the machine: memory is bytes, every load and store is checked against its allocation,
//                   f32 arithmetic is rounded as IEEE says, so a result equals that of generated code to the
//                   last bit.
//
// A batch is sequences packed one after another. Metadata tables that loop-stage kernels read are made here
// from the lengths (batch_tables.h).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "ir/core/module.h"
#include "support/result.h"

namespace ggufc::ir {

// Where weights come from. `floats`: tensor elements in row-major order, dequantised. `bytes`: the bytes a
// loop-stage kernel sees: packed panels where the weight has a layout, the file's own bytes otherwise.
struct WeightSource {
  std::function<Result<std::vector<double>>(const Module&, WeightId)> floats;
  std::function<Result<std::vector<uint8_t>>(const Module&, WeightId)> bytes;
};

struct InterpreterInput {
  std::vector<int32_t> ids;      // all sequences, one after another
  std::vector<int32_t> lengths;  // tokens of each sequence, > 0
  // Loop stage: cut each kernel's domain into items of at most this many rows and column units, run in an
  // order drawn from `seed`, as threads would (0: as large as the domain's grain allows, in order).
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
