// What the bytes of a weight are: in the file, derived from other weights, and packed for a kernel. Plain and
// slow; the reference for the runtime's packer and the weights of every interpreter run.
//
//   file order   row-major. f32, f16, bf16: little endian elements. q8_0: blocks of 32 columns, an f16 scale
//                and then 32 int8 (34 bytes).
//   packed       panels of 16 rows of the weight (output columns of the linear), in order. Each group of
//                `unit` rows is padded with zero rows to whole panels. With K the row length:
//                  q8_0, pack 2     K/2 pairs x [16][2] i8, then K/32 blocks x [16] f16 scales
//                  q8_0, pack 4     K/4 quads x [16][4] u8 = w + 128, then the scales as above
//                  others, pack 1   K x [16] elements
//                A panel's bytes are rounded up to 64, with zeros.
//   vectors      f32, zeros up to a multiple of 16 elements
//   the rest     as in the file
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "ir/core/module.h"
#include "ir/interpret/interpreter.h"
#include "support/result.h"

namespace ggufc::ir {

// Bytes of a weight in file order. The type is one that the verifier lets a weight have.
int64_t FileBytes(const Type& type);

// Elements of a weight in file order as numbers, exactly.
std::vector<double> Dequantize(const Type& type, std::span<const uint8_t> bytes);

// Numbers in file order, each rounded to nearest even; q8_0 as ggml does it: scale max|x| / 127, kept as f16.
std::vector<uint8_t> Encode(const Type& type, std::span<const float> values);

// The file's bytes of a kTensor weight.
using TensorBytes = std::function<Result<std::vector<uint8_t>>(const Module&, WeightId)>;

// Bytes of any weight in file order; derived ones come from their sources. A scaled vector and a rope table
// are computed in double and rounded to f32 once; angle p, i of a table is p * theta^(-2i / head_dim).
Result<std::vector<uint8_t>> DerivedBytes(const Module& module, WeightId id, const TensorBytes& tensor);

// The bytes that a kernel sees of a weight, from its bytes in file order.
std::vector<uint8_t> PackedBytes(const Weight& weight, std::span<const uint8_t> bytes);

// Both views of a module's weights, from the tensors' bytes alone.
WeightSource WeightsFromTensors(TensorBytes tensor);

}  // namespace ggufc::ir
