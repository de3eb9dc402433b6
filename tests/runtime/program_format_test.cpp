// Serialised programs: round trips, and errors of each field.
#include "runtime/store/program_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

namespace ggufc::runtime {
namespace {

using testing::HasSubstr;

Program SampleProgram() {
  Program program;
  program.kernels = {"embed", "model_attn_q_k_v.1", "p$ool"};
  program.args = {
      {ArgKind::kIds, 0, 0, 0},        {ArgKind::kFile, int64_t{1} << 40, 0, 0},
      {ArgKind::kArena, 64, 256, 128}, {ArgKind::kPositions, 0, 0, 0},
      {ArgKind::kKeySlots, 0, 0, 0},   {ArgKind::kSequences, 0, 0, 0},
      {ArgKind::kQueryTiles, 0, 0, 0}, {ArgKind::kWeight, 192, 0, 0},
      {ArgKind::kOutput, 0, 0, 0},
  };
  program.steps = {
      {.kernel = 0, .first_arg = 0, .arg_count = 3},
      {.kernel = 1,
       .first_arg = 3,
       .arg_count = 5,
       .rows = Rows::kQueryTiles,
       .row_grain = 16,
       .cols = 3,
       .col_grain = 2,
       .work_per_row = 1 << 20},
      {.kernel = 2, .first_arg = 8, .arg_count = 1, .rows = Rows::kSequences},
      {.kernel = 0, .first_arg = 9, .arg_count = 0},
  };
  program.arena_bytes = 128;
  program.arena_bytes_t = 1024;
  program.arena_bytes_b = 192;
  program.scratch_bytes = 4096;
  program.weights_bytes = 256;
  program.file_bytes = int64_t{1} << 41;
  program.dims = 768;
  program.vocab = 262144;
  program.context_length = 2048;
  return program;
}

std::string ErrorOf(std::span<const uint8_t> bytes) {
  // A copy of exactly this size, so that AddressSanitizer detects reads beyond its end.
  const std::vector<uint8_t> copy(bytes.begin(), bytes.end());
  const auto program = ParseProgram(copy);
  if (program) return "no error";
  EXPECT_EQ(program.error().kind, ErrorKind::kBadFile);
  return program.error().message;
}

template <typename T>
void Put(std::vector<uint8_t>& bytes, size_t offset, T value) {
  ASSERT_LE(offset + sizeof(value), bytes.size());
  std::memcpy(bytes.data() + offset, &value, sizeof(value));
}

// Offsets of the parts of the sample.
constexpr size_t kNumbers = 24, kNames = kNumbers + 72;
constexpr size_t kSteps = kNames + 3 * 4 + 5 + 18 + 5, kStepBytes = 48;
constexpr size_t kArgs = kSteps + 4 * kStepBytes, kArgBytes = 32;
constexpr size_t kEnd = kArgs + 9 * kArgBytes;

TEST(ProgramFormat, ParseReadsWhatSerializeWrote) {
  const std::vector<uint8_t> bytes = SerializeProgram(SampleProgram());
  EXPECT_EQ(bytes.size(), kEnd);
  const auto program = ParseProgram(bytes);
  ASSERT_TRUE(program) << program.error().message;
  EXPECT_EQ(*program, SampleProgram());
  EXPECT_EQ(SerializeProgram(*program), bytes);
}

TEST(ProgramFormat, AProgramWithoutSteps) {
  Program program;
  program.dims = program.vocab = program.context_length = 1;
  const auto parsed = ParseProgram(SerializeProgram(program));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(*parsed, program);
}

TEST(ProgramFormat, EveryTruncationIsAnError) {
  std::vector<uint8_t> bytes = SerializeProgram(SampleProgram());
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_THAT(ErrorOf(std::span(bytes).first(length)), HasSubstr("program: ")) << length;
  }
  bytes.push_back(0);
  EXPECT_THAT(ErrorOf(bytes),
              HasSubstr("481 bytes of steps and arguments, expected 480 for 4 steps and 9 arguments"));
}

// An accepted program gives the same bytes when it is serialised again.
TEST(ProgramFormat, EveryFlippedBitIsAnErrorOrAnotherProgram) {
  const std::vector<uint8_t> bytes = SerializeProgram(SampleProgram());
  size_t errors = 0;
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::vector<uint8_t> flipped = bytes;
    flipped[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
    const auto program = ParseProgram(flipped);
    if (!program) {
      ++errors;
      continue;
    }
    EXPECT_NE(*program, SampleProgram()) << "bit " << bit;
    EXPECT_EQ(SerializeProgram(*program), flipped) << "bit " << bit;
  }
  EXPECT_GT(errors, bytes.size());
}

template <typename T>
struct Case {
  size_t offset;
  T value;
  const char* error;
};

TEST(ProgramFormat, EveryFieldOutOfRangeIsAnError) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max(), kLeast = std::numeric_limits<int64_t>::min();
  const std::vector<uint8_t> bytes = SerializeProgram(SampleProgram());
  constexpr size_t kStep1 = kSteps + kStepBytes, kArg2 = kArgs + 2 * kArgBytes;
  const Case<uint32_t> words[] = {
      {0, 0, "program: magic: not a serialised program"},
      {8, 1, "program: version: 1 (this program reads 2)"},
      {8, 3, "program: version: 3 (this program reads 2)"},
      {12, kMaxKernels + 1, "program: kernels: 4097 (at most 4096)"},
      {12, UINT32_MAX, "program: kernels: 4294967295 (at most 4096)"},
      {12, kMaxKernels, "program: kernel 3: length: "},
      {12, 2, "expected 480"},
      {16, kMaxSteps + 1, "program: steps: 65537 (at most 65536)"},
      {16, kMaxSteps, "expected 3146016 for 65536 steps"},
      {16, UINT32_MAX, "program: steps: 4294967295"},
      {20, kMaxArgs + 1, "program: args: 1048577 (at most 1048576)"},
      {20, kMaxArgs, "for 4 steps and 1048576 arguments"},
      {20, UINT32_MAX, "program: args: 4294967295"},
      {kNames, 0, "program: kernel 0: length: 0 (1 to 1024 are allowed)"},
      {kNames, 1025, "program: kernel 0: length: 1025 (1 to 1024 are allowed)"},
      {kNames, UINT32_MAX, "program: kernel 0: length: 4294967295"},
      {kNames, 1024, "program: kernel 0: name: needs 1024 bytes, "},
      {kNames + 4, 0x20626D65, "program: kernel 0: name: has a character other than"},
      {kNames + 4, 0x00626D65, "program: kernel 0: name: has a character other than"},
      {kStep1, 3, "program: step 1: kernel 3, expected less than 3"},
      {kStep1, UINT32_MAX, "program: step 1: kernel 4294967295, expected less than 3"},
      {kStep1 + 4, 10, "program: step 1: 5 arguments from 10 on, but the program has 9"},
      {kStep1 + 4, UINT32_MAX, "program: step 1: 5 arguments from 4294967295 on, but the program has 9"},
      {kStep1 + 8, 7, "program: step 1: 7 arguments from 3 on, but the program has 9"},
      {kStep1 + 8, UINT32_MAX, "program: step 1: 4294967295 arguments from 3 on, but the program has 9"},
      {kStep1 + 12, 3, "program: step 1: rows: unknown kind 3"},
      {kStep1 + 12, 256, "program: step 1: rows: unknown kind 256"},
      {kArg2, 9, "program: argument 2: kind: unknown kind 9"},
      {kArg2, 256 + 6, "program: argument 2: kind: unknown kind 262"},
      {kArg2 + 4, 1, "program: argument 2: zero: 1, expected 0"},
  };
  for (const auto& [offset, value, error] : words) {
    std::vector<uint8_t> wrong = bytes;
    Put(wrong, offset, value);
    EXPECT_THAT(ErrorOf(wrong), HasSubstr(error)) << "at " << offset;
  }
  const Case<int64_t> numbers[] = {
      {kNumbers, kLeast, "program: the arena's size"},
      {kNumbers, kMost, "program: the arena's size"},
      {kNumbers, -1024, "argument 2: offset 64 + 256 T + 128 B lies outside the arena"},
      {kNumbers + 8, kMost, "program: the arena's size"},
      {kNumbers + 8, -1024, "program: the arena's size"},
      {kNumbers + 16, kMost, "program: the arena's size"},
      {kNumbers + 16, kLeast, "program: the arena's size"},
      {kNumbers + 24, -1, "program: -1 bytes of scratch"},
      {kNumbers + 24, kMaxScratchBytes + 1, "bytes of scratch per thread (at most 4294967296)"},
      {kNumbers + 32, -1, "program: needs -1 bytes of packed weights"},
      {kNumbers + 32, 192, "argument 7: offset 192 lies outside 192 bytes of packed weights"},
      {kNumbers + 40, -1, "program: needs -1 bytes of the model file"},
      {kNumbers + 40, int64_t{1} << 40,
       "argument 1: offset 1099511627776 lies outside 1099511627776 bytes of model file"},
      {kNumbers + 48, 0, "program: 0 dims"},
      {kNumbers + 48, kLeast, "program: -9223372036854775808 dims"},
      {kNumbers + 56, 0, "vocabulary of 0"},
      {kNumbers + 64, 0, "context of 0 tokens"},
      {kNumbers + 64, kMaxBatchTokens + 1, "context of 33554433 tokens (at most 33554432)"},
      {kStep1 + 16, 0, "program: step 1: row grain 0"},
      {kStep1 + 16, kLeast, "program: step 1: row grain -"},
      {kStep1 + 24, 0, "columns 0"},
      {kStep1 + 32, 0, "column grain 0"},
      {kStep1 + 40, -1, "work per row -1"},
      {kArg2 + 8, -385, "program: argument 2: offset -385"},
      {kArg2 + 8, kMost, "program: argument 2: offset"},
      {kArg2 + 16, kMost, "program: argument 2: offset"},
      {kArg2 + 16, -200, "program: argument 2: offset 64 + -200 T"},
      {kArg2 + 24, 1 << 20, "program: argument 2: offset 64 + 256 T + 1048576 B"},
      {kArgs + kArgBytes + 8, -1, "program: argument 1: offset -1"},
      {kArgs + 7 * kArgBytes + 8, -1, "program: argument 7: offset -1"},
      {kArgs + 7 * kArgBytes + 8, 256,
       "program: argument 7: offset 256 lies outside 256 bytes of packed weights"},
  };
  for (const auto& [offset, value, error] : numbers) {
    std::vector<uint8_t> wrong = bytes;
    Put(wrong, offset, value);
    EXPECT_THAT(ErrorOf(wrong), HasSubstr(error)) << "at " << offset;
  }
}

TEST(ProgramFormat, CountsAtTheLimitsAreAccepted) {
  Program program = SampleProgram();
  program.kernels[0] = std::string(kMaxKernelNameBytes, 'k');
  program.scratch_bytes = kMaxScratchBytes;
  program.context_length = kMaxBatchTokens;
  const auto parsed = ParseProgram(SerializeProgram(program));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(*parsed, program);
}

}  // namespace
}  // namespace ggufc::runtime
