// The architecture "gemma-embedding" (EmbeddingGemma): a Gemma 3 encoder with bidirectional attention, mean
// pooling and two optional dense modules.
//
//   x = embed(ids) * sqrt(dim)
//   per layer:
//     h = rms(x) g1;  q, k, v = h Wq, h Wk, h Wv
//     q = rope(rms_head(q) gq) / sqrt(head_dim);  k = rope(rms_head(k) gk)
//     x = x + rms(attention(q, k, v) Wo) g2
//     h = rms(x) g3;  x = x + rms((gelu_tanh(h Wgate) * (h Wup)) Wdown) g4
//   e = mean over tokens(rms(x) g5);  e = e Wdense2 Wdense3 if present;  e = e[:dims];  e = e / |e|
//
// Source: llama.cpp's gemma-embedding and the Gemma 3 of Hugging Face transformers. Norm gains in GGUF files include the 1
// that Gemma's norms add. The dense modules have neither bias nor activation.
#pragma once

#include "frontend/arch/architecture.h"

namespace ggufc::frontend {

// Keys (after the prefix "gemma-embedding."): block_count, embedding_length, feed_forward_length, context_length,
// attention.head_count, attention.head_count_kv, attention.key_length, attention.layer_norm_rms_epsilon,
// attention.sliding_window and rope.freq_base are required. Optional: rope.freq_base_swa (10000),
// attention.sliding_window_pattern (6: every sixth layer is global), pooling_type (1, mean, the
// only supported value), dense_2_feat_in/out and dense_3_feat_in/out (must agree with the tensors),
// attention.value_length and rope.dimension_count (must equal key_length). RoPE scaling and causal attention
// are errors. Limits are those of gemma_limits.h. Norm gains must be f32; matrices may have any supported type. Warnings: no
// dense modules, a window of 257, tensors that the architecture does not use.
Result<Hparams> ReadGemmaEmbeddingHparams(const GgufFile& file);

Result<ir::Module> ImportGemmaEmbedding(const GgufFile& file, const Hparams& config,
                                        const ImportOptions& options);

}  // namespace ggufc::frontend
