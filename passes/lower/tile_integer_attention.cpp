// Attention with 16-bit integer dots. The loops are those of tile_attention.cpp; the products are of integers and
// exact.
//
//   scores   queries and keys as i16, with one scale per token and head. The scale bounds the norm of each block of 32
//            elements, so by Cauchy and Schwarz the dot product of two blocks fits i32.
//   mixing   values as i16, with one scale per token and head. A row's weights, exp(score - maximum) times the scale of
//            the value, become i16 in blocks of 32 keys, with one scale per block, which bounds the sum of the block's
//            weights. Blocks count from the sequence's first token, and a key outside the row's window has weight 0, so
//            a block's scale does not depend on the tile or batch.
//
// A row of scratch holds its scores, then the scales of the weights' blocks. The weights overwrite the scores from the
// front, block by block, 2 bytes per weight over 4 bytes per score.
#include <algorithm>

#include "passes/lower/tile_kernel.h"
#include "passes/lower/tile_math.h"
#include "passes/lower/tile_micro.h"
#include "support/batch_tables.h"

namespace ggufc::passes {

using ir::Attr;
using ir::OpKind;
using ir::Scalar;
using ir::ValueId;

namespace {

constexpr int64_t kScorePanelBytes = kKeyPanel * kFloat;  // the scores of 16 keys
constexpr int64_t kLine = 64;
constexpr double kTiny = 1e-35;  // a smaller scale counts as zero, because its inverse could overflow

}  // namespace

void KernelTiler::IntegerAttention() {
  const ir::Op& op = kernel_.op(shape_.anchor);
  const int64_t head_dim = op.Int(Attr::kHeadDim), kv_heads = op.Int(Attr::kKvHeads);
  const int64_t group = op.Int(Attr::kHeads) / kv_heads;
  const int64_t window = op.Int(Attr::kWindow), half = window / 2;
  const Memory q = MemoryOf(op.operands[0]), out = MemoryOf(op.results[0]);
  const ValueId keys = pointer_.at(op.operands[1]), values = pointer_.at(op.operands[2]);
  module_.function(function_).domain.cols = kv_heads;

  const int64_t max_rows = kQueryTile * group;
  // The keys of a tile: `half` on both sides of its queries, from the start of a block on.
  const int64_t reach = window > 0 ? 2 * half + kQueryTile + kKeyBlock : context_.context_length;
  const int64_t max_keys = RoundUp(std::min(reach, context_.context_length), kKeyBlock);
  const int64_t blocks_of_head = head_dim / ir::kQuantBlock;
  const int64_t key_panel_bytes = kKeyPanel * (2 * head_dim + kFloat);
  const int64_t value_block_bytes = kKeyBlock * (2 * head_dim + kFloat);
  const int64_t column_bytes = kKeyBlock * kPanelColumns * 2;  // a block's 16 columns

  const int64_t q_stride = RoundUp(2 * head_dim + kFloat, kLine);
  const int64_t row_stride = RoundUp(max_keys * kFloat + max_keys / kKeyBlock * kFloat, kLine);
  const int64_t out_stride = head_dim * kFloat;
  const ValueId q_rows = Scratch(max_rows * q_stride, "queries");
  const ValueId rows_ptr = Scratch(max_rows * row_stride, "scores");
  const ValueId sums = Scratch(max_rows * kFloat, "sums");
  const ValueId results = Scratch(max_rows * out_stride, "results");

  ir::Builder& b = *b_;
  const auto index = [&](int64_t value) { return b.Index(value); };
  const auto offset = [&](ValueId i, int64_t stride) { return b.Mul(i, b.Index(stride)); };
  const auto row_at = [&](ValueId ptr, ValueId byte) {
    return Row{{ptr, byte}, head_dim, Scalar::kF32, 0, 0, {}};
  };
  const PairTile score{1, false, q_stride, 2 * head_dim, column_bytes, kKeyPanel * 2 * head_dim};
  const PairTile mix{1, true, row_stride, max_keys * kFloat, kv_heads * value_block_bytes, 0};
  const auto micro = [&](PairTile tile) {
    return [this, tile](int height) mutable {
      tile.rows = height;
      return PairMicroKernel(module_, context_.target, tile);
    };
  };

  b.For(r0_, r1_, 1, [&](ValueId tile_index) {
    const QueryTile tile = LoadQueryTile(tile_index, window, kKeyBlock);
    const ValueId rows = b.Mul(tile.queries, index(group));
    const ValueId blocks = b.Div(b.Add(tile.key_count, index(kKeyBlock - 1)), index(kKeyBlock));
    const ValueId panels = b.Div(b.Add(tile.key_count, index(kKeyPanel - 1)), index(kKeyPanel));
    const ValueId first_slot = b.Add(tile.first_slot, tile.lo);
    const ValueId first_panel = b.Div(first_slot, index(kKeyPanel));
    const ValueId first_block = b.Div(first_slot, index(kKeyBlock));

    b.For(c0_, c1_, 1, [&](ValueId kv) {
      // Row i * group + g of the products is query i of the tile in head kv * group + g.
      const auto for_rows = [&](const std::function<void(ValueId, ValueId, ValueId)>& body) {
        b.For(index(0), tile.queries, 1, [&](ValueId i) {
          b.For(index(0), index(group), 1, [&](ValueId g) {
            const ValueId head = b.Add(b.Mul(kv, index(group)), g);
            body(b.Add(b.Mul(i, index(group)), g), i, offset(head, head_dim * kFloat));
          });
        });
      };
      const auto token_byte = [&](ValueId i, int64_t stride) {
        return offset(b.Add(b.Add(tile.first_token, tile.q0), i), stride);
      };

      for_rows([&](ValueId row, ValueId i, ValueId head_byte) {
        const ValueId byte = offset(row, q_stride);
        const ValueId scale = emit_->QuantizeHead(row_at(q.ptr, b.Add(token_byte(i, q.stride), head_byte)),
                                                  true, {q_rows, byte});
        b.Store(scale, q_rows, b.Add(byte, index(2 * head_dim)));
      });

      b.For(index(0), panels, 1, [&](ValueId panel) {
        const ValueId at = b.Add(b.Mul(b.Add(first_panel, panel), index(kv_heads)), kv);
        Tiles(context_.target.rows, rows, q_rows, q_stride, b.PtrAdd(keys, offset(at, key_panel_bytes)),
              b.PtrAdd(rows_ptr, offset(panel, kScorePanelBytes)), row_stride, micro(score),
              index(blocks_of_head));
      });

      // Softmax without the division: the results are scaled by 1 / sum at the end.
      for_rows([&](ValueId row, ValueId i, ValueId) {
        const ValueId query = b.Add(tile.q0, i);
        const ValueId score_row = b.PtrAdd(rows_ptr, offset(row, row_stride));
        const ValueId scales = b.PtrAdd(score_row, index(max_keys * kFloat));
        const Window query_window = WindowOf(tile, query, half, window > 0);
        const ValueId masked = b.F32V(kMasked);
        const ValueId maxima =
            b.For(index(0), panels, 1, {masked}, [&](ValueId panel, const std::vector<ValueId>& carried) {
              const ValueId value = b.Load(ir::F32x16(), score_row, offset(panel, kScorePanelBytes));
              const ValueId valid =
                  b.Emit(OpKind::kSelect, {VisibleKeys(query_window, panel), value, masked});
              return std::vector<ValueId>{b.Max(carried[0], valid)};
            })[0];
        const ValueId maximum = b.Splat(b.Emit(OpKind::kReduceMax, {maxima}));
        const ValueId total =
            b.For(index(0), blocks, 1, {b.F32V(0)}, [&](ValueId block, const std::vector<ValueId>& carried) {
              const ValueId slot = b.Mul(b.Add(first_block, block), index(kv_heads));
              const ValueId value_scales = b.PtrAdd(
                  values, b.Add(offset(b.Add(slot, kv), value_block_bytes), index(kKeyBlock * 2 * head_dim)));
              ValueId sum = carried[0];
              std::vector<ValueId> weights;
              for (int64_t half_block = 0; half_block < 2; ++half_block) {
                const ValueId panel = b.Add(b.Mul(block, index(2)), index(half_block));
                const ValueId seen = VisibleKeys(query_window, panel);
                const ValueId value = b.Load(ir::F32x16(), score_row, offset(panel, kScorePanelBytes));
                const ValueId scale =
                    b.Load(ir::F32x16(), value_scales, index(half_block * kScorePanelBytes));
                const ValueId weight = EmitExp(b, b.Sub(value, maximum));
                sum = b.Add(sum, b.Emit(OpKind::kSelect, {seen, weight, b.F32V(0)}));
                weights.push_back(b.Emit(OpKind::kSelect, {seen, b.Mul(weight, scale), b.F32V(0)}));
              }
              const ValueId block_sum = b.Emit(OpKind::kReduceAdd, {b.Add(weights[0], weights[1])});
              const ValueId largest = b.Emit(OpKind::kReduceMax, {b.Max(weights[0], weights[1])});
              // If a weight or the scale of a value is NaN, max returns its second operand, which is NaN too.
              const ValueId scale = b.Max(b.Mul(largest, b.F32(1.0 / ir::QuantMax(Scalar::kQ16))),
                                          b.Mul(block_sum, b.F32(1 / ir::kMaxBlockSum)));
              const ValueId is_zero = b.Emit(OpKind::kCmpLt, {scale, b.F32(kTiny)});
              const ValueId inverse =
                  b.Splat(b.Emit(OpKind::kSelect, {is_zero, b.F32(0), b.Div(b.F32(1), scale)}));
              const ir::Type narrow = ir::Type::Vector(Scalar::kI16, ir::kLanes);
              for (int64_t half_block = 0; half_block < 2; ++half_block) {
                const ValueId weight = EmitRoundToInt(b, weights[static_cast<size_t>(half_block)], inverse);
                b.Store(b.Convert(weight, narrow), score_row,
                        b.Add(offset(block, kScorePanelBytes), index(half_block * kScorePanelBytes / 2)));
              }
              b.Store(scale, scales, offset(block, kFloat));
              return std::vector<ValueId>{sum};
            })[0];
        b.Store(b.Emit(OpKind::kReduceAdd, {total}), sums, offset(row, kFloat));
      });

      const ValueId first_value = offset(b.Add(b.Mul(first_block, index(kv_heads)), kv), value_block_bytes);
      b.For(index(0), index(head_dim / kPanelColumns), 1, [&](ValueId column) {
        Tiles(context_.target.rows, rows, rows_ptr, row_stride,
              b.PtrAdd(values, b.Add(first_value, offset(column, column_bytes))),
              b.PtrAdd(results, offset(column, kPanelColumns * kFloat)), out_stride, micro(mix), blocks);
      });

      for_rows([&](ValueId row, ValueId i, ValueId head_byte) {
        const ValueId total = b.Load(ir::F32Type(), sums, offset(row, kFloat));
        emit_->Scale(row_at(results, offset(row, out_stride)), b.Div(b.F32(1), total),
                     row_at(out.ptr, b.Add(token_byte(i, out.stride), head_byte)));
      });
    });
  });
}

}  // namespace ggufc::passes
