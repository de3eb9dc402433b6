// What each kernel of a model asks of a machine for a given batch: multiply-adds and bytes, counted from
// shapes.
//
// Operations. A multiply-add is two operations. Linears: rows x in x out, without padding. Attention: scores
// and sums of values for the pairs of tokens that see each other. The work on rows (norms, rope, softmax,
// quantisation, gelu) does not count, so what it costs shows as distance from the roof.
//
// Bytes, cold: weights as packed, each read from DRAM once. A model's weights do not fit caches; what one
// kernel writes and the next one reads does, and does not count. Bytes, warm: what goes to and from the
// caches when the weights are there too: weights once a block of rows, inputs and results once, keys and
// values once a query tile. The tables of a batch (ids, positions) are left out.
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

// One call of a kernel, for all rows of a batch.
struct Cost {
  std::string kernel;
  Arithmetic arithmetic = Arithmetic::kF32;  // of its multiply-adds
  int64_t macs = 0;
  int64_t weight_bytes = 0;  // read for the first time in this forward pass
  int64_t cache_bytes = 0;   // read and written when everything is in cache
  int64_t footprint = 0;     // distinct bytes
};

// The module as the passes of the kernel stage leave it: what CountCalls takes.
Result<ir::Module> KernelStage(const driver::SourceModel& model, const driver::CompileOptions& options);

// The calls of `forward`, in order: those of the runtime's steps. `module` is at the kernel stage, with
// layouts; `lengths` are the tokens of each sequence, each > 0.
std::vector<Cost> CountCalls(const ir::Module& module, const codegen::Target& target,
                             std::span<const int32_t> lengths);

// Pairs of tokens of one sequence that see each other; window 0: all.
int64_t VisiblePairs(int64_t tokens, int64_t window);

}  // namespace ggufc::roofline
