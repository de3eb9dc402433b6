// A small model in plain C++: three steps over tokens, query tiles and sequences. Each step reads what all items of the
// step before wrote. Its values are small integers, so every order and every cut gives them exactly.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "runtime/exec/executor.h"
#include "runtime/exec/memory.h"

namespace ggufc::runtime {

inline constexpr int64_t kCols = 6;
inline constexpr int64_t kDims = 4;
inline constexpr int64_t kVocab = 1000;
inline constexpr int64_t kContext = 70;
inline constexpr int32_t kBadId = 666;    // makes the embedding infinite
inline constexpr int32_t kTinyId = 777;   // makes the embedding denormal
inline constexpr int64_t kScratch = 100;  // bytes; not a multiple of 64

struct Call {
  int step;
  int64_t r0, r1, c0, c1;
  int64_t distance;  // of two arena arguments, in bytes
};

// The calls of the kernels. Kernels find the record by their first argument, a pointer in the "model file".
struct Record {
  std::mutex mutex;
  std::vector<Call> calls;
  std::set<void*> scratches, scratches_in_use;
  std::set<std::thread::id> threads;
  std::vector<std::string> errors;
  // Calls of the last step wait until this many run at once, each on its own thread.
  int meet = 0;
  std::atomic<int> met{0};
};

struct Batch {
  std::vector<int32_t> ids, lengths;

  void Add(std::vector<int32_t> sequence);
  static Batch Random(int64_t sequences, uint64_t seed);
  std::vector<float> Expected() const;  // the embeddings, by plain loops
};

class ThreeStepModel {
 public:
  ThreeStepModel();

  void AddStep(uint32_t kernel, Rows rows, int64_t cols, int64_t row_grain, const std::vector<Arg>& args);
  Result<std::unique_ptr<Executor>> TryMake(const ExecutorOptions& options);
  // The same, for a program without errors; null after a failure of the test.
  std::unique_ptr<Executor> Make(const ExecutorOptions& options);

  Program program;
  PageMemory weights;
  uint8_t file[32] = {};
  Record& record() { return record_; }

 private:
  Record record_;
};

// The lengths of the sequences of each chunk of at most `limit` tokens.
std::vector<std::vector<int32_t>> Chunks(const std::vector<int32_t>& lengths, int64_t limit);

// Each cell of each step was computed exactly once in every chunk, and no step began before the previous one ended.
void ExpectEveryCellOnce(const Record& record, const std::vector<std::vector<int32_t>>& chunks);

}  // namespace ggufc::runtime
