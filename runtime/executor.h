// Runs a Program on batches of token sequences.
//
// A batch is cut into chunks of whole sequences that fit a limit of tokens, so that memory is bounded
// whatever the batch; within a chunk the steps run one after another, each cut into work items for the
// threads (work_items.h). None of this changes a value: that is the contract of generated code.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "runtime/memory.h"
#include "runtime/program.h"
#include "runtime/thread_pool.h"
#include "runtime/work_items.h"
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

// Sums over all runs so far.
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

  // `ids`: all sequences, one after another; `lengths`: tokens of each. Writes lengths.size() x dims floats,
  // row-major. An id outside the vocabulary, a length of 0 or above the context length, an embedding that is
  // not finite: the error names the sequence by its index. `out` is unspecified after an error. May be called
  // from several threads: they take turns.
  Status Run(std::span<const int32_t> ids, std::span<const int32_t> lengths, float* out);

  const Program& program() const { return program_; }
  ExecutorStats stats() const;

 private:
  struct Chunk;
  class Pass;

  Executor(Program program, std::vector<KernelFn> kernels, std::span<const uint8_t> weights,
           std::span<const uint8_t> file, const ExecutorOptions& options, int threads);

  Status CheckBatch(std::span<const int32_t> ids, std::span<const int32_t> lengths) const;
  Status RunChunk(std::span<const int32_t> ids, std::span<const int32_t> lengths, float* out);
  Status GrowArena(int64_t tokens, int64_t sequences);
  void CutSteps(const Chunk& chunk);
  void ResolveArgs(const Chunk& chunk);
  void Poison(const Chunk& chunk);

  const Program program_;
  const std::vector<KernelFn> kernels_;
  const std::span<const uint8_t> weights_, file_;
  const ExecutorOptions options_;
  ThreadPool pool_;
  int64_t scratch_stride_ = 0;
  PageMemory scratch_;

  mutable std::mutex mutex_;  // guards what follows, and the pool and the scratch
  PageMemory arena_;
  std::vector<void*> args_;          // program_.args of the chunk that runs
  std::vector<WorkItem> items_;      // of all steps
  std::vector<int64_t> first_item_;  // of each step, and the end
  ExecutorStats stats_;
};

}  // namespace ggufc::runtime
