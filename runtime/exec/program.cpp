#include "runtime/exec/program.h"

namespace ggufc::runtime {
namespace {

// result = constant + T * per_token + B * per_sequence. Returns false if that overflows.
bool Evaluate(int64_t constant, int64_t per_token, int64_t per_sequence, int64_t tokens, int64_t sequences,
              int64_t& result) {
  int64_t of_tokens = 0, of_sequences = 0;
  return !__builtin_mul_overflow(per_token, tokens, &of_tokens) &&
         !__builtin_mul_overflow(per_sequence, sequences, &of_sequences) &&
         !__builtin_add_overflow(constant, of_tokens, &result) &&
         !__builtin_add_overflow(result, of_sequences, &result);
}

Status CheckArg(const Program& program, const Arg& arg, int64_t weights_bytes, int64_t max_tokens) {
  switch (arg.kind) {
    case ArgKind::kIds:
    case ArgKind::kPositions:
    case ArgKind::kKeySlots:
    case ArgKind::kSequences:
    case ArgKind::kQueryTiles:
    case ArgKind::kOutput:
      return {};
    case ArgKind::kWeight:
      if (arg.offset < 0 || arg.offset >= weights_bytes) {
        return Err("offset {} lies outside {} bytes of packed weights", arg.offset, weights_bytes);
      }
      return {};
    case ArgKind::kFile:
      if (arg.offset < 0 || arg.offset >= program.file_bytes) {
        return Err("offset {} lies outside {} bytes of model file", arg.offset, program.file_bytes);
      }
      return {};
    case ArgKind::kArena:
      break;
  }
  if (arg.kind != ArgKind::kArena) return Err("unknown kind {}", static_cast<int>(arg.kind));
  // Offset and size are linear in T and B, with max_tokens >= T >= B >= 1. If the offset lies inside the arena at the
  // corners of this domain, it does everywhere.
  const int64_t corners[][2] = {{1, 1}, {max_tokens, 1}, {max_tokens, max_tokens}};
  for (const auto& [tokens, sequences] : corners) {
    int64_t offset = 0, size = 0;
    if (!Evaluate(arg.offset, arg.offset_t, arg.offset_b, tokens, sequences, offset) ||
        !Evaluate(program.arena_bytes, program.arena_bytes_t, program.arena_bytes_b, tokens, sequences,
                  size) ||
        offset < 0 || offset >= size) {
      return Err("offset {} + {} T + {} B lies outside the arena of {} + {} T + {} B bytes at T = {}, B = {}",
                 arg.offset, arg.offset_t, arg.offset_b, program.arena_bytes, program.arena_bytes_t,
                 program.arena_bytes_b, tokens, sequences);
    }
  }
  return {};
}

Status CheckStep(const Program& program, const Step& step) {
  if (step.kernel >= program.kernels.size()) {
    return Err("kernel {}, expected less than {}", step.kernel, program.kernels.size());
  }
  if (step.first_arg > program.args.size() || step.arg_count > program.args.size() - step.first_arg) {
    return Err("{} arguments from {} on, but the program has {}", step.arg_count, step.first_arg,
               program.args.size());
  }
  if (step.rows >= Rows::kCount) return Err("unknown kind of rows {}", static_cast<int>(step.rows));
  if (step.row_grain < 1 || step.cols < 1 || step.col_grain < 1 || step.work_per_row < 0) {
    return Err("row grain {}, columns {}, column grain {} (each at least 1), work per row {} (at least 0)",
               step.row_grain, step.cols, step.col_grain, step.work_per_row);
  }
  return {};
}

}  // namespace

Status ValidateProgram(const Program& program, int64_t weights_bytes, int64_t file_bytes,
                       int64_t max_tokens) {
  if (program.dims < 1 || program.vocab < 1 || program.context_length < 1) {
    return Err("program: {} dims, vocabulary of {}, context of {} tokens (each at least 1)", program.dims,
               program.vocab, program.context_length);
  }
  if (max_tokens > kMaxBatchTokens) {
    return Err("program: context of {} tokens (at most {})", max_tokens, kMaxBatchTokens);
  }
  if (program.weights_bytes < 0 || program.weights_bytes > weights_bytes) {
    return Err("program: needs {} bytes of packed weights, but there are {}", program.weights_bytes,
               weights_bytes);
  }
  if (program.file_bytes < 0 || program.file_bytes > file_bytes) {
    return Err("program: needs {} bytes of the model file, but it has {}", program.file_bytes, file_bytes);
  }
  if (program.scratch_bytes < 0 || program.scratch_bytes > kMaxScratchBytes) {
    return Err("program: {} bytes of scratch per thread (at most {})", program.scratch_bytes,
               kMaxScratchBytes);
  }
  for (const int64_t tokens : {int64_t{1}, max_tokens}) {
    for (const int64_t sequences : {int64_t{1}, tokens}) {
      int64_t size = 0;
      if (!Evaluate(program.arena_bytes, program.arena_bytes_t, program.arena_bytes_b, tokens, sequences,
                    size) ||
          size < 0) {
        return Err(
            "program: the arena's size, {} + {} T + {} B bytes, overflows or is negative at T = {}, B = {}",
            program.arena_bytes, program.arena_bytes_t, program.arena_bytes_b, tokens, sequences);
      }
    }
  }
  // The error's context is formatted only after an error. To format it per argument would take longer than the checks.
  for (size_t i = 0; i < program.steps.size(); ++i) {
    const Status status = CheckStep(program, program.steps[i]);
    if (!status) return WithContext(fmt::format("program: step {}", i), status);
  }
  for (size_t i = 0; i < program.args.size(); ++i) {
    const Status status = CheckArg(program, program.args[i], weights_bytes, max_tokens);
    if (!status) return WithContext(fmt::format("program: argument {}", i), status);
  }
  return {};
}

}  // namespace ggufc::runtime
