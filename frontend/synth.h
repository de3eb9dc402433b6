// Synthetic models: a gemma-embedding GGUF with true shapes and random weights. For tests and benchmarks that
// must not depend on a download: speed, memory and numerics of a model depend on its shapes and on the
// statistics of its activations.
//
// Weights are N(0, 1/sqrt(fan_in)) (a sum of four uniform numbers, so |w| < 3.5 / sqrt(fan_in)); norm gains
// scatter around 1. As in trained models of this family a few channels of the residual stream are much larger
// than the others: there the gains of the two norms that write to the stream are `outlier_gain` times the
// usual.
//
// A file is a function of its options and its tokenizer: weights come from a counter-based generator keyed by
// seed, tensor name and element, and only IEEE basic operations are used, so that every machine writes the
// same bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "frontend/gguf/gguf_format.h"
#include "support/result.h"

namespace ggufc::frontend {

// The defaults are EmbeddingGemma 300M.
struct SynthOptions {
  uint32_t layers = 24;
  uint32_t dim = 768;
  uint32_t heads = 3;
  uint32_t kv_heads = 1;
  uint32_t head_dim = 256;
  uint32_t ffn = 1152;
  uint32_t vocab = 262144;
  uint32_t window = 512;
  uint32_t context = 2048;
  uint32_t dense = 3072;           // width between the two dense layers; 0: a model without them
  GgmlType type = GgmlType::Q8_0;  // of all matrices; vectors are f32
  uint64_t seed = 1;
  float outlier_gain = 20.0f;  // 1: none
};

// Bytes of tensor data written so far and in all.
using SynthProgress = std::function<void(uint64_t done, uint64_t total)>;

// Writes the model to `out` (through a temporary file, see gguf_writer.h). Without a tokenizer.json the
// vocabulary is the built-in one of token_table.h. Errors: an option outside its limits, a bad
// tokenizer.json, what the system reports when writing. 300M parameters of q8_0 take about 2 s on one 2.9 GHz
// Zen 4 core.
Status WriteSyntheticModel(const SynthOptions& options, const std::optional<std::string>& tokenizer_json_path,
                           const std::string& out, const SynthProgress& progress = {});

}  // namespace ggufc::frontend
