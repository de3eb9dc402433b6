// A small model in plain C++: three steps over tokens, query tiles and sequences, each reading what all items
// of the step before wrote. Its values are small integers, so every order and cut gives them exactly.
#include "runtime/exec/executor.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cfenv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "runtime/exec/memory.h"
#include "support/batch_tables.h"

namespace ggufc::runtime {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kCols = 6;
constexpr int64_t kDims = 4;
constexpr int64_t kVocab = 1000;
constexpr int64_t kContext = 70;
constexpr int32_t kBadId = 666;    // the model's answer to it is infinite
constexpr int32_t kTinyId = 777;   // and to this one denormal
constexpr int64_t kScratch = 100;  // not a multiple of 64

struct Call {
  int step;
  int64_t r0, r1, c0, c1;
  int64_t distance;  // of two arena arguments, in bytes
};

// What the kernels saw. They find it through their first argument, a place in the "model file".
struct Record {
  std::mutex mutex;
  std::vector<Call> calls;
  std::set<void*> scratches, scratches_in_use;
  std::set<std::thread::id> threads;
  std::vector<std::string> errors;
  // Calls of the last step wait for each other until so many are in it, each on its own thread.
  int meet = 0;
  std::atomic<int> met{0};
};

class Entry {
 public:
  Entry(int step, void* const* args, void* scratch, int64_t r0, int64_t r1, int64_t c0, int64_t c1,
        int64_t distance = 0)
      : step_(step), scratch_(scratch) {
    std::memcpy(&record_, args[0], sizeof(record_));
    const std::lock_guard lock(record_->mutex);
    record_->calls.push_back({step, r0, r1, c0, c1, distance});
    record_->threads.insert(std::this_thread::get_id());
    record_->scratches.insert(scratch);
    if (!record_->scratches_in_use.insert(scratch).second) record_->errors.push_back("scratch is shared");
    if (reinterpret_cast<uintptr_t>(scratch) % 64 != 0) record_->errors.push_back("scratch is not aligned");
    if (r0 >= r1 || c0 >= c1) record_->errors.push_back("an empty item");
    std::memset(scratch, step, kScratch);
  }
  ~Entry() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    if (step_ == 2) ++record_->met;
    while (step_ == 2 && record_->met < record_->meet && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    const std::lock_guard lock(record_->mutex);
    record_->scratches_in_use.erase(scratch_);
  }

