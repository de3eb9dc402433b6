#include "runtime/exec/executor.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <mutex>

#include "runtime/exec/fair_mutex.h"
#include "runtime/exec/memory.h"
#include "runtime/exec/thread_pool.h"
#include "runtime/sys/cpu_count.h"
#include "runtime/sys/float_environment.h"
#include "runtime/sys/fork_count.h"
#include "support/batch_tables.h"
#include "support/check.h"

namespace ggufc::runtime {
namespace {

constexpr int64_t kAlignment = 64;  // of scratch, arena and weights: generated code assumes it

int64_t RoundUp(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

int64_t Nanoseconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

Status CheckFinite(std::span<const float> embedding) {
  for (size_t i = 0; i < embedding.size(); ++i) {
    if (std::isfinite(embedding[i])) continue;
    return Err(ErrorKind::kNotFinite, "the embedding is not finite: component {} is {}", i, embedding[i]);
  }
  return {};
}

}  // namespace

// The sequences that run at a time: at most chunk_tokens tokens, unless it is a single sequence.
struct Executor::Chunk {
  std::span<const int32_t> ids;
  BatchTables tables;
  float* out;

  int64_t Rows(Rows rows) const {
    switch (rows) {
      case Rows::kTokens:
        return tables.tokens;
      case Rows::kSequences:
        return static_cast<int64_t>(tables.sequences.size());
      case Rows::kQueryTiles:
        return static_cast<int64_t>(tables.query_tiles.size());
      case Rows::kCount:
        break;
    }
    return 0;
  }
};

// Belongs to one process: its threads, and everything that they change.
struct Executor::State {
  explicit State(int threads) : pool(threads) {}

  const uint64_t fork_count = ForkCount();
  ThreadPool pool;
  PageMemory scratch;
  int64_t scratch_stride = 0;

  FairMutex mutex;  // guards the members below, and the use of pool and scratch
  PageMemory arena;
  std::vector<void*> args;          // Program::args of the running chunk
  std::vector<WorkItem> items;      // of all steps
  std::vector<int64_t> first_item;  // per step, then items.size()
  ExecutorStats stats;
};

// The steps of a chunk as work for the thread pool.
class Executor::Pass final : public ThreadPool::Work {
 public:
  Pass(const Executor& executor, State& state) : executor_(executor), state_(state), last_(Nanoseconds()) {}

  int64_t Steps() const override { return static_cast<int64_t>(executor_.program_.steps.size()); }

  int64_t Items(int64_t step) const override {
    const int64_t* const first = &state_.first_item[static_cast<size_t>(step)];
    return first[1] - first[0];
  }

  void Do(int64_t index, int64_t item, int thread) override {
    const Step& step = executor_.program_.steps[static_cast<size_t>(index)];
    const int64_t first = state_.first_item[static_cast<size_t>(index)];
    const WorkItem& work = state_.items[static_cast<size_t>(first + item)];
    executor_.kernels_[step.kernel](state_.args.data() + step.first_arg,
                                    state_.scratch.data() + thread * state_.scratch_stride, work.r0, work.r1,
                                    work.c0, work.c1);
  }

  void StepDone(int64_t step) override {
    if (!executor_.options_.profile) return;
    const int64_t now = Nanoseconds();
    state_.stats.step_nanoseconds[static_cast<size_t>(step)] += now - last_;
    last_ = now;
  }

