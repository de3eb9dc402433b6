#include "runtime/executor.h"

#include <algorithm>
#include <cfenv>
#include <chrono>
#include <cmath>
#include <cstring>

#include "runtime/cpu_count.h"
#include "support/batch_tables.h"
#include "support/check.h"

namespace ggufc::runtime {
namespace {

constexpr int64_t kAlignment = 64;  // of scratch and of what generated code may assume of arena and weights

int64_t RoundUp(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

// A program that embeds us may run with flushed denormals or another rounding mode; embeddings must not
// depend on it.
class DefaultFloatEnvironment {
 public:
  DefaultFloatEnvironment() {
    std::fegetenv(&before_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~DefaultFloatEnvironment() { std::fesetenv(&before_); }
  DefaultFloatEnvironment(const DefaultFloatEnvironment&) = delete;
  DefaultFloatEnvironment& operator=(const DefaultFloatEnvironment&) = delete;

 private:
  std::fenv_t before_;
};

int64_t Nanoseconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

}  // namespace

// What runs at a time: whole sequences, at most chunk_tokens unless it is a single one.
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
    }
    return 0;
  }
};

// The steps of a chunk as the thread pool sees them.
class Executor::Pass final : public ThreadPool::Work {
 public:
  explicit Pass(Executor& executor) : executor_(executor), last_(Nanoseconds()) {}

  int64_t Steps() const override { return static_cast<int64_t>(executor_.program_.steps.size()); }

  int64_t Items(int64_t step) const override {
    const int64_t* const first = &executor_.first_item_[static_cast<size_t>(step)];
    return first[1] - first[0];
  }

  void Do(int64_t index, int64_t item, int thread) override {
    const Step& step = executor_.program_.steps[static_cast<size_t>(index)];
    const int64_t first = executor_.first_item_[static_cast<size_t>(index)];
    const WorkItem& work = executor_.items_[static_cast<size_t>(first + item)];
    executor_.kernels_[step.kernel](executor_.args_.data() + step.first_arg,
                                    executor_.scratch_.data() + thread * executor_.scratch_stride_, work.r0,
                                    work.r1, work.c0, work.c1);
  }

  void StepDone(int64_t step) override {
    if (!executor_.options_.profile) return;
    const int64_t now = Nanoseconds();
    executor_.stats_.step_nanoseconds[static_cast<size_t>(step)] += now - last_;
    last_ = now;
  }

 private:
  Executor& executor_;
  int64_t last_;  // when the step before ended
};

Result<std::unique_ptr<Executor>> Executor::Create(Program program, std::vector<KernelFn> kernels,
                                                   std::span<const uint8_t> weights,
                                                   std::span<const uint8_t> file,
                                                   const ExecutorOptions& options) {
  if (options.threads < 0 || options.threads > ThreadPool::kMaxThreads) {
    return Err("{} threads (1 to {}, or 0 for all cores)", options.threads, ThreadPool::kMaxThreads);
  }
  if (options.chunk_tokens < 1) return Err("chunks of {} tokens (at least 1)", options.chunk_tokens);
  const int threads = options.threads > 0 ? options.threads : std::min(CpuCount(), ThreadPool::kMaxThreads);

  if (kernels.size() != program.kernels.size()) {
    return Err("program: {} kernels, but {} functions", program.kernels.size(), kernels.size());
  }
  for (size_t i = 0; i < kernels.size(); ++i) {
    if (kernels[i] == nullptr) return Err("program: kernel {} has no code", program.kernels[i]);
  }
  CHECK(reinterpret_cast<uintptr_t>(weights.data()) % kAlignment == 0, "packed weights are not aligned");
  RETURN_IF_ERROR(ValidateProgram(program, static_cast<int64_t>(weights.size()),
                                  static_cast<int64_t>(file.size()),
                                  std::max(options.chunk_tokens, program.context_length)));

  std::unique_ptr<Executor> executor(
      new Executor(std::move(program), std::move(kernels), weights, file, options, threads));
  executor->scratch_stride_ = RoundUp(executor->program_.scratch_bytes, kAlignment);
  ASSIGN_OR_RETURN(executor->scratch_,
                   PageMemory::Allocate(executor->scratch_stride_ * executor->pool_.threads(), "scratch"));
  return executor;
}

Executor::Executor(Program program, std::vector<KernelFn> kernels, std::span<const uint8_t> weights,
                   std::span<const uint8_t> file, const ExecutorOptions& options, int threads)
    : program_(std::move(program)),
      kernels_(std::move(kernels)),
      weights_(weights),
      file_(file),
      options_(options),
      pool_(threads) {
  args_.resize(program_.args.size());
  if (options_.profile) stats_.step_nanoseconds.resize(program_.steps.size());
}

Status Executor::Run(std::span<const int32_t> ids, std::span<const int32_t> lengths, float* out) {
  RETURN_IF_ERROR(CheckBatch(ids, lengths));
  const std::lock_guard lock(mutex_);
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
    RETURN_IF_ERROR(RunChunk(ids.subspan(token, static_cast<size_t>(tokens)),
                             lengths.subspan(begin, end - begin), chunk_out));
    for (size_t i = 0; i < (end - begin) * dims; ++i) {
      if (!std::isfinite(chunk_out[i])) {
        return Err("sequence {}: the embedding is not finite: component {} is {}", begin + i / dims, i % dims,
                   chunk_out[i]);
      }
    }
    begin = end;
    token += static_cast<size_t>(tokens);
  }
  return {};
}

