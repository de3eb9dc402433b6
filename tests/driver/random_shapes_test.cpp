// Models of shapes drawn here against the interpreter of the graph stage, in double precision.
#include <gtest/gtest.h>

#include "ir/interpret/interpreter.h"
#include "test_models.h"

namespace ggufc::testing {
namespace {

class RandomShapesTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(RandomShapesTest, GeneratedCodeAgreesWithTheInterpreter) {
  const RandomModel random_model(GetParam());
  SCOPED_TRACE(random_model.Describe());
  std::mt19937_64 random(GetParam() + 1000);
  Batch batch;
  const int count = std::uniform_int_distribution<int>(1, 9)(random);
  for (int i = 0; i < count; ++i) {
    // Mostly short, sometimes up to 300 tokens; the interpreter is slow.
    const int64_t most = i == 0 ? 300 : 40;
    batch.Add(RandomIds(random, random_model.options.vocab,
                        std::uniform_int_distribution<int64_t>(1, most)(random)));
  }
  driver::CompileOptions options;
  if (GetParam() % 3 == 1) options.dims = std::max<int64_t>(1, random_model.options.dim / 2);
  if (GetParam() % 5 == 2) options.normalize = false;

  const ir::Module graph = Value(driver::ImportGraph(*random_model.model, options));
  const ir::InterpreterOutput truth =
      Value(ir::Interpret(graph, frontend::FileWeights(random_model.model->file()),
                          {.ids = batch.ids, .lengths = batch.lengths}));
  const Build build{&codegen::NativeTarget(), false};
  for (const ir::Scalar mode : {ir::Scalar::kQ16, ir::Scalar::kQ8, ir::Scalar::kQ7}) {
    const auto embedder = PoisonedEmbedder(
        random_model.model, CompileFor(*random_model.model, build, mode, options), {.threads = 2});
    ASSERT_EQ(static_cast<int64_t>(embedder->dims()), truth.columns);
    const std::vector<float> out = Embed(*embedder, batch);
    for (int64_t row = 0; row < truth.rows; ++row) {
      EXPECT_LE(CosineDistance(out.data() + row * truth.columns, truth.values.data() + row * truth.columns,
                               truth.columns),
                Tolerance(random_model.options.type, mode))
          << driver::ActivationsName(mode) << ", sequence " << row << " of "
          << batch.lengths[static_cast<size_t>(row)] << " tokens";
    }
    if (random_model.options.type != frontend::GgmlType::Q8_0) break;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomShapesTest, ::testing::Range<uint64_t>(100, 124));

}  // namespace
}  // namespace ggufc::testing
