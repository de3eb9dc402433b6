// A random program: a module at the graph stage and all parameters of its compilation and run.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ir/core/module.h"
#include "ir/interpret/interpreter.h"
#include "support/result.h"

namespace ggufc::programs {

struct Program {
  ir::Module module;
  ir::InterpreterInput batch;                 // ids and lengths
  uint64_t weights = 0;                       // seed of ir::RandomWeights
  ir::Scalar activations = ir::Scalar::kQ16;  // type of quantised activations for q8_0 linears
  int64_t context_length = 64;                // at least the longest sequence
  int64_t row_block = 48;                     // TargetInfo::row_block of every target
  int64_t tile_rows = 0;                      // TargetInfo::rows of every target; 0: the target's own value
  uint64_t turn = 0;                          // selects the targets (checks.h)
};

// A comment line with all parameters, followed by the IR text:
//   // program weights=1 activations=q8 context=64 row_block=5 tile_rows=2 turn=3 lengths=2,1 ids=7,0,4
std::string ToText(const Program& program);
// Parses such text; `name` is used in messages. Verifies the module and checks the batch.
Result<Program> ParseProgram(std::string_view text, std::string_view name);

// The number of ops in forward without `return`.
size_t OpCount(const Program& program);

}  // namespace ggufc::programs
