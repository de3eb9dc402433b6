// The graph of a gemma-embedding model as IR text, as an importer makes it before the passes, for any shape. Tests take
// the weights from ir::RandomWeights.
#pragma once

#include <cstdint>
#include <string>

#include "ir/core/module.h"

namespace ggufc::passes {

struct ModelShape {
  int64_t dim = 64;
  int64_t heads = 2;
  int64_t kv_heads = 1;
  int64_t head_dim = 32;
  int64_t ffn = 96;
  int64_t layers = 1;
  int64_t window = 8;        // 0: every layer is global
  int64_t global_every = 6;  // layer i is global when (i + 1) % global_every == 0
  int64_t vocab = 50;
  ir::Scalar weights = ir::Scalar::kQ8_0;
  int64_t dense = 0;  // width between the two dense modules; 0: none
  int64_t dims = 0;   // columns of an embedding; 0: dim
  bool normalize = true;
};

std::string ModelText(const ModelShape& shape);
// ModelText, parsed and verified (a CHECK).
ir::Module BuildModel(const ModelShape& shape);
// All fields, for failure messages.
std::string Describe(const ModelShape& shape);

}  // namespace ggufc::passes
