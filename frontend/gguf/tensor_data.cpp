#include "frontend/gguf/tensor_data.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "support/check.h"
#include "support/float_formats.h"
#include "support/text.h"

namespace ggufc::frontend {
namespace {

constexpr uint64_t kBlock = 32;  // values in a q8_0 block
constexpr uint64_t kBlockBytes = 2 + kBlock;

void EncodeQ8_0Block(const float* values, uint8_t* out) {
  float largest = 0.0f;
  for (uint64_t i = 0; i < kBlock; ++i) largest = std::max(largest, std::fabs(values[i]));
  const float scale = largest / 127.0f;
  const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
  const uint16_t half = F32ToF16(scale);
  std::memcpy(out, &half, sizeof(half));
  for (uint64_t i = 0; i < kBlock; ++i) {
    // Rounds half away from zero, like roundf, by truncation. |x * inverse| is at most 127 plus a rounding error.
    const float scaled = values[i] * inverse;
    const auto q = static_cast<int32_t>(scaled + std::copysign(0.5f, scaled));
    out[2 + i] = static_cast<uint8_t>(static_cast<int8_t>(std::clamp(q, -127, 127)));
  }
}

// The index of the first of `count` numbers of type Bits, `stride` bytes apart, whose exponent bits are all set; `count` if
// there is none.
template <typename Bits>
uint64_t FindNonFinite(const uint8_t* data, uint64_t count, uint64_t stride, Bits exponent) {
  // The scan of a chunk is a reduction, which the compiler vectorises. The exact index is searched only in a chunk with a
  // hit.
  constexpr uint64_t kChunk = 1024;
  for (uint64_t begin = 0; begin < count; begin += kChunk) {
    const uint64_t end = std::min(count, begin + kChunk);
    uint32_t found = 0;
    for (uint64_t i = begin; i < end; ++i)
      found |= (LoadUnaligned<Bits>(data + i * stride) & exponent) == exponent ? 1u : 0u;
    if (found == 0) continue;
    for (uint64_t i = begin; i < end; ++i) {
      if ((LoadUnaligned<Bits>(data + i * stride) & exponent) == exponent) return i;
    }
  }
  return count;
}

// The same for a tensor type: `count` values, or the scales of `count` blocks.
uint64_t FindNonFinite(GgmlType type, const uint8_t* data, uint64_t count) {
  switch (type) {
    case GgmlType::F32:
      return FindNonFinite<uint32_t>(data, count, sizeof(uint32_t), 0x7f800000u);
    case GgmlType::F16:
      return FindNonFinite<uint16_t>(data, count, sizeof(uint16_t), 0x7c00u);
    case GgmlType::BF16:
      return FindNonFinite<uint16_t>(data, count, sizeof(uint16_t), 0x7f80u);
    case GgmlType::Q8_0:
      return FindNonFinite<uint16_t>(data, count, kBlockBytes, 0x7c00u);
  }
  CHECK(false, "tensor type {}", static_cast<uint32_t>(type));
  return count;
}

}  // namespace

void DequantizeRow(const Tensor& tensor, uint64_t row, float* out) {
  CHECK(row < tensor.rows(), "row {} of {} rows", row, tensor.rows());
  const uint64_t length = tensor.row_length();
  const uint8_t* from = tensor.data.data() + row * tensor.row_bytes();
  switch (tensor.type) {
    case GgmlType::F32:
      std::memcpy(out, from, length * sizeof(float));
      return;
    case GgmlType::F16:
      for (uint64_t i = 0; i < length; ++i) out[i] = F16ToF32(LoadUnaligned<uint16_t>(from + 2 * i));
      return;
    case GgmlType::BF16:
      for (uint64_t i = 0; i < length; ++i) out[i] = BF16ToF32(LoadUnaligned<uint16_t>(from + 2 * i));
      return;
    case GgmlType::Q8_0:
      for (uint64_t b = 0; b < length / kBlock; ++b, from += kBlockBytes) {
        const float scale = F16ToF32(LoadUnaligned<uint16_t>(from));
        for (uint64_t i = 0; i < kBlock; ++i) {
          out[b * kBlock + i] = scale * static_cast<float>(static_cast<int8_t>(from[2 + i]));
        }
      }
      return;
  }
}

void EncodeRow(GgmlType type, std::span<const float> values, uint8_t* out) {
  switch (type) {
    case GgmlType::F32:
      std::memcpy(out, values.data(), values.size_bytes());
      return;
    case GgmlType::F16:
      for (size_t i = 0; i < values.size(); ++i) {
        const uint16_t half = F32ToF16(values[i]);
        std::memcpy(out + 2 * i, &half, sizeof(half));
      }
      return;
    case GgmlType::BF16:
      for (size_t i = 0; i < values.size(); ++i) {
        const uint16_t bf16 = F32ToBF16(values[i]);
        std::memcpy(out + 2 * i, &bf16, sizeof(bf16));
      }
      return;
    case GgmlType::Q8_0:
      CHECK(values.size() % kBlock == 0, "{} values", values.size());
      for (size_t b = 0; b < values.size() / kBlock; ++b)
        EncodeQ8_0Block(&values[b * kBlock], out + b * kBlockBytes);
      return;
  }
}

Status CheckFinite(const GgufFile& file, const Tensor& tensor) {
  // A multiple of the page size and of the block size of every type.
  constexpr uint64_t kSlice = 4096 * kBlockBytes * 16;
  const uint64_t step = Traits(tensor.type).block_size;  // elements per checked number
  const uint64_t step_bytes = Traits(tensor.type).block_bytes;
  for (uint64_t at = 0; at < tensor.data.size(); at += kSlice) {
    const std::span<const uint8_t> slice = tensor.data.subspan(at, std::min(kSlice, tensor.data.size() - at));
    const uint64_t count = slice.size() / step_bytes;
    const uint64_t index = FindNonFinite(tensor.type, slice.data(), count);
    if (index < count) {
      const uint64_t element = (at / step_bytes + index) * step;
      return Err("{}: tensor {}: {} at element {} (row {}, column {}) is not finite", file.path(),
                 Quoted(tensor.name), step == 1 ? "the value" : "the scale of the block", element,
                 element / tensor.row_length(), element % tensor.row_length());
    }
    file.Release(slice);
  }
  return {};
}

}  // namespace ggufc::frontend
