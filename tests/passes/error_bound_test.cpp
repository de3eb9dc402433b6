// The derived errors have the size of the real errors: not smaller, and not so large that they hide a wrong constant.
#include "error_bound.h"

#include <gtest/gtest.h>

#include <random>

#include "ir/interpret/random_weights.h"
#include "ir/text/parser.h"
#include "passes/pipeline.h"
#include "random_model.h"

namespace ggufc::passes {
namespace {

struct Case {
  const char* name;
  const char* weights;
  const char* body;               // %x, f32[T,64], to %y of the same shape
  const char* off;                // the same with a slightly wrong constant
  double min_errors, max_errors;  // standard errors between double and f32
};

constexpr Case kCases[] = {
    {"Linear", "weight @w : f32[64,64]\n", "%y = linear %x, @w : f32[T,64]",
     "%a = scale %x {scale=1.00001} : f32[T,64]\n%y = linear %a, @w : f32[T,64]", 0.01, 2},
    {"Norm", "weight @w : f32[16]\n", "%y = rms_norm %x, @w {eps=1e-06, group=16} : f32[T,64]",
     "%y = rms_norm %x, @w {eps=1.00001e-03, group=16} : f32[T,64]", 0.01, 2},
    {"L2", "", "%y = l2_normalize %x : f32[T,64]",
     "%a = l2_normalize %x : f32[T,64]\n%y = scale %a {scale=1.00001} : f32[T,64]", 0.01, 2},
    {"Gelu", "", "%y = gelu %x : f32[T,64]",
     "%a = scale %x {scale=1.00001} : f32[T,64]\n%y = gelu %a : f32[T,64]", 0.01, 2},
    {"Rope", "", "%y = rope %x {theta=10000, head_dim=32} : f32[T,64]",
     "%y = rope %x {theta=10010, head_dim=32} : f32[T,64]", 0.01, 2},
    {"MulAndAdd", "", "%a = mul %x, %x : f32[T,64]\n%y = add %a, %x : f32[T,64]",
     "%a = mul %x, %x : f32[T,64]\n%b = scale %a {scale=1.00001} : f32[T,64]\n%y = add %b, %x : f32[T,64]",
     0.01, 2},
    {"Attention", "weight @k : f32[64,64]\n",
     "%k = linear %x, @k : f32[T,64]\n"
     "%y = attention %x, %k, %x {heads=2, kv_heads=2, head_dim=32, window=8} : f32[T,64]",
     "%k = linear %x, @k : f32[T,64]\n%q = scale %x {scale=1.001} : f32[T,64]\n"
     "%y = attention %q, %k, %x {heads=2, kv_heads=2, head_dim=32, window=8} : f32[T,64]",
     0.001, 2},
};

class ErrorBoundTest : public testing::TestWithParam<Case> {
 protected:
  static ir::Module Graph(const char* weights, const char* body) {
    Result<ir::Module> module = ir::Parse(
        fmt::format(
            "module @m stage graph\nweight @e : f32[40,64]\n{}func @forward(%0: i32[T]) -> (f32[B,64]) {{\n"
            "%x = embed %0, @e {{scale=8}} : f32[T,64]\n{}\n%p = mean_pool %y : f32[B,64]\nreturn %p\n}}\n",
            weights, body),
        "case");
    EXPECT_TRUE(module.has_value()) << module.error().message;
    return std::move(*module);
  }
  ir::InterpreterOutput Run(const ir::Module& module) const {
    Result<ir::InterpreterOutput> output = ir::Interpret(module, ir::RandomWeights(3), batch_);
    EXPECT_TRUE(output.has_value()) << output.error().message;
    return std::move(*output);
  }
  std::vector<double> Errors(const ir::Module& module, const Noise& noise) const {
    Result<std::vector<double>> errors = StandardErrors(module, ir::RandomWeights(3), batch_, noise);
    EXPECT_TRUE(errors.has_value()) << errors.error().message;
    return std::move(*errors);
  }
  static ir::InterpreterInput Batch() {
    std::mt19937_64 random(1);
    return RandomBatch(random, 3, 20, 40);
  }
  const ir::InterpreterInput batch_ = Batch();
};

TEST_P(ErrorBoundTest, MatchesTheErrorOfF32) {
  const ir::Module graph = Graph(GetParam().weights, GetParam().body);
  ir::Module loops = graph;
  const Status lowered = RunPipeline(loops, PassContext());
  ASSERT_TRUE(lowered.has_value()) << lowered.error().message;
  const double errors =
      InStandardErrors(Run(loops), Run(graph), Errors(graph, {.roundoff = kF32Roundoff, .folded = true}));
  EXPECT_GE(errors, GetParam().min_errors);
  EXPECT_LE(errors, GetParam().max_errors);
}

TEST_P(ErrorBoundTest, FindsASlightlyWrongConstant) {
  const ir::Module graph = Graph(GetParam().weights, GetParam().body);
  const ir::Module off = Graph(GetParam().weights, GetParam().off);
  EXPECT_GT(InStandardErrors(Run(off), Run(graph), Errors(graph, {.roundoff = kF32Roundoff, .folded = true})),
            kMaxStandardErrors);
}

// An error of a whole step in every value of a block would be at least 2 standard errors before the linear.
TEST_F(ErrorBoundTest, QuantizedValuesHaveAnErrorOfAtMostHalfAStep) {
  const char* const weights = "weight @w : q8_0[64,64]\n";
  const ir::Module graph = Graph(weights, "%y = linear %x, @w : f32[T,64]");
  for (const char* type : {"q16", "q8", "q7"}) {
    SCOPED_TRACE(type);
    const ir::Module quantized = Graph(
        weights, fmt::format("%q = quantize %x : {}[T,64]\n%y = linear %q, @w : f32[T,64]", type).c_str());
    const double errors =
        InStandardErrors(Run(quantized), Run(graph), Errors(quantized, {.quantized = true}));
    EXPECT_GE(errors, 0.05);
    EXPECT_LE(errors, 1.5);
  }
}

TEST_F(ErrorBoundTest, EqualRowsHaveNoErrorAndNanHasInfiniteError) {
  const ir::InterpreterOutput one{1, 2, {1, 2}}, other{1, 2, {1, 2.5}}, nan{1, 2, {1, std::nan("")}};
  EXPECT_EQ(InStandardErrors(one, one, {0, 0}), 0);
  EXPECT_EQ(InStandardErrors(one, other, {0, 0}), std::numeric_limits<double>::infinity());
  EXPECT_EQ(InStandardErrors(one, nan, {1, 1}), std::numeric_limits<double>::infinity());
  EXPECT_EQ(InStandardErrors(one, {2, 1, {1, 2}}, {1, 1}), std::numeric_limits<double>::infinity());
  EXPECT_DOUBLE_EQ(InStandardErrors(one, other, {0.3, 0.4}), 1);
}

INSTANTIATE_TEST_SUITE_P(Ops, ErrorBoundTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace ggufc::passes
