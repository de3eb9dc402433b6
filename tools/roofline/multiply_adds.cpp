#include "tools/roofline/multiply_adds.h"

#include <algorithm>

namespace ggufc::roofline {

MultiplyAdds CountMultiplyAdds(const frontend::Hparams& config) {
  const auto dim = static_cast<double>(config.dim);
  const auto q = static_cast<double>(config.heads * config.head_dim);
  const auto kv = static_cast<double>(config.kv_heads * config.head_dim);
  MultiplyAdds count;
  count.linear_per_token = static_cast<double>(config.layers) *
                           (dim * (q + 2 * kv) + q * dim + 3 * dim * static_cast<double>(config.ffn));
  count.dense_per_document =
      static_cast<double>(config.dense_hidden) * (dim + static_cast<double>(config.output_dim));
  return count;
}

double AttentionMultiplyAdds(const frontend::Hparams& config, int64_t tokens) {
  const auto n = static_cast<double>(tokens);
  // n tokens that attend to h neighbours on each side: n (2h + 1) pairs, less those beyond the two ends.
  const auto h = static_cast<double>(std::min(config.window / 2, tokens - 1));
  const double local_pairs = n * (2 * h + 1) - h * (h + 1);
  double pairs = 0;
  for (int64_t layer = 0; layer < config.layers; ++layer)
    pairs += config.IsGlobal(layer) ? n * n : local_pairs;
  return 2 * pairs * static_cast<double>(config.heads * config.head_dim);  // scores, and sums of values
}

double BatchMultiplyAdds(const frontend::Hparams& config, std::span<const int32_t> lengths) {
  const MultiplyAdds count = CountMultiplyAdds(config);
  double sum = 0;
  for (const int32_t length : lengths) {
    sum += count.linear_per_token * length + count.dense_per_document + AttentionMultiplyAdds(config, length);
  }
  return sum;
}

}  // namespace ggufc::roofline
