// The values of tensors: decodes rows to f32, encodes f32 rows to a tensor type, and scans for values that are not finite.
//
// All of them take tensors of supported types only (IsSupportedType).
//
// Decoding is exact: f16, bf16 and q8_0 (f16 scale times int8, 11 + 8 significant bits) all fit in an f32.
// Encoding rounds to nearest even; q8_0 is ggml's reference: per block d = max|x| / 127, q = round(x / d), d
// stored as f16.
#pragma once

#include <cstdint>
#include <span>

#include "frontend/gguf/gguf_reader.h"
#include "support/result.h"

namespace ggufc::frontend {

// Row `row` (below tensor.rows()) as tensor.row_length() floats.
void DequantizeRow(const Tensor& tensor, uint64_t row, float* out);

// Encodes `values` to `out`, which must be large enough. Their number must be a multiple of the type's block size.
void EncodeRow(GgmlType type, std::span<const float> values, uint8_t* out);

// Returns an error with the tensor and the position of its first value, or scale of a block, that is infinite or NaN.
// Reads the whole tensor and releases its pages (GgufFile::Release).
Status CheckFinite(const GgufFile& file, const Tensor& tensor);

}  // namespace ggufc::frontend
