// One answer: an embedding does not depend on the batch it came in, its place there, the number of threads, how the
// work was cut, or the target. Equality of bits, on golden and on random models.
#include <gtest/gtest.h>

#include <algorithm>

#include "test_models.h"

namespace ggufc::testing {
namespace {

std::vector<std::vector<int32_t>> Sequences(std::mt19937_64& random, int64_t vocab, int64_t context) {
  std::vector<std::vector<int32_t>> sequences;
  for (const int64_t length : {1, 2, 15, 16, 17, 33, 100, 250, 7}) {
    sequences.push_back(RandomIds(random, vocab, std::min(length, context)));
  }
  return sequences;
}

void ExpectOneAnswer(const std::shared_ptr<driver::SourceModel>& model, const Build& build, ir::Scalar mode,
                     const std::vector<std::vector<int32_t>>& sequences,
                     std::vector<std::vector<float>>& reference) {
  std::mt19937_64 random(7);
  const driver::CompiledProgram compiled = CompileFor(*model, build, mode);
  const auto alone = PoisonedEmbedder(model, compiled, {.threads = 1});
  const size_t dims = alone->dims();
  if (reference.empty()) {
    for (const auto& sequence : sequences) {
      Batch batch;
      batch.Add(sequence);
      reference.push_back(Embed(*alone, batch));
    }
  }
  const auto expect_batch = [&](runtime::Embedder& embedder, const std::vector<size_t>& order,
                                const char* how) {
    Batch batch;
    for (const size_t i : order) batch.Add(sequences[i]);
    const std::vector<float> out = Embed(embedder, batch);
    for (size_t row = 0; row < order.size(); ++row) {
      const std::vector<float> one(out.begin() + static_cast<std::ptrdiff_t>(row * dims),
                                   out.begin() + static_cast<std::ptrdiff_t>((row + 1) * dims));
      EXPECT_EQ(one, reference[order[row]])
          << how << ", place " << row << ", " << sequences[order[row]].size() << " tokens";
    }
  };
  std::vector<size_t> order(sequences.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  for (const size_t i : order) expect_batch(*alone, {i}, "alone");
  expect_batch(*alone, order, "one batch");
  std::shuffle(order.begin(), order.end(), random);
  expect_batch(*alone, order, "shuffled");
  order.resize(4);
  expect_batch(*alone, order, "four of them");

  order = {8, 0, 7, 6, 5, 4, 3, 2, 1};
  expect_batch(*PoisonedEmbedder(model, compiled, {.threads = 2}), order, "two threads");
  expect_batch(*PoisonedEmbedder(model, compiled, {.threads = 1, .chunk_tokens = 120}), order, "in chunks");
  runtime::ExecutorOptions cut{.threads = 2};
  cut.cut = {.max_rows = 3, .max_cols = 2, .seed = 11};
  expect_batch(*PoisonedEmbedder(model, compiled, cut), order, "cut at random");
}

TEST(OneAnswer, GoldenModels) {
  for (const char* name : {"tiny-q8_0.gguf", "tiny-nodense.gguf", "tiny-f32.gguf"}) {
    const auto model = Value(driver::SourceModel::Open(DataPath(name)));
    std::mt19937_64 random(1);
    const auto sequences = Sequences(random, model->config().vocab, model->config().context_length);
    for (const ir::Scalar mode : {ir::Scalar::kQ16, ir::Scalar::kQ8, ir::Scalar::kQ7}) {
      if (mode != ir::Scalar::kQ16 && std::string(name) != "tiny-q8_0.gguf") continue;
      std::vector<std::vector<float>> reference;
      for (const Build& build : AllBuilds()) {
        SCOPED_TRACE(fmt::format("{} {} {}", name, build.Name(), driver::ActivationsName(mode)));
        ExpectOneAnswer(model, build, mode, sequences, reference);
        if (HasFailure()) return;
      }
    }
  }
}

TEST(OneAnswer, RandomModels) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    const RandomModel random_model(seed);
    std::mt19937_64 random(seed);
    const auto sequences = Sequences(random, random_model.options.vocab, random_model.options.context);
    constexpr ir::Scalar kModes[] = {ir::Scalar::kQ16, ir::Scalar::kQ8, ir::Scalar::kQ7};
    const ir::Scalar mode = kModes[seed % 3];
    std::vector<std::vector<float>> reference;
    for (const Build& build : AllBuilds()) {
      SCOPED_TRACE(
          fmt::format("{} on {} {}", random_model.Describe(), build.Name(), driver::ActivationsName(mode)));
      ExpectOneAnswer(random_model.model, build, mode, sequences, reference);
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace ggufc::testing