 private:
  int step_;
  Record* record_;
  void* scratch_;
};

// x[t][c] = id + 3 position + weight[c]
void LookUp(void* const* args, void* scratch, int64_t r0, int64_t r1, int64_t c0, int64_t c1) {
  const Entry entry(0, args, scratch, r0, r1, c0, c1);
  const auto* ids = static_cast<const int32_t*>(args[1]);
  const auto* positions = static_cast<const int32_t*>(args[2]);
  const auto* weight = static_cast<const float*>(args[3]);
  auto* x = static_cast<float*>(args[4]);
  for (int64_t t = r0; t < r1; ++t) {
    for (int64_t c = c0; c < c1; ++c) {
      x[t * kCols + c] = static_cast<float>(ids[t] + 3 * positions[t]) + weight[c];
      if (ids[t] == kBadId) x[t * kCols + c] = INFINITY;
    }
  }
}

// y[t][c] = x[t][c] + sum over the sequence of x[.][c] mod 1024
void Attend(void* const* args, void* scratch, int64_t r0, int64_t r1, int64_t c0, int64_t c1) {
  const int64_t distance = static_cast<const char*>(args[3]) - static_cast<const char*>(args[2]);
  const Entry entry(1, args, scratch, r0, r1, c0, c1, distance);
  const auto* tiles = static_cast<const QueryTileEntry*>(args[1]);
  const auto* x = static_cast<const float*>(args[2]);
  auto* y = static_cast<float*>(args[3]);
  for (int64_t r = r0; r < r1; ++r) {
    const QueryTileEntry& tile = tiles[r];
    const int32_t end = std::min(tile.first_query + kQueryTile, tile.length);
    for (int64_t c = c0; c < c1; ++c) {
      float sum = 0;
      for (int32_t j = 0; j < tile.length; ++j) sum += x[(tile.first_token + j) * kCols + c];
      sum = std::isfinite(sum) ? std::fmod(sum, 1024.0f) : sum;
      for (int32_t q = tile.first_query; q < end; ++q) {
        const int64_t t = tile.first_token + q;
        y[t * kCols + c] = x[t * kCols + c] + sum;
      }
    }
  }
}

// out[b][d] = sum over the sequence of y[.][d] + y[.][d + 2]; denormal after kTinyId
void Pool(void* const* args, void* scratch, int64_t r0, int64_t r1, int64_t c0, int64_t c1) {
  const Entry entry(2, args, scratch, r0, r1, c0, c1);
  const auto* ids = static_cast<const int32_t*>(args[1]);
  const auto* sequences = static_cast<const SequenceEntry*>(args[2]);
  const auto* y = static_cast<const float*>(args[3]);
  auto* out = static_cast<float*>(args[4]);
  for (int64_t b = r0; b < r1; ++b) {
    for (int64_t d = 0; d < kDims; ++d) {
      float sum = 0;
      for (int32_t i = 0; i < sequences[b].length; ++i) {
        const float* row = y + (sequences[b].first_token + i) * kCols;
        sum += row[d] + row[d + 2];
      }
      if (ids[sequences[b].first_token] == kTinyId) {
        volatile float tiny = std::numeric_limits<float>::min();
        sum = tiny * 0.25f;
      }
      out[b * kDims + d] = sum;
    }
  }
}

float Weight(int64_t c) { return static_cast<float>(10 * c + 1); }

std::vector<float> Reference(std::span<const int32_t> ids) {
  std::vector<float> out(kDims);
  const auto length = static_cast<int64_t>(ids.size());
  const auto x = [&](int64_t t, int64_t c) {
    return static_cast<float>(ids[static_cast<size_t>(t)] + 3 * t) + Weight(c);
  };
  const auto y_sum = [&](int64_t c) {
    float sum = 0, total = 0;
    for (int64_t t = 0; t < length; ++t) sum += x(t, c);
    for (int64_t t = 0; t < length; ++t) total += x(t, c) + std::fmod(sum, 1024.0f);
    return total;
  };
  for (int64_t d = 0; d < kDims; ++d) out[static_cast<size_t>(d)] = y_sum(d) + y_sum(d + 2);
  if (ids[0] == kTinyId) out.assign(kDims, std::numeric_limits<float>::min() / 4);
  return out;
}

struct Batch {
  std::vector<int32_t> ids, lengths;

  void Add(std::vector<int32_t> sequence) {
    lengths.push_back(static_cast<int32_t>(sequence.size()));
    ids.insert(ids.end(), sequence.begin(), sequence.end());
  }
  static Batch Random(int64_t sequences, uint64_t seed) {
    std::mt19937_64 random(seed);
    Batch batch;
    for (int64_t i = 0; i < sequences; ++i) {
      std::vector<int32_t> ids(1 + random() % kContext);
      for (int32_t& id : ids) id = static_cast<int32_t>(random() % 600);
      batch.Add(ids);
    }
    return batch;
  }
  std::vector<float> Expected() const {
    std::vector<float> all;
    size_t token = 0;
    for (const int32_t length : lengths) {
      const auto one = Reference(std::span(ids).subspan(token, static_cast<size_t>(length)));
      all.insert(all.end(), one.begin(), one.end());
      token += static_cast<size_t>(length);
    }
    return all;
  }
};

class Model {
 public:
  Model() {
    program.kernels = {"look_up", "attend", "pool"};
    program.dims = kDims;
    program.vocab = kVocab;
    program.context_length = kContext;
    program.scratch_bytes = kScratch;
    program.weights_bytes = 64 + kCols * 4;
    program.file_bytes = sizeof(file);
    // x at 0, y behind it, and a hole whose size depends on the sequences.
    program.arena_bytes = 64;
    program.arena_bytes_t = 2 * kCols * 4;
    program.arena_bytes_b = 32;
    const Arg record{ArgKind::kFile, 24};
    const Arg x{ArgKind::kArena, 64};
    const Arg y{ArgKind::kArena, 64, kCols * 4, 32};
    AddStep(0, Rows::kTokens, kCols, 5,
            {record, {ArgKind::kIds}, {ArgKind::kPositions}, {ArgKind::kWeight, 64}, x});
    AddStep(1, Rows::kQueryTiles, kCols, 1, {record, {ArgKind::kQueryTiles}, x, y});
    AddStep(2, Rows::kSequences, 1, 3,
            {record, {ArgKind::kIds}, {ArgKind::kSequences}, y, {ArgKind::kOutput}});
    auto memory = PageMemory::Allocate(program.weights_bytes, "weights");
    weights = std::move(*memory);
    for (int64_t c = 0; c < kCols; ++c) {
      const float weight = Weight(c);
      std::memcpy(weights.data() + 64 + c * 4, &weight, 4);
    }
    Record* pointer = &record_;
    std::memcpy(file + 24, &pointer, sizeof(pointer));
  }

