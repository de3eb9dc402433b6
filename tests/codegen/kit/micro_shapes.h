// Micro-kernels as the tiling pass makes them, for tests of speed-critical code: a tile of `rows` x 16, a loop over k with
// one group of `pack` consecutive k per iteration, and carried accumulators.
#pragma once

#include <cstdint>

#include "ir/core/module.h"

namespace ggufc::testing {

struct MicroShape {
  int rows = 6;
  int64_t k = 768;             // in-features, a multiple of 32
  int pack = 2;                // 2: i16 activations; 4: i8 activations with compensations
  bool seven_bit_dot = false;  // pack 4: dot_u8s7
  bool sums_in_registers = false;
  int64_t prefetch_ahead = 0;  // distance in bytes of the prefetch of weights in each iteration; 0: none

  // Bytes of one quantised row: elements, scales, compensations (pack 4), rounded up to 64.
  int64_t element_bytes() const { return pack == 2 ? 2 : 1; }
  int64_t scales_at() const { return k * element_bytes(); }
  int64_t compensations_at() const { return scales_at() + k / 32 * 4; }
  int64_t row_stride() const;
  // Offset of the scales in a weight panel, and its size in bytes.
  int64_t panel_scales_at() const { return k * 16; }
  int64_t panel_bytes() const { return k * 16 + k; }
};

// micro @mk(a, w, out: ptr): out[row][16] f32 = sum over blocks of (integer dot of the block) * (weight scale * row
// scale).
ir::Module MicroModule(const MicroShape& shape);

// micro @mk(a, w, out: ptr): out[row][16] f32 = sum over k of a[row][k] * w[k][16] by fma; a is f32 with a
// row stride of k * 4 bytes, w is f32, f16 or bf16.
ir::Module FloatMicroModule(int rows, int64_t k, ir::Scalar weight);

}  // namespace ggufc::testing
