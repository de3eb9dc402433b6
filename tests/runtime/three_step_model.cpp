#include "three_step_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <random>
#include <span>

#include "support/batch_tables.h"

namespace ggufc::runtime {
namespace {

// Records a call of a kernel, and checks its scratch and its domain.
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

// out[b][d] = sum over the sequence of y[.][d] + y[.][d + 2]; denormal if the sequence begins with kTinyId
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

}  // namespace

void Batch::Add(std::vector<int32_t> sequence) {
  lengths.push_back(static_cast<int32_t>(sequence.size()));
  ids.insert(ids.end(), sequence.begin(), sequence.end());
}

Batch Batch::Random(int64_t sequences, uint64_t seed) {
  std::mt19937_64 random(seed);
  Batch batch;
  for (int64_t i = 0; i < sequences; ++i) {
    std::vector<int32_t> ids(1 + random() % kContext);
    for (int32_t& id : ids) id = static_cast<int32_t>(random() % 600);
    batch.Add(ids);
  }
  return batch;
}

std::vector<float> Batch::Expected() const {
  std::vector<float> all;
  size_t token = 0;
  for (const int32_t length : lengths) {
    const auto one = Reference(std::span(ids).subspan(token, static_cast<size_t>(length)));
    all.insert(all.end(), one.begin(), one.end());
    token += static_cast<size_t>(length);
  }
  return all;
}

ThreeStepModel::ThreeStepModel() {
  program.kernels = {"look_up", "attend", "pool"};
  program.dims = kDims;
  program.vocab = kVocab;
  program.context_length = kContext;
  program.scratch_bytes = kScratch;
  program.weights_bytes = 64 + kCols * 4;
  program.file_bytes = sizeof(file);
  // The arena has x at 64, then y, and between them a gap whose size depends on the number of sequences.
  program.arena_bytes = 64;
  program.arena_bytes_t = 2 * kCols * 4;
  program.arena_bytes_b = 32;
  const Arg record{ArgKind::kFile, 24};
  const Arg x{ArgKind::kArena, 64};
  const Arg y{ArgKind::kArena, 64, kCols * 4, 32};
  AddStep(0, Rows::kTokens, kCols, 5,
          {record, {ArgKind::kIds}, {ArgKind::kPositions}, {ArgKind::kWeight, 64}, x});
  AddStep(1, Rows::kQueryTiles, kCols, 1, {record, {ArgKind::kQueryTiles}, x, y});
  AddStep(2, Rows::kSequences, 1, 3, {record, {ArgKind::kIds}, {ArgKind::kSequences}, y, {ArgKind::kOutput}});
  auto memory = PageMemory::Allocate(program.weights_bytes, "weights");
  weights = std::move(*memory);
  for (int64_t c = 0; c < kCols; ++c) {
    const float weight = Weight(c);
    std::memcpy(weights.data() + 64 + c * 4, &weight, 4);
  }
  Record* pointer = &record_;
  std::memcpy(file + 24, &pointer, sizeof(pointer));
}

void ThreeStepModel::AddStep(uint32_t kernel, Rows rows, int64_t cols, int64_t row_grain,
                             const std::vector<Arg>& args) {
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

Result<std::unique_ptr<Executor>> ThreeStepModel::TryMake(const ExecutorOptions& options) {
  return Executor::Create(program, {LookUp, Attend, Pool}, weights.bytes(), file, options);
}

std::unique_ptr<Executor> ThreeStepModel::Make(const ExecutorOptions& options) {
  auto executor = TryMake(options);
  if (!executor) {
    ADD_FAILURE() << executor.error().message;
    return nullptr;
  }
  return std::move(*executor);
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

void ExpectEveryCellOnce(const Record& record, const std::vector<std::vector<int32_t>>& chunks) {
  EXPECT_THAT(record.errors, ::testing::IsEmpty());
  // Steps run in order, so a chunk is the sequence of calls until the step number falls.
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

}  // namespace ggufc::runtime
