// A compiled model as the runtime sees it: the contract between generated code and the runtime. Plain data:
// the same for code that was just generated and for code that was linked ahead of time.
//
// A forward pass is a list of steps. Each step calls one kernel over a domain of rows (tokens, sequences or
// attention query tiles) and column units; any cut of the domain into items gives the same bits, so the
// runtime cuts as the number of threads and rows suggests. Between two steps all threads meet.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "support/result.h"

namespace ggufc::runtime {

// Generated code. `args`: one pointer for each of the step's arguments. `scratch`: Program::scratch_bytes of
// 64-byte aligned memory that no other thread uses. Works on rows [r0, r1) and column units [c0, c1).
using KernelFn = void (*)(void* const* args, void* scratch, int64_t r0, int64_t r1, int64_t c0, int64_t c1);

enum class Rows : uint8_t { kTokens, kSequences, kQueryTiles };

// What an argument points to.
enum class ArgKind : uint8_t {
  kIds,         // int32[T]
  kPositions,   // int32[T]             support/batch_tables.h
  kKeySlots,    // int32[T]
  kSequences,   // SequenceEntry[B]
  kQueryTiles,  // QueryTileEntry[Q]
  kOutput,      // float[B][dims]
  kArena,       // arena + offset + T * offset_t + B * offset_b
  kWeight,      // packed weights + offset
  kFile,        // the mapped model file + offset: a tensor used in place
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
  int64_t row_grain = 1;     // rows of one item at most, when rows are dealt to threads
  int64_t cols = 1;          // column units
  int64_t col_grain = 1;     // column units of one item at least
  int64_t work_per_row = 0;  // multiply-adds a row, to judge what a thread is worth; 0: not known

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
  int64_t file_bytes = 0;      // of the model file, from its start: what kernels read of it lies in these
  int64_t dims = 0;            // floats of one embedding
  int64_t vocab = 0;           // ids are in [0, vocab)
  int64_t context_length = 0;  // tokens of one sequence at most

  bool operator==(const Program&) const = default;
};

// Batch tables hold positions and key slots (up to 32 a token) as int32.
inline constexpr int64_t kMaxBatchTokens = int64_t{1} << 25;
inline constexpr int64_t kMaxScratchBytes = int64_t{1} << 32;

// Refuses what would make the executor read or write outside its memory for some batch of up to `max_tokens`
// tokens: indices, offsets, sizes. It cannot judge how far a kernel goes from the pointers it is given.
Status ValidateProgram(const Program& program, int64_t weights_bytes, int64_t file_bytes, int64_t max_tokens);

}  // namespace ggufc::runtime
