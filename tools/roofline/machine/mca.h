// Cycles of micro-kernels by llvm-mca's model of a processor: what can be said of a target that this machine
// cannot run, and how much of the time in a tile is its block epilogue. The model has all data in L1 and
// predicts all branches.
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
  int64_t macs = 0;   // of one turn of the outer loop: a block of 32 k with its epilogue, or one k in f32
  double cycles = 0;  // of that turn
  double inner_cycles = 0;  // of it, what the loop over k takes by itself
  double MacsPerCycle() const { return static_cast<double>(macs) / cycles; }
};

// The heights of one micro-kernel, lowest first.
struct MicroKernel {
  std::string name;  // without the height
  std::vector<TileCycles> tiles;
};

struct CycleReport {
  std::string tool, cpu;
  std::vector<MicroKernel> kernels;  // in the module's order
};

struct CycleOptions {
  std::string tool = "llvm-mca-19";  // searched for in PATH unless it has a slash
  std::string cpu = "znver4";        // of LLVM's scheduling models
};

// `module` is at the loop stage. An error when the tool is not there or refuses the code.
Result<CycleReport> CountCycles(const ir::Module& module, const codegen::Target& target,
                                const codegen::EmitOptions& emit, const CycleOptions& options = {});

}  // namespace ggufc::roofline
