// Each op of the graph and kernel stages against its formula, on small inputs.
#include <cmath>

#include "ir_test_util.h"
#include "support/float_formats.h"

namespace ggufc::ir {
namespace {

constexpr double kTolerance = 1e-12;  // double arithmetic on a handful of numbers of size 1

// A model with one embedding table. The tests give the rest of forward, after %x = the embedded ids.
struct TestModel {
  std::vector<float> table;  // [4, columns]
  int64_t columns;
  std::string weights;  // declarations of further weights
  std::vector<std::pair<std::string, std::vector<float>>> values;
};

Result<InterpreterOutput> TryRun(const TestModel& model, const std::string& body, int64_t out_columns,
                                 const std::vector<int32_t>& lengths, std::vector<int32_t> ids = {}) {
  const std::string text = fmt::format(
      "module @m stage graph\nweight @table : f32[{},{}]\n{}\n"
      "func @forward(%ids: i32[T]) -> (f32[B,{}]) {{\n"
      "  %x = embed %ids, @table {{scale=1}} : f32[T,{}]\n{}\n}}\n",
      static_cast<int64_t>(model.table.size()) / model.columns, model.columns, model.weights, out_columns,
      model.columns, body);
  InterpreterInput input;
  input.lengths = lengths;
  int32_t tokens = 0;
  for (const int32_t length : lengths) tokens += length;
  for (int32_t t = 0; t < tokens; ++t) input.ids.push_back(ids.empty() ? t : ids[t]);
  std::vector<std::pair<std::string, std::vector<float>>> values = model.values;
  values.emplace_back("table", model.table);
  return Interpret(MustParse(text), NamedWeights(std::move(values)), input);
}

std::vector<double> MustRun(const TestModel& model, const std::string& body, int64_t out_columns,
                            const std::vector<int32_t>& lengths, std::vector<int32_t> ids = {}) {
  const auto output = TryRun(model, body, out_columns, lengths, std::move(ids));
  EXPECT_TRUE(output) << (output ? "" : output.error().message);
  if (!output) return {};
  EXPECT_EQ(output->rows, static_cast<int64_t>(lengths.size()));
  EXPECT_EQ(output->columns, out_columns);
  return output->values;
}

void ExpectNear(const std::vector<double>& got, const std::vector<double>& want,
                double tolerance = kTolerance) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], tolerance) << "element " << i;
}

// Runs one op between embed and mean_pool, on sequences of one token, so that pooling changes nothing.
std::vector<double> RunOp(const TestModel& model, const std::string& line, int64_t out_columns) {
  return MustRun(model,
                 fmt::format("  %y = {} : f32[T,{}]\n  %p = mean_pool %y : f32[B,{}]\n  return %p", line,
                             out_columns, out_columns),
                 out_columns, {1, 1});
}

TEST(TensorOps, EmbedScalesTheRowOfAnId) {
  const TestModel model{{1, 2, 3, 4, 5, 6}, 2, "", {}};
  ExpectNear(
      MustRun(model, "%e = embed %ids, @table {scale=10} : f32[T,2]\n%p = mean_pool %e : f32[B,2]\nreturn %p",
              2, {1, 1}, {2, 0}),
      {50, 60, 10, 20});
}

TEST(TensorOps, EmbedRefusesAnIdOutsideTheTable) {
  const TestModel model{{1, 2, 3, 4}, 2, "", {}};
  for (const int32_t id : {-1, 2}) {
    const auto output = TryRun(model, "%p = mean_pool %x : f32[B,2]\nreturn %p", 2, {1}, {id});
    ASSERT_FALSE(output);
    EXPECT_THAT(output.error().message, testing::HasSubstr(fmt::format("embed %ids0, @table {{scale=1}}")));
    EXPECT_THAT(output.error().message,
                testing::HasSubstr(fmt::format("token 0: id {}, but the table has 2 rows", id)));
  }
}

TEST(TensorOps, RmsNormOverRowsAndGroups) {
  const TestModel model{{3, 4, 6, 8, 1, -1, 0, 2},
                        4,
                        "weight @g : f32[4]\nweight @h : f32[2]",
                        {{"g", {1, 2, 3, 4}}, {"h", {10, 100}}}};
  std::vector<double> want;
  const std::vector<std::vector<double>> rows = {{3, 4, 6, 8}, {1, -1, 0, 2}};
  for (const std::vector<double>& row : rows) {
    double squares = 0;
    for (const double x : row) squares += x * x;
    for (int j = 0; j < 4; ++j) want.push_back(row[j] / std::sqrt(squares / 4 + 0.5) * (j + 1));
  }
  ExpectNear(RunOp(model, "rms_norm %x, @g {eps=0.5}", 4), want);
  const double a = std::sqrt(12.5), b = std::sqrt(50.0), c = 1, d = std::sqrt(2.0);
  ExpectNear(RunOp(model, "rms_norm %x, @h {eps=0, group=2}", 4),
             {30 / a, 400 / a, 60 / b, 800 / b, 10 / c, -100 / c, 0, 200 / d});
}

