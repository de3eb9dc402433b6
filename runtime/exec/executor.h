// Runs a Program on batches of token sequences.
//
// A batch is cut into chunks of whole sequences that fit a limit of tokens, so that memory is bounded
// whatever the batch; within a chunk the steps run one after another, each cut into work items for the
// threads (work_items.h). None of this changes a value: that is the contract of generated code.
//
// After fork the child may use and destroy its copy of an executor, whatever the parent's threads were doing with
// it: threads, locks and everything that a pass changes are one object, and the child makes a new one. The copy of
// the old one stays untouched and is never freed, because its threads are not there to be joined and its memory may
// be in the middle of a change: address space, and pages that the parent writes meanwhile.
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
  // Tokens of a chunk; a longer sequence is a chunk of its own. 2048 rows amortise a pass over the weights
  // (they are read once every row_grain rows anyway), and the arena of a 300M model stays at 30 MB.
  int64_t chunk_tokens = 2048;
  bool profile = false;  // measure each step, for ExecutorStats::step_nanoseconds
  // For tests: how to cut, and whether to fill arena, scratch and output with NaNs first, to catch kernels
  // that read what nobody wrote.
  CutOptions cut = {};
  bool poison = false;
};

// A sequence of a batch that has no vector, and why. The message does not name the sequence.
struct BadSequence {
  size_t index = 0;
  Error error;
};

// Sums over all runs so far of this process.
struct ExecutorStats {
  int threads = 1;
  int64_t arena_bytes = 0;    // now
  int64_t scratch_bytes = 0;  // of all threads
  int64_t chunks = 0;
  int64_t sequences = 0;
  int64_t tokens = 0;
  std::vector<int64_t> step_nanoseconds;  // wall time of each of the program's steps; empty without `profile`
};

class Executor {
 public:
  // `kernels`: one function for each of program.kernels. `weights` and `file` must outlive the executor;
  // weights start at a multiple of 64 bytes. Refuses a program that does not fit them, and says what is
  // wrong.
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
  std::atomic<State*> state_{nullptr};  // owned, unless it is the parent's: see above
};

}  // namespace ggufc::runtime
