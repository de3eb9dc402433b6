// The executor on the model of three_step_model.h: cuts, chunks, memory, threads, forks and errors.
#include "runtime/exec/executor.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cfenv>
#include <functional>
#include <mutex>
#include <thread>

#include "three_step_model.h"

namespace ggufc::runtime {
namespace {

using ::testing::HasSubstr;

void RunAndCheck(ThreeStepModel& model, const ExecutorOptions& options, const Batch& batch) {
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
        ThreeStepModel model;
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
      ThreeStepModel model;
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
    ThreeStepModel model;
    ExecutorOptions options;
    options.threads = 2;
    options.chunk_tokens = limit;
    options.poison = true;
    RunAndCheck(model, options, batch);
  }
}

TEST(ExecutorTest, MemoryIsBoundedAndReused) {
  ThreeStepModel model;
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
  ThreeStepModel model;
  const auto executor = model.Make({.threads = 2});
  ASSERT_NE(executor, nullptr);
  EXPECT_TRUE(executor->Run({}, {}, nullptr).has_value());
  EXPECT_TRUE(model.record().calls.empty());
}

TEST(ExecutorTest, ProfileAddsUp) {
  ThreeStepModel model;
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
  ThreeStepModel model;
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

#ifndef __SANITIZE_THREAD__  // ThreadSanitizer does not start threads in the child of a process with threads

// A child of fork has its own state, even if the fork happens in the middle of a pass.
TEST(ExecutorTest, AChildOfForkStartsAnew) {
  ThreeStepModel model;
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
    ThreeStepModel model;
#if defined(__x86_64__)
    const unsigned before = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(before | 0x8040);  // flush denormals; workers inherit it
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
  ThreeStepModel model;
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
  ThreeStepModel model;
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

std::string CreateError(const std::function<void(ThreeStepModel&, ExecutorOptions&)>& change) {
  ThreeStepModel model;
  ExecutorOptions options;
  options.threads = 1;
  change(model, options);
  const auto executor = model.TryMake(options);
  return executor ? "no error" : executor.error().message;
}

TEST(ExecutorTest, RefusesProgramsThatDoNotFit) {
  EXPECT_EQ(CreateError([](ThreeStepModel&, ExecutorOptions&) {}), "no error");
  const auto program_error = [](const std::function<void(Program&)>& change) {
    return CreateError([&](ThreeStepModel& model, ExecutorOptions&) { change(model.program); });
  };
  EXPECT_THAT(program_error([](Program& p) { p.kernels.pop_back(); }),
              HasSubstr("2 kernels, but 3 functions"));
  EXPECT_THAT(program_error([](Program& p) { p.steps[1].kernel = 3; }),
              HasSubstr("step 1: kernel 3, expected less than 3"));
  EXPECT_THAT(program_error([](Program& p) { p.steps[2].arg_count = 6; }),
              HasSubstr("step 2: 6 arguments from 9 on, but the program has 14"));
  EXPECT_THAT(program_error([](Program& p) { p.steps[0].first_arg = UINT32_MAX; }),
              HasSubstr("step 0: 5 arguments from 4294967295 on"));
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
  EXPECT_THAT(program_error([](Program& p) { p.arena_bytes_t = INT64_MAX / 10; }),
              HasSubstr("the arena's size"));
  EXPECT_THAT(program_error([](Program& p) { p.scratch_bytes = -1; }), HasSubstr("-1 bytes of scratch"));
  EXPECT_THAT(program_error([](Program& p) { p.weights_bytes = 1000; }),
              HasSubstr("1000 bytes of packed weights"));
  EXPECT_THAT(program_error([](Program& p) { p.context_length = 0; }), HasSubstr("context of 0 tokens"));
  EXPECT_THAT(program_error([](Program& p) { p.context_length = INT64_MAX; }), HasSubstr("context of"));
  EXPECT_THAT(CreateError([](ThreeStepModel&, ExecutorOptions& o) { o.threads = 65; }),
              HasSubstr("65 threads (1 to 64"));
  EXPECT_THAT(CreateError([](ThreeStepModel&, ExecutorOptions& o) { o.chunk_tokens = 0; }),
              HasSubstr("chunks of 0 tokens"));
}

}  // namespace
}  // namespace ggufc::runtime