TEST(TensorOps, LinearMultipliesByTheTransposedWeight) {
  const TestModel model{{1, 2, 3, 4}, 2, "weight @w : f32[3,2]", {{"w", {1, 0, 0, 1, 10, 100}}}};
  ExpectNear(RunOp(model, "linear %x, @w", 3), {1, 2, 210, 3, 4, 430});
}

TEST(TensorOps, Scale) {
  ExpectNear(RunOp({{1, 2, 3, -4}, 2, "", {}}, "scale %x {scale=-0.5}", 2), {-0.5, -1, -1.5, 2});
}

TEST(TensorOps, QuantizeRoundsInBlocks) {
  // Two blocks per row, with maximum magnitudes 8 and 0.
  std::vector<float> table(64, 0);
  for (int i = 0; i < 32; ++i) table[i] = static_cast<float>(i % 9) * (i % 2 ? 1.0f : -1.0f);
  std::vector<float> identity(64 * 64, 0);
  for (int i = 0; i < 64; ++i) identity[i * 65] = 1;
  const TestModel model{table, 64, "weight @one : q8_0[64,64]", {{"one", identity}}};
  for (const auto& [type, max] : {std::pair{"q16", 32767.0}, {"q8", 127.0}, {"q7", 63.0}}) {
    const std::vector<double> got = MustRun(model,
                                            fmt::format("%q = quantize %x : {}[T,64]\n%y = linear %q, @one : "
                                                        "f32[T,64]\n%p = mean_pool %y : f32[B,64]\nreturn %p",
                                                        type),
                                            64, {1});
    // 1 in q8_0 is 127 times f16(1 / 127).
    const double one = 127 * static_cast<double>(F16ToF32(F32ToF16(1.0f / 127)));
    std::vector<double> want;
    for (const double x : table) want.push_back(std::nearbyint(x * (max / 8)) * (8 / max) * one);
    ExpectNear(got, want);
  }
}

TEST(TensorOps, RopeRotatesHalvesByPosition) {
  const std::vector<float> table = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const TestModel model{table, 4, "weight @t = rope_table : f32[8,4] {factor=100}", {}};
  // One sequence of three tokens; the mean depends on all of them.
  std::vector<double> want(4, 0);
  for (int t = 0; t < 3; ++t) {
    for (int i = 0; i < 2; ++i) {
      const double angle = t * (i == 0 ? 1 : 0.1), c = std::cos(angle), s = std::sin(angle);
      const double a = table[t * 4 + i], b = table[t * 4 + 2 + i];
      want[i] += (a * c - b * s) / 3;
      want[2 + i] += (b * c + a * s) / 3;
    }
  }
  ExpectNear(
      MustRun(model,
              "%y = rope %x {theta=100, head_dim=4} : f32[T,4]\n%p = mean_pool %y : f32[B,4]\nreturn %p", 4,
              {3}),
      want);
  // The table's entries are f32: an error of half a unit in the last place of 1, times values of up to 12.
  ExpectNear(
      MustRun(model,
              "%y = rope_table %x, @t {head_dim=4} : f32[T,4]\n%p = mean_pool %y : f32[B,4]\nreturn %p", 4,
              {3}),
      want, 2 * 12 * 0x1p-25);
}

TEST(TensorOps, RopeStartsAgainInEachSequence) {
  const TestModel model{{1, 2, 3, 4}, 2, "", {}};
  // Position 0 rotates by angle 0.
  ExpectNear(RunOp(model, "rope %x {theta=10, head_dim=2}", 2), {1, 2, 3, 4});
}

TEST(TensorOps, RopeTableRefusesPositionsBeyondIt) {
  const TestModel model{{1, 2, 3, 4, 5, 6}, 2, "weight @t = rope_table : f32[2,2] {factor=100}", {}};
  const auto output =
      TryRun(model, "%y = rope_table %x, @t {head_dim=2} : f32[T,2]\n%p = mean_pool %y : f32[B,2]\nreturn %p",
             2, {3});
  ASSERT_FALSE(output);
  EXPECT_THAT(output.error().message, testing::HasSubstr("position 2, but the table has 2 positions"));
}

