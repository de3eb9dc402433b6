// Multiply-adds of a batch, counted from the hyperparameters of the model.
#pragma once

#include <cstdint>
#include <span>

#include "frontend/arch/architecture.h"

namespace ggufc::roofline {

// Multiply-adds of the linears of all layers, and of the dense modules. Attention counts only pairs of tokens that attend
// to each other.
struct MultiplyAdds {
  double linear_per_token = 0;
  double dense_per_document = 0;
};
MultiplyAdds CountMultiplyAdds(const frontend::Hparams& config);
double AttentionMultiplyAdds(const frontend::Hparams& config, int64_t tokens);
double BatchMultiplyAdds(const frontend::Hparams& config, std::span<const int32_t> lengths);

}  // namespace ggufc::roofline