  void AddStep(uint32_t kernel, Rows rows, int64_t cols, int64_t row_grain, const std::vector<Arg>& args) {
    Step step;
    step.kernel = kernel;
    step.first_arg = static_cast<uint32_t>(program.args.size());
    step.arg_count = static_cast<uint32_t>(args.size());
    step.rows = rows;
    step.cols = cols;
    step.row_grain = row_grain;
    program.steps.push_back(step);
    program.args.insert(program.args.end(), args.begin(), args.end());
  }

  Result<std::unique_ptr<Executor>> TryMake(const ExecutorOptions& options) {
    return Executor::Create(program, {LookUp, Attend, Pool}, weights.bytes(), file, options);
  }
  std::unique_ptr<Executor> Make(const ExecutorOptions& options) {
    auto executor = TryMake(options);
    if (!executor) {
      ADD_FAILURE() << executor.error().message;
      return nullptr;
    }
    return std::move(*executor);
  }

  Program program;
  PageMemory weights;
  uint8_t file[32] = {};
  Record& record() { return record_; }

 private:
  Record record_;
};

// Each step's cells were given to kernels exactly once in every chunk, and no step began before the one
// before ended.
void ExpectEveryCellOnce(const Record& record, const std::vector<std::vector<int32_t>>& chunks) {
  EXPECT_THAT(record.errors, ::testing::IsEmpty());
  // One call of a kernel a step, so a chunk is the stretch of calls until the step number falls.
  std::vector<std::map<int, std::vector<Call>>> seen;
  int last = 3;
  for (const Call& call : record.calls) {
    if (call.step < last && (seen.empty() || last == 2 || last == 3)) seen.emplace_back();
    ASSERT_FALSE(call.step < last && last == 1) << "a step began before the last one ended";
    last = call.step;
    seen.back()[call.step].push_back(call);
  }
  ASSERT_EQ(seen.size(), chunks.size());
  for (size_t i = 0; i < chunks.size(); ++i) {
    const BatchTables tables = MakeBatchTables(chunks[i]);
    const int64_t rows[] = {tables.tokens, static_cast<int64_t>(tables.query_tiles.size()),
                            static_cast<int64_t>(tables.sequences.size())};
    for (int step = 0; step < 3; ++step) {
      const int64_t cols = step == 2 ? 1 : kCols;
      std::vector<int> cells(static_cast<size_t>(rows[step] * cols));
      for (const Call& call : seen[i][step]) {
        if (step == 1) {
          EXPECT_EQ(call.distance, tables.tokens * kCols * 4 + 32 * rows[2]);
        }
        ASSERT_TRUE(0 <= call.r0 && call.r1 <= rows[step] && 0 <= call.c0 && call.c1 <= cols);
        for (int64_t r = call.r0; r < call.r1; ++r) {
          for (int64_t c = call.c0; c < call.c1; ++c) ++cells[static_cast<size_t>(r * cols + c)];
        }
      }
      EXPECT_TRUE(std::all_of(cells.begin(), cells.end(), [](int n) { return n == 1; }))
          << "chunk " << i << " step " << step;
    }
  }
}

std::vector<std::vector<int32_t>> Chunks(const std::vector<int32_t>& lengths, int64_t limit) {
  std::vector<std::vector<int32_t>> chunks;
  int64_t tokens = 0;
  for (const int32_t length : lengths) {
    if (chunks.empty() || tokens + length > limit) {
      chunks.emplace_back();
      tokens = 0;
    }
    chunks.back().push_back(length);
    tokens += length;
  }
  return chunks;
}

void RunAndCheck(Model& model, const ExecutorOptions& options, const Batch& batch) {
  const auto executor = model.Make(options);
  ASSERT_NE(executor, nullptr);
  std::vector<float> out(batch.lengths.size() * kDims);
  const Status status = executor->Run(batch.ids, batch.lengths, out.data());
  ASSERT_TRUE(status.has_value()) << status.error().message;
  EXPECT_EQ(out, batch.Expected());
  ExpectEveryCellOnce(model.record(), Chunks(batch.lengths, options.chunk_tokens));
  EXPECT_LE(model.record().scratches.size(), static_cast<size_t>(options.threads));
  EXPECT_LE(model.record().threads.size(), static_cast<size_t>(options.threads));
}

TEST(ExecutorTest, EveryCellOnceForManyBatchesAndThreads) {
  for (const int threads : {1, 2, 3, 8, 16}) {
    for (const int64_t sequences : {1, 2, 3, 17, 60}) {
      for (uint64_t seed = 0; seed < 3; ++seed) {
        SCOPED_TRACE(fmt::format("threads {} sequences {} seed {}", threads, sequences, seed));
        Model model;
        ExecutorOptions options;
        options.threads = threads;
        options.poison = seed != 0;
        RunAndCheck(model, options, Batch::Random(sequences, seed));
      }
    }
  }
}

TEST(ExecutorTest, EveryCellOnceForRandomCuts) {
  for (const int threads : {1, 4}) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      SCOPED_TRACE(fmt::format("threads {} seed {}", threads, seed));
      Model model;
      ExecutorOptions options;
      options.threads = threads;
      options.poison = true;
      options.cut = {.max_rows = static_cast<int64_t>(1 + seed % 7), .max_cols = 2, .seed = seed};
      RunAndCheck(model, options, Batch::Random(static_cast<int64_t>(1 + seed), seed));
      EXPECT_GT(model.record().calls.size(), 3u);
    }
  }
}

