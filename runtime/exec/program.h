// A compiled model as the runtime sees it: the contract between generated code and the runtime. Plain data, the same
// for code generated just now and for code linked ahead of time.
//
// A forward pass is a list of steps. Each step calls one kernel over a domain of rows (tokens, sequences or attention
// query tiles) and column units. Any cut of the domain into work items gives the same bits, so the runtime cuts by the
// number of threads and rows. All items of a step are done before the next step begins.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "support/result.h"

namespace ggufc::runtime {

// Generated code: computes rows [r0, r1) and column units [c0, c1). `args`: one pointer per argument of the step.
// `scratch`: Program::scratch_bytes of 64-byte aligned memory that no other thread uses.
using KernelFn = void (*)(void* const* args
#define ITEM_PARAM(name, c_type, ir_type) , c_type name
#include "support/kernel_abi.def"
);

enum class Rows : uint8_t {
#define ROW_KIND(enumerator, ir_symbol) enumerator,
#include "support/kernel_abi.def"
  kCount
};

// What an argument points to.
enum class ArgKind : uint8_t {
#define BATCH_TABLE(enumerator, name, rows, columns) enumerator,  // support/batch_tables.h
#include "support/kernel_abi.def"
  kOutput,  // float[B][dims]
  kArena,   // arena + offset + T * offset_t + B * offset_b
  kWeight,  // packed weights + offset
  kFile,    // mapped model file + offset: a tensor used in place
};

struct Arg {
  ArgKind kind = ArgKind::kArena;
  int64_t offset = 0;
  int64_t offset_t = 0;
  int64_t offset_b = 0;

  bool operator==(const Arg&) const = default;
};

struct Step {
  uint32_t kernel = 0;     // index into Program::kernels
  uint32_t first_arg = 0;  // index into Program::args
  uint32_t arg_count = 0;
  Rows rows = Rows::kTokens;
  int64_t row_grain = 1;     // maximum rows per item, when rows are divided among threads
  int64_t cols = 1;          // column units
  int64_t col_grain = 1;     // minimum column units per item
  int64_t work_per_row = 0;  // multiply-adds per row, to decide how many threads pay; 0: unknown

  bool operator==(const Step&) const = default;
};

struct Program {
  std::vector<std::string> kernels;  // symbol names
  std::vector<Step> steps;
  std::vector<Arg> args;
  // Arena size: arena_bytes + T * arena_bytes_t + B * arena_bytes_b.
  int64_t arena_bytes = 0, arena_bytes_t = 0, arena_bytes_b = 0;
  int64_t scratch_bytes = 0;
  int64_t weights_bytes = 0;
  int64_t file_bytes = 0;      // of the model file, from its start, that kernels may read
  int64_t dims = 0;            // floats of one embedding
  int64_t vocab = 0;           // ids are in [0, vocab)
  int64_t context_length = 0;  // maximum tokens per sequence

  bool operator==(const Program&) const = default;
};

// Batch tables hold positions and key slots (up to 32 per token) as int32.
inline constexpr int64_t kMaxBatchTokens = int64_t{1} << 25;
inline constexpr int64_t kMaxScratchBytes = int64_t{1} << 32;

// Fails if an index, offset or size would make the executor read or write outside its memory for a batch of up to
// `max_tokens` tokens. It cannot check how far a kernel reads or writes from its pointers.
Status ValidateProgram(const Program& program, int64_t weights_bytes, int64_t file_bytes, int64_t max_tokens);

}  // namespace ggufc::runtime