// Attention against its formula, for several windows and with grouped heads. The batch has two sequences, which must not
// attend to each other.
TEST(TensorOps, AttentionWithWindowsAndGroups) {
  constexpr int kTokens = 9, kHeads = 4, kKvHeads = 2, kDim = 2, kColumns = kHeads * kDim;
  std::vector<float> table;
  for (int i = 0; i < kTokens * kColumns; ++i) table.push_back(static_cast<float>(std::sin(i * 1.7)));
  const TestModel model{table, kColumns, "", {}};
  const std::vector<int32_t> lengths = {5, 4};
  for (const int window : {0, 1, 2, 3, 4, 100}) {
    const std::vector<double> got = MustRun(
        model,
        fmt::format(
            "%kv = slice %x {{offset=2, size=4}} : f32[T,4]\n%v = slice %x {{offset=4, size=4}} : f32[T,4]\n"
            "%y = attention %x, %kv, %v {{heads=4, kv_heads=2, head_dim=2, window={}}} : f32[T,8]\n"
            "%p = mean_pool %y : f32[B,8]\nreturn %p",
            window),
        kColumns, lengths);
    std::vector<double> want(2 * kColumns, 0);
    int first = 0;
    for (int s = 0; s < 2; ++s) {
      for (int i = 0; i < lengths[s]; ++i) {
        for (int h = 0; h < kHeads; ++h) {
          double sum = 0, mix[kDim] = {0, 0};
          for (int j = 0; j < lengths[s]; ++j) {
            if (window != 0 && std::abs(i - j) > window / 2) continue;
            double score = 0;
            for (int d = 0; d < kDim; ++d) {
              score += static_cast<double>(table[(first + i) * kColumns + h * kDim + d]) *
                       table[(first + j) * kColumns + 2 + h / (kHeads / kKvHeads) * kDim + d];
            }
            sum += std::exp(score);
            for (int d = 0; d < kDim; ++d) {
              mix[d] +=
                  std::exp(score) * table[(first + j) * kColumns + 4 + h / (kHeads / kKvHeads) * kDim + d];
            }
          }
          for (int d = 0; d < kDim; ++d) want[s * kColumns + h * kDim + d] += mix[d] / sum / lengths[s];
        }
      }
      first += lengths[s];
    }
    SCOPED_TRACE(window);
    ExpectNear(got, want);
  }
}

// 16-bit dots round their operands: the result is near the exact one but not equal to it. With high sharpness most
// attention weights are far below the largest weight of their row.
TEST(TensorOps, AttentionWithSixteenBitDots) {
  constexpr int kTokens = 70, kDim = 64;
  for (const double sharpness : {0.3, 3.0}) {
    std::vector<float> table;
    for (int i = 0; i < kTokens * kDim; ++i) {
      table.push_back(static_cast<float>(sharpness * std::sin(i * 1.7 + i % 13)));
    }
    const TestModel model{table, kDim, "", {}};
    const auto run = [&](const char* dots) {
      return MustRun(
          model,
          fmt::format("%k = scale %x {{scale=0.5}} : f32[T,64]\n"
                      "%y = attention %x, %k, %x {{heads=2, kv_heads=2, head_dim=32, window=40{}}} : "
                      "f32[T,64]\n%p = mean_pool %y : f32[B,64]\nreturn %p",
                      dots),
          kDim, {1, 69});
    };
    const std::vector<double> exact = run(""), rounded = run(", dots=16");
    double largest = 0;
    for (size_t i = 0; i < exact.size(); ++i) largest = std::max(largest, std::fabs(exact[i] - rounded[i]));
    // The error of a score is at most |q| |k| / 46300 sqrt(32) / 2; the relative error of a weight is equal to it.
    const double bound = sharpness * sharpness * 16 / 46300 * std::sqrt(32.0) + 1.0 / 32767;
    EXPECT_LT(largest, sharpness * bound);
    EXPECT_GT(largest, 0);
  }
}

TEST(TensorOps, Gelu) {
  const std::vector<float> table = {-3, -0.5, 0, 0.25, 1, 30};
  std::vector<double> want;
  for (const double x : table) {
    want.push_back(0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))));
  }
  ExpectNear(RunOp({table, 3, "", {}}, "gelu %x", 3), want);
}

