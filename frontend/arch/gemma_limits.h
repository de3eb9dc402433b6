// Limits of the sizes of a gemma-embedding model, for reading and writing.
#pragma once

#include <cstdint>

namespace ggufc::frontend {

// The limits are far above any model's sizes. They bound memory that grows with the sizes and not with the file: rows of
// activations, rope tables (the two of them take 8 bytes per position and dimension), the program itself.
inline constexpr int64_t kMaxLayers = 256;
inline constexpr int64_t kMaxDim = 16384;
inline constexpr int64_t kMaxHeads = 1024;
inline constexpr int64_t kMaxHeadDim = 1024;
inline constexpr int64_t kMaxProjection = 32768;  // heads * head_dim
inline constexpr int64_t kMaxFfn = 131072;
inline constexpr int64_t kMaxContext = int64_t{1} << 17;
inline constexpr int64_t kMaxRotations = int64_t{1} << 23;  // context_length * head_dim
// (heads / kv_heads) * context_length. Per thread, the scratch memory of attention has at most 4.13 bytes per key for 16
// queries of each of these heads (passes/lower/tile_attention.cpp, passes/lower/tile_integer_attention.cpp), which is 35
// MB, and at most 6 MB for queries and results. Four heads of 131,072 tokens fit; EmbeddingGemma has three of 2,048.
inline constexpr int64_t kMaxScores = int64_t{1} << 19;
inline constexpr int64_t kMaxWindow = int64_t{1} << 20;
inline constexpr int64_t kMaxPattern = 512;
inline constexpr int64_t kMaxDenseWidth = 131072;
inline constexpr double kLeastEps = 1e-12, kMostEps = 0.1;
inline constexpr double kLeastTheta = 1, kMostTheta = 1e12;

}  // namespace ggufc::frontend
