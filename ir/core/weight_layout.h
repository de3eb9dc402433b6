// The bytes of a weight: in the file, derived from other weights, and packed for a kernel. Simple and slow: the
// reference for the runtime's packer, and the source of weights for the interpreter.
//
//   file order   row-major. f32, f16, bf16: little-endian elements. q8_0: blocks of 32 columns, each an f16 scale and
//                32 int8 (34 bytes).
//   packed       panels of 16 rows of the weight (output columns of the linear), in order. Each group of
//                `unit` rows is padded with zero rows to whole panels. With K the row length:
//                  q8_0, pack 2     K/2 pairs x [16][2] i8, then K/32 blocks x [16] f16 scales
//                  q8_0, pack 4     K/4 quads x [16][4] u8 = w + 128, then the scales as above
//                  others, pack 1   K x [16] elements
//                Each panel is padded with zeros to a multiple of 64 bytes.
//   vectors      f32, padded with zeros to a multiple of 16 elements
//   others       as in the file
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "ir/core/module.h"
#include "ir/interpret/interpreter.h"
#include "support/result.h"

namespace ggufc::ir {

// Number of bytes of a weight in file order. The type must be one that the verifier allows for weights.
int64_t FileBytes(const Type& type);

// The exact values of a weight's elements, from its bytes in file order.
std::vector<double> Dequantize(const Type& type, std::span<const uint8_t> bytes);

// Bytes in file order from values, each rounded to nearest even; q8_0 as in ggml: scale max|x| / 127, stored as f16.
std::vector<uint8_t> Encode(const Type& type, std::span<const float> values);

// Returns the bytes of a kTensor weight in the file.
using TensorBytes = std::function<Result<std::vector<uint8_t>>(const Module&, WeightId)>;

// Bytes of any weight in file order; derived weights are computed from their sources. A scaled vector and a rope table
// are computed in double and rounded to f32 once; the angle of position p and column i is p * theta^(-2i / head_dim).
Result<std::vector<uint8_t>> DerivedBytes(const Module& module, WeightId id, const TensorBytes& tensor);

// The bytes of a weight that a kernel reads, from its bytes in file order.
std::vector<uint8_t> PackedBytes(const Weight& weight, std::span<const uint8_t> bytes);

// A weight source for the interpreter from the bytes of the file's tensors.
WeightSource WeightsFromTensors(TensorBytes tensor);

}  // namespace ggufc::ir
