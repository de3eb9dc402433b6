// A random program: a module at the graph stage and everything else that decides what is done with it.
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
  ir::Scalar activations = ir::Scalar::kQ16;  // how linears on q8_0 weights are computed
  int64_t context_length = 64;                // at least the longest sequence
  int64_t row_block = 48;                     // TargetInfo::row_block of every target
  int64_t tile_rows = 0;                      // TargetInfo::rows of every target; 0: its own
  uint64_t turn = 0;                          // which targets it is compiled for (checks.h)
};

// IR text behind a comment line that holds the rest:
//   // program weights=1 activations=q8 context=64 row_block=5 tile_rows=2 turn=3 lengths=2,1 ids=7,0,4
std::string ToText(const Program& program);
// Reads that back; `name` is for messages. The module is verified and the batch fits it.
Result<Program> ParseProgram(std::string_view text, std::string_view name);

// Ops of forward, `return` not counted.
size_t OpCount(const Program& program);

}  // namespace ggufc::programs