ExecutorStats Executor::stats() const {
  const std::lock_guard lock(mutex_);
  ExecutorStats stats = stats_;
  stats.threads = pool_.threads();
  stats.arena_bytes = arena_.size();
  stats.scratch_bytes = scratch_.size();
  return stats;
}

Status Executor::CheckBatch(std::span<const int32_t> ids, std::span<const int32_t> lengths) const {
  size_t token = 0;
  for (size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] < 1) return Err("sequence {}: {} tokens (at least 1)", i, lengths[i]);
    if (lengths[i] > program_.context_length) {
      return Err("sequence {}: {} tokens (the model takes at most {})", i, lengths[i],
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

Status Executor::RunChunk(std::span<const int32_t> ids, std::span<const int32_t> lengths, float* out) {
  const Chunk chunk{ids, MakeBatchTables(lengths), out};
  RETURN_IF_ERROR(GrowArena(chunk.Rows(Rows::kTokens), chunk.Rows(Rows::kSequences)));
  ResolveArgs(chunk);
  CutSteps(chunk);
  if (options_.poison) Poison(chunk);
  Pass pass(*this);
  pool_.Run(pass);
  stats_.chunks += 1;
  stats_.sequences += chunk.Rows(Rows::kSequences);
  stats_.tokens += chunk.Rows(Rows::kTokens);
  return {};
}

// ValidateProgram has shown that sizes and offsets of any chunk fit int64.
Status Executor::GrowArena(int64_t tokens, int64_t sequences) {
  const int64_t bytes =
      program_.arena_bytes + tokens * program_.arena_bytes_t + sequences * program_.arena_bytes_b;
  if (bytes <= arena_.size()) return {};
  arena_ = PageMemory();  // before the new one, so that both never exist
  ASSIGN_OR_RETURN(arena_, PageMemory::Allocate(bytes, fmt::format("arena for {} tokens", tokens)));
  return {};
}

void Executor::ResolveArgs(const Chunk& chunk) {
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
        return arena_.data() + (arg.offset + tokens * arg.offset_t + sequences * arg.offset_b);
      case ArgKind::kWeight:
        return weights_.data() + arg.offset;
      case ArgKind::kFile:
        return file_.data() + arg.offset;
    }
    return nullptr;
  };
  // Kernels take one kind of pointer for what they read and what they write.
  for (size_t i = 0; i < args_.size(); ++i) args_[i] = const_cast<void*>(pointer(program_.args[i]));
}

void Executor::CutSteps(const Chunk& chunk) {
  items_.clear();
  first_item_.clear();
  for (size_t i = 0; i < program_.steps.size(); ++i) {
    const Step& step = program_.steps[i];
    first_item_.push_back(static_cast<int64_t>(items_.size()));
    if (options_.cut.random()) {
      CutStepRandomly(step, chunk.Rows(step.rows), options_.cut, static_cast<int64_t>(i), items_);
    } else {
      CutStep(step, chunk.Rows(step.rows), pool_.threads(), items_);
    }
  }
  first_item_.push_back(static_cast<int64_t>(items_.size()));
}

void Executor::Poison(const Chunk& chunk) {
  constexpr int kNan = 0xff;  // in every byte: a NaN of each float type, -1 of each integer type
  if (arena_.size() > 0) std::memset(arena_.data(), kNan, static_cast<size_t>(arena_.size()));
  if (scratch_.size() > 0) std::memset(scratch_.data(), kNan, static_cast<size_t>(scratch_.size()));
  std::memset(chunk.out, kNan,
              chunk.tables.sequences.size() * static_cast<size_t>(program_.dims) * sizeof(float));
}

}  // namespace ggufc::runtime
