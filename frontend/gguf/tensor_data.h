// A tensor's values: decoding rows to f32, encoding f32 rows to a tensor type, and a scan for values that are
// not finite.
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

// Encodes `values` (a multiple of the type's block size) at `out`, which has room for them.
void EncodeRow(GgmlType type, std::span<const float> values, uint8_t* out);

// An error that names the tensor and the first place where a value, or the scale of a block, is infinite or
// NaN. Reads the whole tensor, and gives its pages back to the system (GgufFile::Release) as it goes.
Status CheckFinite(const GgufFile& file, const Tensor& tensor);

}  // namespace ggufc::frontend
