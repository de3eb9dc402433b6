// Micro-kernels: loop-stage functions that compute one register tile of a matrix product, `rows` x 16, and that kernels
// call. There is one function per height and shape; a second request for it returns the existing one. The row stride of
// the result is an argument, so that kernels of one k and several widths share their micro-kernels.
#pragma once

#include "ir/core/builder.h"
#include "ir/core/module.h"
#include "ir/core/target_info.h"

namespace ggufc::passes {

// A product of quantised activation records (docs/ir.md) with one packed q8_0 panel:
//   micro(a: ptr, w: ptr, out: ptr, out_stride: index, tile: index)
//   out[r][c] = sum over blocks of dot(a[r][block], w[c][block]) * (scale_w[c][block] * scale_a[r][block])
// `tile` is the number of the tile among those that share the panel. Tile 0 prefetches the next panel.
struct IntegerTile {
  int rows = 1;
  int64_t columns = 0;  // k: columns of an activation row
  ir::Scalar activation = ir::Scalar::kQ16;
  int64_t pack = 2;
};
ir::FunctionId IntegerMicroKernel(ir::Module& module, const ir::TargetInfo& target, const IntegerTile& tile);

// A product of f32 rows with a panel [k][16]:
//   micro(a: ptr, w: ptr, out: ptr, out_stride: index, n: index)
//   out[r][c] = sum over k < n, in order, of fma(a[r][k], w[k][c], sum)
struct FloatTile {
  int rows = 1;
  ir::Scalar weight = ir::Scalar::kF32;  // kF32, kF16, kBF16
  int64_t a_stride = 0;                  // bytes from one row of a to the next
  int64_t w_stride = 0;                  // bytes from k to k + 1 in the panel
  int64_t lanes = 0;                     // columns that are read; 0: all 16
};
ir::FunctionId FloatMicroKernel(ir::Module& module, const FloatTile& tile);

// A product of i16 rows with i16 panels of 16 columns, in blocks of 32 k whose sums are exact in i32:
//   micro(a: ptr, w: ptr, out: ptr, out_stride: index, n: index)
//   dot[r][c][b] = sum over block b < n of a[r][k] w[k][c]
// Scores (`mix` false): out[r][c] = (sum over b of dot[r][c][b]) * (scale_a[r] * scale_w[c]), with one scale per row
// and one per column. Mixing: out[r][c] = sum over b, in order, of fma(dot[r][c][b], scale_a[r][b], sum), with one
// scale per row and block. A block of the panel is [16 pairs of k][16 columns][2].
struct PairTile {
  int rows = 1;
  bool mix = false;
  int64_t a_stride = 0;  // bytes from one row of a to the next
  int64_t a_scales = 0;  // offset of a row's scales in the row
  int64_t w_stride = 0;  // bytes from one block of the panel to the next
  int64_t w_scales = 0;  // scores: offset of the 16 scales in the panel
};
ir::FunctionId PairMicroKernel(ir::Module& module, const ir::TargetInfo& target, const PairTile& tile);

// Bytes of a packed panel of a weight with `columns` columns, k (docs/ir.md).
int64_t PanelBytes(ir::Scalar weight, int64_t columns);

}  // namespace ggufc::passes
