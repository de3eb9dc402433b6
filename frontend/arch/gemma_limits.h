// The sizes that a gemma-embedding model may have: what the reader takes, and so what is written.
#pragma once

#include <cstdint>

namespace ggufc::frontend {

// Far above any model's sizes. What the compiler builds grows with them and not with the file: rows of
// activations, tables of rotations (8 bytes a position and dimension in the two of them), the program itself.
inline constexpr int64_t kMaxLayers = 256;
inline constexpr int64_t kMaxDim = 16384;
inline constexpr int64_t kMaxHeads = 1024;
inline constexpr int64_t kMaxHeadDim = 1024;
inline constexpr int64_t kMaxProjection = 32768;  // heads * head_dim
inline constexpr int64_t kMaxFfn = 131072;
inline constexpr int64_t kMaxContext = int64_t{1} << 17;
inline constexpr int64_t kMaxRotations = int64_t{1} << 23;  // context_length * head_dim
// (heads / kv_heads) * context_length. Attention's scratch is, a thread, 16 queries of each of these heads by at most 4.13
// bytes a key (passes/lower/tile_attention.cpp, passes/lower/tile_integer_attention.cpp): 35 MB, and at most 6 MB for the queries
// and the results. Four heads of 131,072 tokens fit; EmbeddingGemma has three of 2,048.
inline constexpr int64_t kMaxScores = int64_t{1} << 19;
inline constexpr int64_t kMaxWindow = int64_t{1} << 20;
inline constexpr int64_t kMaxPattern = 512;
inline constexpr int64_t kMaxDenseWidth = 131072;
inline constexpr double kLeastEps = 1e-12, kMostEps = 0.1;
inline constexpr double kLeastTheta = 1, kMostTheta = 1e12;

}  // namespace ggufc::frontend