TEST(ExecutorTest, ChunksOfWholeSequences) {
  const Batch batch = Batch::Random(50, 9);
  for (const int64_t limit : {1, 40, 100, 500}) {
    SCOPED_TRACE(fmt::format("chunks of {} tokens", limit));
    Model model;
    ExecutorOptions options;
    options.threads = 2;
    options.chunk_tokens = limit;
    options.poison = true;
    RunAndCheck(model, options, batch);
  }
}

TEST(ExecutorTest, MemoryIsBoundedAndReused) {
  Model model;
  ExecutorOptions options;
  options.threads = 1;
  options.chunk_tokens = 100;
  const auto executor = model.Make(options);
  ASSERT_NE(executor, nullptr);
  EXPECT_EQ(executor->stats().arena_bytes, 0);
  int64_t tokens = 0, sequences = 0;
  for (const int64_t size : {1, 500, 3, 200}) {
    const Batch batch = Batch::Random(size, 3);
    std::vector<float> out(batch.lengths.size() * kDims);
    ASSERT_TRUE(executor->Run(batch.ids, batch.lengths, out.data()).has_value());
    EXPECT_EQ(out, batch.Expected());
    tokens += static_cast<int64_t>(batch.ids.size());
    sequences += size;
    EXPECT_LE(executor->stats().arena_bytes, 64 + 100 * (2 * kCols * 4 + 32));
  }
  const ExecutorStats stats = executor->stats();
  EXPECT_EQ(stats.tokens, tokens);
  EXPECT_EQ(stats.sequences, sequences);
  EXPECT_GT(stats.chunks, 4);
  EXPECT_EQ(stats.threads, 1);
  EXPECT_EQ(stats.scratch_bytes, 128);
  EXPECT_TRUE(stats.step_nanoseconds.empty());
}

