// Micro-kernels: the register tiles of matrix products, `rows` x 16, as loop-stage functions that kernels call. One
// function for each height and shape; asking again for the same one returns it. The bytes from a row of the result to the
// next are an argument, so that kernels of one k and several widths share their micro-kernels.
#pragma once

#include "ir/core/builder.h"
#include "ir/core/module.h"
#include "ir/core/target_info.h"

namespace ggufc::passes {

// A product of quantised activation records (docs/ir.md) with one packed q8_0 panel:
//   micro(a: ptr, w: ptr, out: ptr, out_stride: index, tile: index)
//   out[r][c] = sum over blocks of dot(a[r][block], w[c][block]) * (scale_w[c][block] * scale_a[r][block])
// `tile` counts the register tiles that share the panel; tile 0 prefetches the panel behind it.
struct IntegerTile {
  int rows = 1;
  int64_t columns = 0;  // k: columns of an activation row
  ir::Scalar activation = ir::Scalar::kQ16;
  int64_t pack = 2;
};
ir::FunctionId IntegerMicroKernel(ir::Module& module, const ir::TargetInfo& target, const IntegerTile& tile);

// A product of f32 rows with a panel of 16 columns, k running down it:
//   micro(a: ptr, w: ptr, out: ptr, out_stride: index, n: index)
//   out[r][c] = sum over k < n, in order, of fma(a[r][k], w[k][c], sum)
struct FloatTile {
  int rows = 1;
  ir::Scalar weight = ir::Scalar::kF32;  // kF32, kF16, kBF16
  int64_t a_stride = 0;                  // bytes from a row of a to the next
  int64_t w_stride = 0;                  // bytes from k to k + 1 in the panel
  int64_t lanes = 0;                     // columns that exist, 0: all 16 (the others are not read)
};
ir::FunctionId FloatMicroKernel(ir::Module& module, const FloatTile& tile);

// A product of i16 rows with i16 panels of 16 columns, in blocks of 32 k whose sums are exact in i32:
//   micro(a: ptr, w: ptr, out: ptr, out_stride: index, n: index)
//   dot[r][c][b] = sum over block b < n of a[r][k] w[k][c]
// Scores (`mix` false): out[r][c] = (sum over b of dot[r][c][b]) * (scale_a[r] * scale_w[c]), one scale a row and column.
// Mixing: out[r][c] = sum over b, in order, of fma(dot[r][c][b], scale_a[r][b], sum), one scale a row and block.
// A block of the panel is [16 pairs of k][16 columns][2].
struct PairTile {
  int rows = 1;
  bool mix = false;
  int64_t a_stride = 0;  // bytes from a row of a to the next
  int64_t a_scales = 0;  // bytes from a row to its scales
  int64_t w_stride = 0;  // bytes from a block of the panel to the next
  int64_t w_scales = 0;  // scores: bytes from the panel to its 16 scales
};
ir::FunctionId PairMicroKernel(ir::Module& module, const ir::TargetInfo& target, const PairTile& tile);

// Bytes of one packed panel of `columns` k (docs/ir.md).
int64_t PanelBytes(ir::Scalar weight, int64_t columns);

}  // namespace ggufc::passes
