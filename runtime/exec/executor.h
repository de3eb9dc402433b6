// Runs a Program on batches of token sequences.
//
// A batch is cut into chunks of whole sequences within a limit of tokens, so that memory is bounded for any batch. The
// steps of a chunk run one after another, each cut into work items for the threads (work_items.h). Cuts change no
// value: that is the contract of generated code.
//
// After fork the child may use and destroy its copy of an executor, whatever the parent's threads were doing with it.
// Threads, locks and everything that a pass changes are in one State, and the child makes a new one. The child never
// touches or frees its copy of the old State, because the threads do not exist there and the memory may be in the
// middle of a change. That costs address space, and copies of the pages that the parent writes later.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "runtime/exec/program.h"
#include "runtime/exec/work_items.h"
#include "support/result.h"

namespace ggufc::runtime {

struct ExecutorOptions {
  int threads = 0;  // 0: as many as CpuCount() says; at most ThreadPool::kMaxThreads
  // Maximum tokens per chunk; a longer sequence is a chunk of its own. 2048 rows amortise a pass over the weights,
  // which are read once per row_grain rows anyway, and keep the arena of a model of 300M parameters at 30 MB.
  int64_t chunk_tokens = 2048;
  bool profile = false;  // measure each step: ExecutorStats::step_nanoseconds
  // For tests: how to cut steps, and whether to fill arena, scratch and output with NaNs first, which catches kernels
  // that read memory before it is written.
  CutOptions cut = {};
  bool poison = false;
};

// A sequence of a batch that has no vector, and why. The message does not name the sequence.
struct BadSequence {
  size_t index = 0;
  Error error;
};

// Sums over all runs of this process so far.
struct ExecutorStats {
  int threads = 1;
  int64_t arena_bytes = 0;    // now
  int64_t scratch_bytes = 0;  // of all threads
  int64_t chunks = 0;
  int64_t sequences = 0;
  int64_t tokens = 0;
  std::vector<int64_t> step_nanoseconds;  // wall time per step of the program; empty without `profile`
};

class Executor {
 public:
  // `kernels`: one function per entry of program.kernels. `weights` and `file` must outlive the executor; weights are
  // aligned to 64 bytes. Fails if the program does not fit them.
  static Result<std::unique_ptr<Executor>> Create(Program program, std::vector<KernelFn> kernels,
                                                  std::span<const uint8_t> weights,
                                                  std::span<const uint8_t> file,
                                                  const ExecutorOptions& options);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // `ids`: all sequences, one after another; `lengths`: tokens of each. Writes lengths.size() x dims floats,
  // row-major. An id outside the vocabulary, a length of 0 or above the context length, an embedding that is
  // not finite: the error names the sequence by its index. `out` is unspecified after an error. May be called
  // from several threads: they take turns.
  //
  // With `not_finite` an embedding that is not finite is no error: its sequence is added there, in rising order, and
  // all others are computed, to the same bits as without it.
  Status Run(std::span<const int32_t> ids, std::span<const int32_t> lengths, float* out,
             std::vector<BadSequence>* not_finite = nullptr);

  const Program& program() const { return program_; }
  int64_t chunk_tokens() const { return options_.chunk_tokens; }
  int threads() const;  // that a pass runs on
  ExecutorStats stats() const;

 private:
  struct Chunk;
  struct State;
  class Pass;

  Executor(Program program, std::vector<KernelFn> kernels, std::span<const uint8_t> weights,
           std::span<const uint8_t> file, const ExecutorOptions& options, int threads);

  Result<std::unique_ptr<State>> MakeState() const;
  Result<State*> CurrentState();
  Status CheckBatch(std::span<const int32_t> ids, std::span<const int32_t> lengths) const;
  Status RunChunk(State& state, std::span<const int32_t> ids, std::span<const int32_t> lengths,
                  float* out) const;
  Status GrowArena(State& state, int64_t tokens, int64_t sequences) const;
  void CutSteps(State& state, const Chunk& chunk) const;
  void ResolveArgs(State& state, const Chunk& chunk) const;
  void Poison(State& state, const Chunk& chunk) const;

  const Program program_;
  const std::vector<KernelFn> kernels_;
  const std::span<const uint8_t> weights_, file_;
  const ExecutorOptions options_;
  const int threads_;
  std::atomic<State*> state_{nullptr};  // owned, unless it is the copy of a parent process's: see above
};

}  // namespace ggufc::runtime
