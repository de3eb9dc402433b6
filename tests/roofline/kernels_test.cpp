// Operations and bytes against values computed by hand from the shapes of the tiny model.
#include "tools/roofline/kernels.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "study_fixture.h"

namespace ggufc::testing {
namespace {

using roofline::Cost;

// The calls of a kernel, in order.
std::vector<Cost> CallsOf(const std::vector<Cost>& costs, const std::string& kernel) {
  std::vector<Cost> calls;
  for (const Cost& cost : costs) {
    if (cost.kernel == kernel) calls.push_back(cost);
  }
  return calls;
}

TEST(KernelCostsTest, VisiblePairsMatchesBruteForce) {
  for (int64_t tokens = 1; tokens <= 40; ++tokens) {
    for (const int64_t window : {0, 1, 2, 7, 16, 100}) {
      int64_t pairs = 0;
      for (int64_t i = 0; i < tokens; ++i) {
        for (int64_t j = 0; j < tokens; ++j) pairs += window == 0 || std::abs(i - j) <= window / 2;
      }
      EXPECT_EQ(roofline::VisiblePairs(tokens, window), pairs) << tokens << " tokens, window " << window;
    }
  }
}

class KernelCountTest : public ::testing::Test {
 protected:
  const TinyModel tiny_{"count"};
};

TEST_F(KernelCountTest, MultiplyAddsOfTwoSequences) {
  const std::vector<Cost> costs = tiny_.Costs("avx512vnni", {5, 40});
  ASSERT_EQ(costs.size(), 1 + 2 * 5 + 4u);  // embed, five per layer, pool, two dense, finish
  const auto one = [&](const char* kernel, size_t count) {
    const std::vector<Cost> calls = CallsOf(costs, kernel);
    EXPECT_EQ(calls.size(), count) << kernel;
    return calls.empty() ? Cost{} : calls[0];
  };
  constexpr int64_t kTokens = 45, kSequences = 2;
  EXPECT_EQ(one("attn_q_k_v", 1).macs, kTokens * 64 * (64 + 32 + 32));
  EXPECT_EQ(one("attn_q_k_v.2", 1).macs, kTokens * 64 * (64 + 32 + 32));
  EXPECT_EQ(one("attn_output", 2).macs, kTokens * 64 * 64);
  EXPECT_EQ(one("ffn_gate_up", 2).macs, kTokens * 64 * (96 + 96));
  EXPECT_EQ(one("ffn_down", 2).macs, kTokens * 96 * 64);
  EXPECT_EQ(one("dense_2", 1).macs, kSequences * 64 * 128);
  EXPECT_EQ(one("dense_3", 1).macs, kSequences * 128 * 64);
  // Window 16: 8 neighbours on each side. 5 tokens all attend to each other; 40 have 17 each, less 8 * 9 at the ends.
  EXPECT_EQ(one("attention.local", 2).macs, 2 * (25 + 40 * 17 - 72) * 64);
  for (const char* kernel : {"embed", "pool", "finish"}) EXPECT_EQ(one(kernel, 1).macs, 0) << kernel;
}

TEST_F(KernelCountTest, WeightsCountOnceAsPacked) {
  const std::vector<Cost> costs = tiny_.Costs("avx512vnni", {5, 40});
  // A panel of k = 64: 64 x 16 bytes and 2 x 16 f16 scales. Gains are f32.
  constexpr int64_t kPanel64 = 64 * 16 + 2 * 16 * 2, kGain = 64 * 4, kHeadGain = 32 * 4;
  constexpr int64_t kRope = 40 * 32 * 4;  // one row per position of the longest sequence
  const auto first = [&](const char* kernel) { return CallsOf(costs, kernel).at(0).weight_bytes; };
  EXPECT_EQ(first("attn_q_k_v"), 8 * kPanel64 + kGain + 2 * kHeadGain + kRope);
  // In the second layer the rope table is in cache, and the kernel also normalises the residual of the first layer.
  EXPECT_EQ(first("attn_q_k_v.2"), 8 * kPanel64 + 2 * kGain + 2 * kHeadGain);
  EXPECT_EQ(first("attn_output"), 4 * kPanel64);
  EXPECT_EQ(first("ffn_gate_up"), 12 * kPanel64 + 2 * kGain);
  // k = 96: 96 x 16 + 3 x 32 = 1,632 bytes, rounded up to cache lines.
  EXPECT_EQ(first("ffn_down"), 4 * 1664);
  EXPECT_EQ(first("dense_2"), 8 * kPanel64);
  EXPECT_EQ(first("attention.local"), 0);
  EXPECT_EQ(first("embed"), 45 * 2 * 34);  // q8_0 as in the file: 34 bytes per 32 columns
}

TEST_F(KernelCountTest, BytesToAndFromCaches) {
  const std::vector<Cost> costs = tiny_.Costs("avx512vnni", {5, 40});
  constexpr int64_t kRow = 64 * 4, kTokens = 45;
  const Cost output = CallsOf(costs, "attn_output").at(0);
  EXPECT_EQ(output.cache_bytes, 4 * 1088 + 2 * kTokens * kRow);
  EXPECT_EQ(output.footprint, output.cache_bytes);
  const Cost attention = CallsOf(costs, "attention.local").at(0);
  // Tiles of 16 queries attend to 5 keys in the first sequence and to 24, 32 and 16 keys in the second. Keys and values
  // have one head of 32 i16.
  EXPECT_EQ(attention.cache_bytes, 2 * kTokens * kRow + 2 * (5 + 24 + 32 + 16) * 32 * 2);
  // Keys and values take a multiple of 32 slots per sequence.
  EXPECT_EQ(attention.footprint, 2 * kTokens * kRow + 2 * (32 + 64) * 32 * 2);
}

TEST_F(KernelCountTest, WeightsAreReadOncePerRowBlock) {
  const auto options = tiny_.Options("avx512vnni");
  const int32_t block = options.target->info.row_block;
  const auto bytes = [&](int32_t tokens) {
    const Cost cost = CallsOf(tiny_.Costs("avx512vnni", {tokens}), "attn_output").at(0);
    EXPECT_EQ(cost.weight_bytes, 4 * 1088);
    return cost.cache_bytes - 2 * tokens * 64 * 4;
  };
  EXPECT_EQ(bytes(block), 4 * 1088);
  EXPECT_EQ(bytes(block + 1), 2 * 4 * 1088);
}

TEST_F(KernelCountTest, ArithmeticDependsOnTarget) {
  using roofline::Arithmetic;
  struct Case {
    const char* target;
    ir::Scalar activations;
    Arithmetic linear;
  };
  for (const Case& c : {Case{"avx2", ir::Scalar::kQ16, Arithmetic::kI16},
                        {"avx2", ir::Scalar::kQ8, Arithmetic::kI16},
                        {"avx2", ir::Scalar::kQ7, Arithmetic::kU8S7},
                        {"avxvnni", ir::Scalar::kQ8, Arithmetic::kU8S8},
                        {"avx512vnni", ir::Scalar::kQ16, Arithmetic::kI16},
                        {"avx512vnni", ir::Scalar::kQ7, Arithmetic::kU8S8}}) {
    driver::CompileOptions options = tiny_.Options(c.target);
    options.activations = c.activations;
    const std::vector<int32_t> lengths = {3};
    const std::vector<Cost> costs =
        roofline::CountCalls(Value(roofline::KernelStage(tiny_.model(), options)), *options.target, lengths);
    const std::string where = fmt::format("{} {}", c.target, driver::ActivationsName(c.activations));
    EXPECT_EQ(CallsOf(costs, "ffn_down").at(0).arithmetic, c.linear) << where;
    EXPECT_EQ(CallsOf(costs, "attention.local").at(0).arithmetic, Arithmetic::kI16) << where;
  }
}

TEST_F(KernelCountTest, CallsAreTheStepsOfTheProgram) {
  const driver::CompileOptions options = tiny_.Options("avx2");
  const driver::CompiledProgram compiled = Value(driver::CompileProgram(tiny_.model(), options));
  const std::vector<Cost> costs = tiny_.Costs("avx2", {3});
  ASSERT_EQ(costs.size(), compiled.built.program.steps.size());
  for (size_t i = 0; i < costs.size(); ++i) {
    EXPECT_EQ(costs[i].kernel, compiled.built.program.kernels[compiled.built.program.steps[i].kernel]) << i;
  }
}

}  // namespace
}  // namespace ggufc::testing