TEST(ExecutorTest, EmptyBatch) {
  Model model;
  const auto executor = model.Make({.threads = 2});
  ASSERT_NE(executor, nullptr);
  EXPECT_TRUE(executor->Run({}, {}, nullptr).has_value());
  EXPECT_TRUE(model.record().calls.empty());
}

TEST(ExecutorTest, ProfileAddsUp) {
  Model model;
  const auto executor = model.Make({.threads = 2, .profile = true});
  ASSERT_NE(executor, nullptr);
  const Batch batch = Batch::Random(40, 1);
  std::vector<float> out(batch.lengths.size() * kDims);
  ASSERT_TRUE(executor->Run(batch.ids, batch.lengths, out.data()).has_value());
  const std::vector<int64_t> first = executor->stats().step_nanoseconds;
  ASSERT_EQ(first.size(), 3u);
  for (const int64_t ns : first) EXPECT_GT(ns, 0);
  ASSERT_TRUE(executor->Run(batch.ids, batch.lengths, out.data()).has_value());
  const std::vector<int64_t> second = executor->stats().step_nanoseconds;
  for (size_t i = 0; i < 3; ++i) EXPECT_GT(second[i], first[i]);
}

TEST(ExecutorTest, ConcurrentCallersTakeTurns) {
  Model model;
  const auto executor = model.Make({.threads = 3});
  ASSERT_NE(executor, nullptr);
  std::vector<std::thread> callers;
  std::vector<int> good(6);
  for (size_t i = 0; i < good.size(); ++i) {
    callers.emplace_back([&, i] {
      for (uint64_t round = 0; round < 10; ++round) {
        const Batch batch = Batch::Random(static_cast<int64_t>(1 + i), 100 * i + round);
        std::vector<float> out(batch.lengths.size() * kDims);
        good[i] += executor->Run(batch.ids, batch.lengths, out.data()).has_value() && out == batch.Expected();
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (const int n : good) EXPECT_EQ(n, 10);
  EXPECT_THAT(model.record().errors, ::testing::IsEmpty());
}

#ifndef __SANITIZE_THREAD__  // which refuses to start threads in the child of a process that had some

// A child of fork, also one that was made in the middle of a pass, has a state of its own.
TEST(ExecutorTest, AChildOfForkStartsAnew) {
  Model model;
  const auto executor = model.Make({.threads = 3});
  ASSERT_NE(executor, nullptr);
  const Batch batch = Batch::Random(5, 1);
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    std::vector<float> out(batch.lengths.size() * kDims);
    while (!stop) EXPECT_TRUE(executor->Run(batch.ids, batch.lengths, out.data()).has_value());
  });
  while (executor->stats().chunks == 0) std::this_thread::yield();
  for (int i = 0; i < 10; ++i) {
    const std::unique_lock lock(model.record().mutex);  // a kernel of the child takes it
    const pid_t child = fork();
    if (child == 0) {
      alarm(60);
      model.record().mutex.unlock();
      model.record().scratches_in_use.clear();
      const bool fresh = executor->threads() == 3 && executor->stats().chunks == 0;
      std::vector<float> out(batch.lengths.size() * kDims);
      const bool good =
          executor->Run(batch.ids, batch.lengths, out.data()).has_value() && out == batch.Expected();
      _exit(fresh && good && executor->stats().chunks == 1 ? 0 : 1);
    }
    int status = -1;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << i;
  }
  stop = true;
  busy.join();
}

#endif

TEST(ExecutorTest, FloatEnvironmentOfTheCallerDoesNotMatterAndStays) {
  Batch batch;
  for (int i = 0; i < 8; ++i) batch.Add({kTinyId, 5});
  for (const int threads : {1, 4}) {
    Model model;
#if defined(__x86_64__)
    const unsigned before = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(before | 0x8040);  // flush denormals: workers inherit it as well
#endif
    std::fesetround(FE_UPWARD);
    const auto executor = model.Make({.threads = threads});
    ASSERT_NE(executor, nullptr);
    model.record().meet = threads;  // as many items as threads
    std::vector<float> out(batch.lengths.size() * kDims);
    const bool ok = executor->Run(batch.ids, batch.lengths, out.data()).has_value();
    const int rounding = std::fegetround();
    std::fesetround(FE_TONEAREST);
#if defined(__x86_64__)
    EXPECT_EQ(__builtin_ia32_stmxcsr() & 0x8040, 0x8040u);
    __builtin_ia32_ldmxcsr(before);
#endif
    EXPECT_TRUE(ok);
    EXPECT_EQ(model.record().threads.size(), static_cast<size_t>(threads));
    EXPECT_EQ(rounding, FE_UPWARD);
    for (const float value : out)
      EXPECT_EQ(std::bit_cast<uint32_t>(value), 0x00200000u) << threads << " threads";
  }
}

std::string RunError(const Batch& batch, int64_t chunk_tokens = 4096) {
  Model model;
  ExecutorOptions options;
  options.threads = 2;
  options.chunk_tokens = chunk_tokens;
  const auto executor = model.Make(options);
  std::vector<float> out(batch.lengths.size() * kDims + 1);
  const Status status = executor->Run(batch.ids, batch.lengths, out.data());
  return status ? "no error" : status.error().message;
}

TEST(ExecutorTest, ErrorsNameTheSequenceTheValueAndTheLimit) {
  EXPECT_EQ(RunError({{1, 2, 1000}, {1, 2}}),
            "sequence 1: token 1: id 1000 is not in the vocabulary of 1000");
  EXPECT_EQ(RunError({{-1}, {1}}), "sequence 0: token 0: id -1 is not in the vocabulary of 1000");
  EXPECT_EQ(RunError({std::vector<int32_t>(72, 1), {1, 71}}),
            "sequence 1: 71 tokens (the model takes at most 70)");
  EXPECT_EQ(RunError({{1}, {1, 0}}), "sequence 1: 0 tokens (at least 1)");
  EXPECT_EQ(RunError({{1}, {-5}}), "sequence 0: -5 tokens (at least 1)");
  EXPECT_EQ(RunError({{1, 2, 3}, {2, 2}}), "sequence 1: 2 tokens, but 1 ids are left of 3");
  EXPECT_EQ(RunError({{1, 2, 3}, {1, 1}}), "3 ids, but the sequences have 2 tokens");
}

TEST(ExecutorTest, AnEmbeddingThatIsNotFiniteIsAnErrorThatNamesItsSequence) {
  for (const int64_t chunk_tokens : {2, 5, 1000}) {
    EXPECT_EQ(RunError({{1, 2, 3, 4, kBadId, 5, 6}, {2, 2, 2, 1}}, chunk_tokens),
              "sequence 2: the embedding is not finite: component 0 is inf");
  }
}

TEST(ExecutorTest, SequencesThatAreNotFiniteAreListedAndTheOthersComputed) {
  Model model;
  for (const int64_t chunk_tokens : {2, 5, 1000}) {
    ExecutorOptions options;
    options.threads = 2;
    options.chunk_tokens = chunk_tokens;
    const auto executor = model.Make(options);
    const auto run = [&](const std::vector<int32_t>& ids, const std::vector<int32_t>& lengths,
                         std::vector<BadSequence>& bad) {
      std::vector<float> out(lengths.size() * kDims);
      EXPECT_TRUE(executor->Run(ids, lengths, out.data(), &bad));
      return out;
    };
    std::vector<BadSequence> bad, none;
    const std::vector<float> out = run({1, 2, 3, kBadId, 4, 5, 6, kBadId}, {2, 2, 2, 1, 1}, bad);
    ASSERT_EQ(bad.size(), 2u);
    EXPECT_EQ(bad[0].index, 1u);
    EXPECT_EQ(bad[1].index, 4u);
    EXPECT_EQ(bad[1].error.message, "the embedding is not finite: component 0 is inf");
    EXPECT_EQ(bad[1].error.kind, ErrorKind::kNotFinite);
    const std::vector<float> good = run({1, 2, 4, 5, 6}, {2, 2, 1}, none);
    EXPECT_TRUE(none.empty());
    const auto row = [](const std::vector<float>& rows, size_t i) {
      return std::vector<float>(rows.begin() + static_cast<ptrdiff_t>(i * kDims),
                                rows.begin() + static_cast<ptrdiff_t>((i + 1) * kDims));
    };
    EXPECT_EQ(row(out, 0), row(good, 0));
    EXPECT_EQ(row(out, 2), row(good, 1));
    EXPECT_EQ(row(out, 3), row(good, 2));
  }
}

std::string CreateError(const std::function<void(Model&, ExecutorOptions&)>& change) {
  Model model;
  ExecutorOptions options;
  options.threads = 1;
  change(model, options);
  const auto executor = model.TryMake(options);
  return executor ? "no error" : executor.error().message;
}

TEST(ExecutorTest, RefusesProgramsThatDoNotFit) {
  EXPECT_EQ(CreateError([](Model&, ExecutorOptions&) {}), "no error");
  const auto program_error = [](const std::function<void(Program&)>& change) {
    return CreateError([&](Model& model, ExecutorOptions&) { change(model.program); });
  };
  EXPECT_THAT(program_error([](Program& p) { p.kernels.pop_back(); }),
              HasSubstr("2 kernels, but 3 functions"));
  EXPECT_THAT(program_error([](Program& p) { p.steps[1].kernel = 3; }), HasSubstr("step 1: kernel 3 of 3"));
  EXPECT_THAT(program_error([](Program& p) { p.steps[2].arg_count = 6; }),
              HasSubstr("step 2: arguments 9 + 6 of 14"));
  EXPECT_THAT(program_error([](Program& p) { p.steps[0].first_arg = UINT32_MAX; }),
              HasSubstr("step 0: arguments"));
  EXPECT_THAT(program_error([](Program& p) { p.steps[0].row_grain = 0; }), HasSubstr("row grain 0"));
  EXPECT_THAT(program_error([](Program& p) { p.steps[0].cols = 0; }), HasSubstr("columns 0"));
  EXPECT_THAT(program_error([](Program& p) { p.steps[0].rows = static_cast<Rows>(9); }), HasSubstr("rows 9"));
  EXPECT_THAT(program_error([](Program& p) { p.args[3].offset = 88; }),
              HasSubstr("argument 3: offset 88 lies outside 88 bytes of packed weights"));
  EXPECT_THAT(program_error([](Program& p) { p.args[0].offset = -1; }),
              HasSubstr("offset -1 lies outside 32 bytes"));
  EXPECT_THAT(program_error([](Program& p) { p.args[0].kind = static_cast<ArgKind>(77); }),
              HasSubstr("kind 77"));
  EXPECT_THAT(program_error([](Program& p) { p.args[8].offset_t = 2 * kCols * 4 + 1; }),
              HasSubstr("outside the arena"));
  EXPECT_THAT(program_error([](Program& p) { p.args[8].offset_b = INT64_MAX; }),
              HasSubstr("outside the arena"));
  EXPECT_THAT(program_error([](Program& p) { p.args[8].offset_b = -100; }), HasSubstr("outside the arena"));
  EXPECT_THAT(program_error([](Program& p) { p.arena_bytes_t = INT64_MAX / 10; }), HasSubstr("an arena of"));
  EXPECT_THAT(program_error([](Program& p) { p.scratch_bytes = -1; }), HasSubstr("-1 bytes of scratch"));
  EXPECT_THAT(program_error([](Program& p) { p.weights_bytes = 1000; }),
              HasSubstr("1000 bytes of packed weights"));
  EXPECT_THAT(program_error([](Program& p) { p.context_length = 0; }), HasSubstr("context of 0 tokens"));
  EXPECT_THAT(program_error([](Program& p) { p.context_length = INT64_MAX; }), HasSubstr("context of"));
  EXPECT_THAT(CreateError([](Model&, ExecutorOptions& o) { o.threads = 65; }),
              HasSubstr("65 threads (1 to 64"));
  EXPECT_THAT(CreateError([](Model&, ExecutorOptions& o) { o.chunk_tokens = 0; }),
              HasSubstr("chunks of 0 tokens"));
}

}  // namespace
}  // namespace ggufc::runtime