 private:
  const Executor& executor_;
  State& state_;
  int64_t last_;  // end of the previous step
};

Result<std::unique_ptr<Executor>> Executor::Create(Program program, std::vector<KernelFn> kernels,
                                                   std::span<const uint8_t> weights,
                                                   std::span<const uint8_t> file,
                                                   const ExecutorOptions& options) {
  if (options.threads < 0 || options.threads > ThreadPool::kMaxThreads) {
    return Err("{} threads (1 to {}, or 0 for all cores)", options.threads, ThreadPool::kMaxThreads);
  }
  if (options.chunk_tokens < 1 || options.chunk_tokens > kMaxBatchTokens) {
    return Err("chunks of {} tokens (1 to {})", options.chunk_tokens, kMaxBatchTokens);
  }
  const int threads = options.threads > 0 ? options.threads : std::min(CpuCount(), ThreadPool::kMaxThreads);

  if (kernels.size() != program.kernels.size()) {
    return Err(ErrorKind::kBadFile, "program: {} kernels, but {} functions", program.kernels.size(),
               kernels.size());
  }
  for (size_t i = 0; i < kernels.size(); ++i) {
    if (kernels[i] == nullptr)
      return Err(ErrorKind::kBadFile, "program: kernel {} has no code", program.kernels[i]);
  }
  CHECK(reinterpret_cast<uintptr_t>(weights.data()) % kAlignment == 0, "packed weights are not aligned");
  RETURN_IF_ERROR(WithKind(
      ErrorKind::kBadFile,
      ValidateProgram(program, static_cast<int64_t>(weights.size()), static_cast<int64_t>(file.size()),
                      std::max(options.chunk_tokens, program.context_length))));
  RETURN_IF_ERROR(WatchForks());

  std::unique_ptr<Executor> executor(
      new Executor(std::move(program), std::move(kernels), weights, file, options, threads));
  ASSIGN_OR_RETURN(std::unique_ptr<State> state, executor->MakeState());
  executor->state_ = state.release();
  return executor;
}

Executor::Executor(Program program, std::vector<KernelFn> kernels, std::span<const uint8_t> weights,
                   std::span<const uint8_t> file, const ExecutorOptions& options, int threads)
    : program_(std::move(program)),
      kernels_(std::move(kernels)),
      weights_(weights),
      file_(file),
      options_(options),
      threads_(threads) {}

Executor::~Executor() {
  State* const state = state_.load();
  if (state != nullptr && state->fork_count == ForkCount()) delete state;
}

Result<std::unique_ptr<Executor::State>> Executor::MakeState() const {
  auto state = std::make_unique<State>(threads_);
  state->scratch_stride = RoundUp(program_.scratch_bytes, kAlignment);
  ASSIGN_OR_RETURN(state->scratch,
                   PageMemory::Allocate(state->scratch_stride * state->pool.threads(), "scratch"));
  state->args.resize(program_.args.size());
  if (options_.profile) state->stats.step_nanoseconds.resize(program_.steps.size());
  return state;
}

// No lock can guard this, because a thread of the parent may have held it during fork.
Result<Executor::State*> Executor::CurrentState() {
  State* state = state_.load(std::memory_order_acquire);
  if (state->fork_count == ForkCount()) return state;
  ASSIGN_OR_RETURN(std::unique_ptr<State> fresh, MakeState());
  // If another thread of the child was faster, `state` becomes the State that it made.
  if (state_.compare_exchange_strong(state, fresh.get(), std::memory_order_acq_rel)) state = fresh.release();
  return state;
}

Status Executor::Run(std::span<const int32_t> ids, std::span<const int32_t> lengths, float* out,
                     std::vector<BadSequence>* not_finite) {
  RETURN_IF_ERROR(CheckBatch(ids, lengths));
  ASSIGN_OR_RETURN(State* const state, CurrentState());
  const std::lock_guard lock(state->mutex);
  const DefaultFloatEnvironment environment;
  const auto dims = static_cast<size_t>(program_.dims);
  size_t token = 0;
  for (size_t begin = 0; begin < lengths.size();) {
    size_t end = begin;
    int64_t tokens = 0;
    while (end < lengths.size() && (end == begin || tokens + lengths[end] <= options_.chunk_tokens)) {
      tokens += lengths[end++];
    }
    float* const chunk_out = out + begin * dims;
    RETURN_IF_ERROR(RunChunk(*state, ids.subspan(token, static_cast<size_t>(tokens)),
                             lengths.subspan(begin, end - begin), chunk_out));
    for (size_t i = begin; i < end; ++i) {
      const Status finite = CheckFinite({out + i * dims, dims});
      if (finite) continue;
      if (not_finite == nullptr) return WithContext(fmt::format("sequence {}", i), finite);
      not_finite->push_back({i, finite.error()});
    }
    begin = end;
    token += static_cast<size_t>(tokens);
  }
  return {};
}

int Executor::threads() const {
  const State* const state = state_.load(std::memory_order_acquire);
  return state->fork_count == ForkCount() ? state->pool.threads() : threads_;
}

ExecutorStats Executor::stats() const {
  State* const state = state_.load(std::memory_order_acquire);
  // In a child that has not run anything the state is a copy of the parent's, whose lock may never be released.
  if (state->fork_count != ForkCount()) return {.threads = threads_, .step_nanoseconds = {}};
  const std::lock_guard lock(state->mutex);
  ExecutorStats stats = state->stats;
  stats.threads = state->pool.threads();
  stats.arena_bytes = state->arena.size();
  stats.scratch_bytes = state->scratch.size();
  return stats;
}

Status Executor::CheckBatch(std::span<const int32_t> ids, std::span<const int32_t> lengths) const {
  size_t token = 0;
  for (size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] < 1) return Err("sequence {}: {} tokens (at least 1)", i, lengths[i]);
    if (lengths[i] > program_.context_length) {
      return Err(ErrorKind::kTooLong, "sequence {}: {} tokens (the model takes at most {})", i, lengths[i],
                 program_.context_length);
    }
    const auto length = static_cast<size_t>(lengths[i]);
    if (length > ids.size() - token) {
      return Err("sequence {}: {} tokens, but {} ids are left of {}", i, length, ids.size() - token,
                 ids.size());
    }
    for (size_t j = 0; j < length; ++j) {
      const int32_t id = ids[token + j];
      if (id < 0 || id >= program_.vocab) {
        return Err("sequence {}: token {}: id {} is not in the vocabulary of {}", i, j, id, program_.vocab);
      }
    }
    token += length;
  }
  if (token != ids.size()) return Err("{} ids, but the sequences have {} tokens", ids.size(), token);
  return {};
}