TEST(TensorOps, SliceAndDeinterleave) {
  const TestModel model{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 6, "", {}};
  ExpectNear(RunOp(model, "slice %x {offset=2, size=3}", 3), {2, 3, 4, 8, 9, 10});
  // Granules of 2, two ways: a0 a1 b0 b1 a2 a3.
  ExpectNear(RunOp(model, "deinterleave %x {size=3, way=0, ways=2, granule=2}", 3), {0, 1, 4, 6, 7, 10});
  ExpectNear(RunOp(model, "deinterleave %x {size=2, way=1, ways=2, granule=2}", 2), {2, 3, 8, 9});
}

TEST(TensorOps, AddAndMul) {
  const TestModel model{{1, 2, 3, -4}, 2, "", {}};
  ExpectNear(RunOp(model, "add %x, %x", 2), {2, 4, 6, -8});
  ExpectNear(RunOp(model, "mul %x, %x", 2), {1, 4, 9, 16});
}

TEST(TensorOps, MeanPoolAndL2Normalize) {
  const TestModel model{{1, 2, 3, 6, 2, -2, 0, 0}, 2, "", {}};
  ExpectNear(MustRun(model, "%p = mean_pool %x : f32[B,2]\nreturn %p", 2, {3, 1}), {2, 2, 0, 0});
  ExpectNear(
      MustRun(model, "%p = mean_pool %x : f32[B,2]\n%e = l2_normalize %p : f32[B,2]\nreturn %e", 2, {3, 1}),
      {std::sqrt(0.5), std::sqrt(0.5), 0, 0});
}

TEST(TensorOps, KernelsComputeTheSameAsTheGraph) {
  const Module module = MustParse(ReadTestFile("kernel.tir"));
  const std::string graph = R"(module @tiny stage graph
    weight @embd : f32[50,64]
    weight @norm : f32[64]
    weight @w.0 : q8_0[64,64]
    weight @w.1 : q8_0[64,64]
    func @forward(%ids: i32[T]) -> (f32[B,64]) {
      %x = embed %ids, @embd {scale=8} : f32[T,64]
      %h = rms_norm %x, @norm {eps=1e-06} : f32[T,64]
      %q = quantize %h : q8[T,64]
      %y = linear %q, @w.0 : f32[T,64]
      %a = attention %y, %y, %y {heads=2, kv_heads=2, head_dim=32, window=0, dots=16} : f32[T,64]
      %h2 = rms_norm %a, @norm {eps=1e-06} : f32[T,64]
      %q2 = quantize %h2 : q8[T,64]
      %y2 = linear %q2, @w.1 : f32[T,64]
      %p = mean_pool %y2 : f32[B,64]
      %e = l2_normalize %p : f32[B,64]
      return %e
    })";
  std::vector<float> embd(50 * 64), norm(64), w(64 * 64), v(64 * 64);
  int i = 0;
  for (std::vector<float>* values : {&embd, &norm, &w, &v}) {
    for (float& value : *values) value = static_cast<float>(std::sin(++i * 0.7));
  }
  const WeightSource weights = NamedWeights({{"embd", embd}, {"norm", norm}, {"w.0", w}, {"w.1", v}});
  const InterpreterInput input{{3, 1, 4, 1, 5, 9}, {4, 2}};
  const auto kernels = Interpret(module, weights, input), whole = Interpret(MustParse(graph), weights, input);
  ASSERT_TRUE(kernels) << kernels.error().message;
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(kernels->values, whole->values);
}

TEST(Interpreter, RefusesInvalidBatches) {
  const Module module = MustParse(ReadTestFile("kernel.tir"));
  const auto message = [&](InterpreterInput input) {
    const auto output = Interpret(module, NamedWeights({}), input);
    return output ? "" : output.error().message;
  };
  EXPECT_EQ(message({{}, {}}), "the batch has no sequences");
  EXPECT_EQ(message({{1, 2}, {2, 0}}), "sequence 1: length 0, expected more than 0");
  EXPECT_EQ(message({{1, 2}, {3}}), "2 ids, but the sequences have 3 tokens in all");
  EXPECT_THAT(message({{1}, {2000000000, 2000000000}}), testing::HasSubstr("more than"));
  EXPECT_EQ(message({{1}, {1}}), "no weight @embd");
}

TEST(Interpreter, RefusesModulesThatDoNotVerify) {
  const Module module = MustParse("module @m stage graph\n");
  const auto output = Interpret(module, NamedWeights({}), {{1}, {1}});
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().message, "the first function must be @forward");
}

}  // namespace
}  // namespace ggufc::ir
