// Cycles of micro-kernels in llvm-mca's processor models, for targets that this machine cannot run, and for the share of
// the block epilogue in a tile's time. The model assumes that all data is in L1 and all branches are predicted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codegen/emit/emitter.h"
#include "codegen/target.h"
#include "ir/core/module.h"
#include "support/result.h"

namespace ggufc::roofline {

struct TileCycles {
  int rows = 0;
  int64_t macs = 0;   // per iteration of the outer loop: a block of 32 k with its epilogue, or one k in f32
  double cycles = 0;  // of that iteration
  double inner_cycles = 0;  // of the loop over k alone
  double MacsPerCycle() const { return static_cast<double>(macs) / cycles; }
};

// One micro-kernel at all its tile heights, lowest first.
struct MicroKernel {
  std::string name;  // without the height
  std::vector<TileCycles> tiles;
};

struct CycleReport {
  std::string tool, cpu;
  std::vector<MicroKernel> kernels;  // in the module's order
};

struct CycleOptions {
  std::string tool = "llvm-mca-19";  // searched in PATH unless it contains a slash
  std::string cpu = "znver4";        // the name of a scheduling model of LLVM
};

// `module` is at the loop stage. It is an error if the tool is missing or fails.
Result<CycleReport> CountCycles(const ir::Module& module, const codegen::Target& target,
                                const codegen::EmitOptions& emit, const CycleOptions& options = {});

}  // namespace ggufc::roofline
