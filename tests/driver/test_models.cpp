#include "test_models.h"

#include <unistd.h>

#include <cmath>

#include "support/check.h"

namespace ggufc::testing {

driver::CompiledProgram CompileFor(const driver::SourceModel& model, const Build& build,
                                   ir::Scalar activations, driver::CompileOptions options) {
  options.target = build.target;
  options.activations = activations;
  options.emit.replace_intrinsics = build.replace_intrinsics;
  return Value(driver::CompileProgram(model, options));
}

std::unique_ptr<runtime::Embedder> PoisonedEmbedder(const std::shared_ptr<driver::SourceModel>& model,
                                                    const driver::CompiledProgram& compiled,
                                                    runtime::ExecutorOptions executor) {
  executor.poison = true;
  return Value(driver::MakeEmbedder(model, compiled, executor));
}

std::vector<float> Embed(runtime::Embedder& embedder, const Batch& batch) {
  std::vector<float> out(batch.lengths.size() * embedder.dims());
  const Status status = embedder.Run(batch.ids, batch.lengths, out.data());
  CHECK(status.has_value(), "{}", status.error().message);
  return out;
}

double Tolerance(frontend::GgmlType weights, ir::Scalar activations) {
  if (weights != frontend::GgmlType::Q8_0 || activations == ir::Scalar::kQ16) return 1e-7;
  return activations == ir::Scalar::kQ8 ? 1.2e-3 : 6e-3;
}

RandomModel::RandomModel(uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto draw = [&](int64_t lo, int64_t hi) {
    return static_cast<uint32_t>(std::uniform_int_distribution<int64_t>(lo, hi)(random));
  };
  constexpr frontend::GgmlType kTypes[] = {frontend::GgmlType::Q8_0, frontend::GgmlType::Q8_0,
                                           frontend::GgmlType::F32, frontend::GgmlType::F16,
                                           frontend::GgmlType::BF16};
  options.type = kTypes[draw(0, 4)];
  // q8_0 rows are whole blocks of 32; the other types take any width.
  const bool blocks = options.type == frontend::GgmlType::Q8_0;
  const auto width = [&](int64_t lo, int64_t hi) {
    return blocks ? 32 * draw(lo, hi) : draw(32 * lo, 32 * hi);
  };
  options.layers = draw(1, 3);
  options.dim = width(1, 6);
  options.kv_heads = draw(1, 3);
  options.heads = options.kv_heads * draw(1, 3);
  constexpr uint32_t kHeadDims[] = {32, 64, 96, 128, 256};
  options.head_dim = blocks ? kHeadDims[draw(0, 4)] : 2 * draw(16, 64);
  options.ffn = width(1, 8);
  options.dense = draw(0, 2) == 0 ? 0 : width(1, 5);
  options.vocab = 700;
  options.context = 320;
  // A channel 20 times as large as its block, as synth makes them by default, costs i8 more in a narrow model, where
  // every block has one, than in one of full size: 1.4e-3 at the worst for single tokens. Here shapes are what is tested.
  options.outlier_gain = 4.0f;
  options.window = draw(0, 1) == 0 ? draw(2, 40) : draw(40, 500);
  options.seed = seed;
  path = fmt::format("{}/ggufc-random-{}-{}.gguf", ::testing::TempDir(), getpid(), seed);
  const Status written = frontend::WriteSyntheticModel(options, std::nullopt, path);
  CHECK(written.has_value(), "{}", written.error().message);
  model = Value(driver::SourceModel::Open(path));
}

RandomModel::~RandomModel() { unlink(path.c_str()); }

std::string RandomModel::Describe() const {
  return fmt::format(
      "seed {}: type {}, {} layers, dim {}, heads {}, kv_heads {}, head_dim {}, ffn {}, dense {}, window {}",
      options.seed, static_cast<int>(options.type), options.layers, options.dim, options.heads,
      options.kv_heads, options.head_dim, options.ffn, options.dense, options.window);
}

std::vector<int32_t> RandomIds(std::mt19937_64& random, int64_t vocab, int64_t length) {
  std::vector<int32_t> ids(static_cast<size_t>(length));
  for (int32_t& id : ids)
    id = std::uniform_int_distribution<int32_t>(0, static_cast<int32_t>(vocab - 1))(random);
  return ids;
}

}  // namespace ggufc::testing
