// For one activation mode, the loop stage computes the same bits for every cut and order of its work items, for every
// target, and for every batch that contains the sequence.
#include <gtest/gtest.h>

#include "ir/interpret/random_weights.h"
#include "passes/pipeline.h"
#include "random_model.h"

namespace ggufc::passes {
namespace {

using ir::InterpreterInput;
using ir::InterpreterOutput;
using ir::Scalar;

struct Mode {
  const char* name;
  Scalar weights;
  Scalar activations;
};
constexpr Mode kModes[] = {{"q16", Scalar::kQ8_0, Scalar::kQ16}, {"q8", Scalar::kQ8_0, Scalar::kQ8},
                           {"q7", Scalar::kQ8_0, Scalar::kQ7},   {"f32", Scalar::kF32, Scalar::kQ16},
                           {"f16", Scalar::kF16, Scalar::kQ16},  {"bf16", Scalar::kBF16, Scalar::kQ16}};

class OneAnswerTest : public testing::TestWithParam<std::tuple<Mode, uint64_t>> {
 protected:
  void SetUp() override {
    const auto& [mode, seed] = GetParam();
    model_ = MakeRandomModel(seed, mode.weights);
    model_.context.activations = mode.activations;
  }

  Result<ir::Module> Compile(const ir::TargetInfo& target) const {
    PassContext context = model_.context;
    context.target = target;
    ir::Module module = BuildModel(model_.shape);
    RETURN_IF_ERROR(RunPipeline(module, context));
    return module;
  }
  Result<InterpreterOutput> Run(const ir::Module& module, const InterpreterInput& input) const {
    return ir::Interpret(module, ir::RandomWeights(model_.seed), input);
  }

  RandomModel model_;
};

TEST_P(OneAnswerTest, CutsDoNotMatter) {
  SCOPED_TRACE(Describe(model_));
  const Result<ir::Module> module = Compile(model_.context.target);
  ASSERT_TRUE(module.has_value()) << module.error().message;
  const Result<InterpreterOutput> whole = Run(*module, model_.input);
  ASSERT_TRUE(whole.has_value()) << whole.error().message;

  struct Cut {
    int64_t rows, cols;
  };
  uint64_t order = model_.seed;
  for (const Cut cut : {Cut{1, 1}, Cut{3, 0}, Cut{0, 2}, Cut{7, 3}}) {
    SCOPED_TRACE(fmt::format("items of {} rows, {} column units, order {}", cut.rows, cut.cols, ++order));
    InterpreterInput input = model_.input;
    input.max_rows = cut.rows;
    input.max_cols = cut.cols;
    input.seed = order;
    const Result<InterpreterOutput> parts = Run(*module, input);
    ASSERT_TRUE(parts.has_value()) << parts.error().message;
    EXPECT_EQ(FirstDifference(*parts, *whole), "");
  }
}

TEST_P(OneAnswerTest, TargetsDoNotMatter) {
  SCOPED_TRACE(Describe(model_));
  const Result<ir::Module> module = Compile(model_.context.target);
  ASSERT_TRUE(module.has_value()) << module.error().message;
  const Result<InterpreterOutput> first = Run(*module, model_.input);
  ASSERT_TRUE(first.has_value()) << first.error().message;

  std::vector<ir::TargetInfo> targets(5);
  targets[0].name = "12 rows, sums in registers, quads";
  targets[0].rows = 12;
  targets[0].sums_in_registers = true;
  targets[0].fused_dot = true;
  targets[0].pack_q8 = targets[0].pack_q7 = 4;
  targets[1].name = "6 rows, quads";
  targets[1].pack_q8 = targets[1].pack_q7 = 4;
  targets[2].name = "6 rows, seven bits in quads";
  targets[2].pack_q7 = 4;
  targets[2].seven_bit_dot = true;
  targets[3].name = "4 rows, sums in registers, row blocks of 7";
  targets[3].rows = 4;
  targets[3].sums_in_registers = true;
  targets[3].row_block = 7;
  targets[4].name = "1 row, row blocks of 1";
  targets[4].rows = targets[4].row_block = 1;
  for (const ir::TargetInfo& target : targets) {
    SCOPED_TRACE(target.name);
    const Result<ir::Module> other = Compile(target);
    ASSERT_TRUE(other.has_value()) << other.error().message;
    const Result<InterpreterOutput> output = Run(*other, model_.input);
    ASSERT_TRUE(output.has_value()) << output.error().message;
    EXPECT_EQ(FirstDifference(*output, *first), "");
  }
}

TEST_P(OneAnswerTest, OtherSequencesOfTheBatchDoNotMatter) {
  SCOPED_TRACE(Describe(model_));
  const Result<ir::Module> module = Compile(model_.context.target);
  ASSERT_TRUE(module.has_value()) << module.error().message;
  const Result<InterpreterOutput> together = Run(*module, model_.input);
  ASSERT_TRUE(together.has_value()) << together.error().message;

  size_t first = 0;
  for (size_t i = 0; i < model_.input.lengths.size(); ++i) {
    SCOPED_TRACE(fmt::format("sequence {} of {}", i, model_.input.lengths.size()));
    const auto length = static_cast<size_t>(model_.input.lengths[i]);
    const auto begin = model_.input.ids.begin() + static_cast<std::ptrdiff_t>(first);
    InterpreterInput input;
    input.ids.assign(begin, begin + static_cast<std::ptrdiff_t>(length));
    input.lengths = {model_.input.lengths[i]};
    first += length;
    const Result<InterpreterOutput> alone = Run(*module, input);
    ASSERT_TRUE(alone.has_value()) << alone.error().message;
    InterpreterOutput row{1, together->columns, {}};
    const auto values = together->values.begin() + static_cast<std::ptrdiff_t>(i) * together->columns;
    row.values.assign(values, values + together->columns);
    EXPECT_EQ(FirstDifference(*alone, row), "");
  }
}

std::string CaseName(const testing::TestParamInfo<OneAnswerTest::ParamType>& info) {
  return fmt::format("{}_{}", std::get<0>(info.param).name, std::get<1>(info.param));
}

INSTANTIATE_TEST_SUITE_P(Models, OneAnswerTest,
                         testing::Combine(testing::ValuesIn(kModes), testing::Range<uint64_t>(100, 104)),
                         CaseName);

}  // namespace
}  // namespace ggufc::passes
