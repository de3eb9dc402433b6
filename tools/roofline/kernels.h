// The cost of each kernel of a model for a given batch: multiply-adds and bytes, counted from shapes.
//
// Operations: a multiply-add is two operations. Linears have rows x in x out multiply-adds, without padding. Attention has
// those of scores and of sums of values, for the pairs of tokens that attend to each other. Row-wise work (norms, rope,
// softmax, quantisation, gelu) does not count, so its time appears as distance from the roof.
//
// Cold bytes: packed weights, each read from DRAM once. A model's weights do not fit in the caches. Activations between
// kernels do, and do not count. Warm bytes: the traffic to and from the caches if the weights are cached too: weights once
// per row block, inputs and results once, keys and values once per query tile. The tables of a batch (ids, positions) do
// not count.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "driver/compile.h"
#include "ir/core/module.h"
#include "support/result.h"
#include "tools/roofline/machine/probes.h"

namespace ggufc::roofline {

// The cost of one kernel call for all rows of a batch.
struct Cost {
  std::string kernel;
  Arithmetic arithmetic = Arithmetic::kF32;  // kind of the multiply-adds
  int64_t macs = 0;
  int64_t weight_bytes = 0;  // weights read for the first time in this forward pass
  int64_t cache_bytes = 0;   // bytes read and written if everything is in cache
  int64_t footprint = 0;     // distinct bytes
};

// The module after the passes of the kernel stage, the input of CountCalls.
Result<ir::Module> KernelStage(const driver::SourceModel& model, const driver::CompileOptions& options);

// The costs of the calls in `forward`, in order; each call is one step of the runtime. `module` is at the kernel stage,
// after assign-layouts; `lengths` are the tokens of each sequence, each > 0.
std::vector<Cost> CountCalls(const ir::Module& module, const codegen::Target& target,
                             std::span<const int32_t> lengths);

// The number of token pairs (i, j) of one sequence in which i attends to j; window 0: all pairs.
int64_t VisiblePairs(int64_t tokens, int64_t window);

}  // namespace ggufc::roofline