Status Executor::RunChunk(State& state, std::span<const int32_t> ids, std::span<const int32_t> lengths,
                          float* out) const {
  const Chunk chunk{ids, MakeBatchTables(lengths), out};
  RETURN_IF_ERROR(GrowArena(state, chunk.Rows(Rows::kTokens), chunk.Rows(Rows::kSequences)));
  ResolveArgs(state, chunk);
  CutSteps(state, chunk);
  if (options_.poison) Poison(state, chunk);
  Pass pass(*this, state);
  state.pool.Run(pass);
  state.stats.chunks += 1;
  state.stats.sequences += chunk.Rows(Rows::kSequences);
  state.stats.tokens += chunk.Rows(Rows::kTokens);
  return {};
}

// ValidateProgram has shown that sizes and offsets of any chunk fit int64.
Status Executor::GrowArena(State& state, int64_t tokens, int64_t sequences) const {
  const int64_t bytes =
      program_.arena_bytes + tokens * program_.arena_bytes_t + sequences * program_.arena_bytes_b;
  if (bytes <= state.arena.size()) return {};
  state.arena = PageMemory();  // freed first, so that the old and the new arena never exist together
  ASSIGN_OR_RETURN(state.arena, PageMemory::Allocate(bytes, fmt::format("arena for {} tokens", tokens)));
  return {};
}

void Executor::ResolveArgs(State& state, const Chunk& chunk) const {
  const int64_t tokens = chunk.Rows(Rows::kTokens), sequences = chunk.Rows(Rows::kSequences);
  const auto pointer = [&](const Arg& arg) -> const void* {
    switch (arg.kind) {
      case ArgKind::kIds:
        return chunk.ids.data();
      case ArgKind::kPositions:
        return chunk.tables.positions.data();
      case ArgKind::kKeySlots:
        return chunk.tables.key_slots.data();
      case ArgKind::kSequences:
        return chunk.tables.sequences.data();
      case ArgKind::kQueryTiles:
        return chunk.tables.query_tiles.data();
      case ArgKind::kOutput:
        return chunk.out;
      case ArgKind::kArena:
        return state.arena.data() + (arg.offset + tokens * arg.offset_t + sequences * arg.offset_b);
      case ArgKind::kWeight:
        return weights_.data() + arg.offset;
      case ArgKind::kFile:
        return file_.data() + arg.offset;
    }
    return nullptr;
  };
  // Kernels take pointers of one type for inputs and outputs.
  for (size_t i = 0; i < state.args.size(); ++i) state.args[i] = const_cast<void*>(pointer(program_.args[i]));
}

void Executor::CutSteps(State& state, const Chunk& chunk) const {
  state.items.clear();
  state.first_item.clear();
  for (size_t i = 0; i < program_.steps.size(); ++i) {
    const Step& step = program_.steps[i];
    state.first_item.push_back(static_cast<int64_t>(state.items.size()));
    if (options_.cut.random()) {
      CutStepRandomly(step, chunk.Rows(step.rows), options_.cut, static_cast<int64_t>(i), state.items);
    } else {
      CutStep(step, chunk.Rows(step.rows), state.pool.threads(), state.items);
    }
  }
  state.first_item.push_back(static_cast<int64_t>(state.items.size()));
}

void Executor::Poison(State& state, const Chunk& chunk) const {
  constexpr int kNan = 0xff;  // in every byte: a NaN of each float type, -1 of each integer type
  if (state.arena.size() > 0) std::memset(state.arena.data(), kNan, static_cast<size_t>(state.arena.size()));
  if (state.scratch.size() > 0)
    std::memset(state.scratch.data(), kNan, static_cast<size_t>(state.scratch.size()));
  std::memset(chunk.out, kNan,
              chunk.tables.sequences.size() * static_cast<size_t>(program_.dims) * sizeof(float));
}

}  // namespace ggufc::runtime
