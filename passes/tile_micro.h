// Micro-kernels: the register tiles of matrix products, `rows` x 16, as loop-stage functions that kernels call. One
// function for each height and shape; asking again for the same one returns it.
#pragma once

#include "ir/builder.h"
#include "ir/module.h"
#include "ir/target_info.h"

namespace ggufc::passes {

// A product of quantised activation records (docs/ir.md) with one packed q8_0 panel:
//   micro(a: ptr, w: ptr, out: ptr, tile: index)
//   out[r][c] = sum over blocks of dot(a[r][block], w[c][block]) * (scale_w[c][block] * scale_a[r][block])
// `tile` counts the register tiles that share the panel; tile 0 prefetches the panel behind it.
//
// With `wide` (pack 2 only) the int8 weights of the panel have been widened to i16 beforehand, and the last parameter is
// a ptr to them instead; `w` is the panel still, for its scales.
struct IntegerTile {
  int rows = 1;
  int64_t columns = 0;  // k: columns of an activation row
  ir::Scalar activation = ir::Scalar::kQ16;
  int64_t pack = 2;
  int64_t out_stride = 0;  // bytes
  bool wide = false;
};
ir::FunctionId IntegerMicroKernel(ir::Module& module, const ir::TargetInfo& target, const IntegerTile& tile);

// A product of f32 rows with a panel of 16 columns, k running down it:
//   micro(a: ptr, w: ptr, out: ptr, n: index)
//   out[r][c] = sum over k < n, in order, of fma(a[r][k], w[k][c], sum)
struct FloatTile {
  int rows = 1;
  ir::Scalar weight = ir::Scalar::kF32;  // kF32, kF16, kBF16
  int64_t a_stride = 0;                  // bytes from a row of a to the next
  int64_t w_stride = 0;                  // bytes from k to k + 1 in the panel
  int64_t out_stride = 0;                // bytes
  int64_t lanes = 0;                     // columns that exist, 0: all 16 (the others are not read)
};
ir::FunctionId FloatMicroKernel(ir::Module& module, const FloatTile& tile);

// Emits the widening of one q8_0 panel of `columns` k at `w` to `columns` * 16 i16 at `wide`; prefetches the panel behind.
void EmitWidenPanel(ir::Builder& b, int64_t columns, ir::ValueId w, ir::ValueId wide);

// Bytes of one packed panel of `columns` k (docs/ir.md).
int64_t PanelBytes(ir::Scalar weight, int64_t columns);

}  // namespace ggufc::passes
