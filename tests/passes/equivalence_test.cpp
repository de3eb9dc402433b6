// Every pass keeps what a model computes, for models of random shapes.
#include "equivalence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "ir/random_weights.h"
#include "random_model.h"

namespace ggufc::passes {
namespace {

class EquivalenceTest : public testing::TestWithParam<std::tuple<ir::Scalar, uint64_t>> {};

TEST_P(EquivalenceTest, EveryPassPreservesTheModel) {
  const auto [weights, seed] = GetParam();
  RandomModel model = MakeRandomModel(seed, weights);
  constexpr ir::Scalar kActivations[] = {ir::Scalar::kQ16, ir::Scalar::kQ8, ir::Scalar::kQ7};
  model.context.activations = kActivations[seed % 3];
  SCOPED_TRACE(Describe(model));
  const ModelShape& s = model.shape;
  const int64_t longest_dot = std::max({s.dim, s.ffn, s.heads * s.head_dim, s.dense});
  ExpectEveryPassPreserves(
      {BuildModel(s),
       ir::RandomWeights(seed),
       model.input,
       model.context,
       {static_cast<double>(s.layers), static_cast<double>(longest_dot), static_cast<double>(s.head_dim)}});
}

std::string CaseName(const testing::TestParamInfo<EquivalenceTest::ParamType>& info) {
  return fmt::format("{}_{}", ir::Name(std::get<0>(info.param)), std::get<1>(info.param));
}

INSTANTIATE_TEST_SUITE_P(Quantized, EquivalenceTest,
                         testing::Combine(testing::Values(ir::Scalar::kQ8_0),
                                          testing::Range<uint64_t>(0, 24)),
                         CaseName);
INSTANTIATE_TEST_SUITE_P(Float, EquivalenceTest,
                         testing::Combine(testing::Values(ir::Scalar::kF32, ir::Scalar::kF16,
                                                          ir::Scalar::kBF16),
                                          testing::Range<uint64_t>(0, 8)),
                         CaseName);

}  // namespace
}  // namespace ggufc::passes
