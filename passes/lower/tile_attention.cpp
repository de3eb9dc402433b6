// Attention with f32 products. A work item is query tiles of a sequence times kv heads. The queries of a tile, times
// the query heads that share a kv head, are the rows of two products: scores = Q K^T over panels of 16 keys, and out =
// P V over panels of 16 dimensions. The softmax of each row comes between them, in 16 lanes.
//
// The keys of a tile begin at the first panel in the window of its first query and end at the last key in the window of
// its last query. Panels count from the sequence's first token. Keys outside a row's own window have weight 0 exactly.
// They add nothing to sums of fixed order, so a row's bits do not depend on its tile or batch.
//
// Scratch per thread: rows x (keys of a tile + 2 head_dim) floats; 490 KB for 16 queries x 3 heads and 2,048 keys.
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

constexpr int64_t kPanelBytes = kKeyPanel * kFloat;  // one dimension of 16 keys

}  // namespace

KernelTiler::QueryTile KernelTiler::LoadQueryTile(ValueId index, int64_t window, int64_t align) {
  constexpr int64_t kEntry = 16;  // QueryTileEntry
  ir::Builder& b = *b_;
  QueryTile tile;
  tile.first_token = LoadTable(Table::kQueryTiles, index, kEntry, 0);
  tile.length = LoadTable(Table::kQueryTiles, index, kEntry, 4);
  tile.first_slot = LoadTable(Table::kQueryTiles, index, kEntry, 8);
  tile.q0 = LoadTable(Table::kQueryTiles, index, kEntry, 12);
  tile.queries = b.Min(b.Index(kQueryTile), b.Sub(tile.length, tile.q0));
  tile.lo = b.Index(0);
  ValueId hi = tile.length;
  if (window > 0) {
    const int64_t half = window / 2;
    tile.lo = b.Max(b.Index(0), b.Sub(tile.q0, b.Index(half)));
    tile.lo = b.Mul(b.Div(tile.lo, b.Index(align)), b.Index(align));
    hi = b.Min(tile.length, b.Add(b.Add(tile.q0, tile.queries), b.Index(half)));
  }
  tile.key_count = b.Sub(hi, tile.lo);
  return tile;
}

KernelTiler::Window KernelTiler::WindowOf(const QueryTile& tile, ValueId query, int64_t half, bool bounded) {
  ir::Builder& b = *b_;
  const ValueId last = b.Sub(tile.length, b.Index(1));
  const ValueId from = bounded ? b.Max(b.Index(0), b.Sub(query, b.Index(half))) : b.Index(0);
  const ValueId to = bounded ? b.Min(last, b.Add(query, b.Index(half))) : last;
  const auto lanes = [&](ValueId key) { return b.Splat(b.Convert(b.Sub(key, tile.lo), ir::I32Type())); };
  return {lanes(from), lanes(to)};
}

ValueId KernelTiler::VisibleKeys(const Window& window, ValueId panel) {
  ir::Builder& b = *b_;
  const ValueId first = b.Convert(b.Mul(panel, b.Index(kKeyPanel)), ir::I32Type());
  const ValueId key = b.Add(b.Splat(first), b.Emit(OpKind::kIota, {}, {}, ir::I32x16()));
  return b.Emit(OpKind::kAnd,
                {b.Emit(OpKind::kCmpLe, {window.first, key}), b.Emit(OpKind::kCmpLe, {key, window.last})});
}

void KernelTiler::Attention() {
  const ir::Op& op = kernel_.op(shape_.anchor);
  const int64_t head_dim = op.Int(Attr::kHeadDim), kv_heads = op.Int(Attr::kKvHeads);
  const int64_t group = op.Int(Attr::kHeads) / kv_heads;
  const int64_t window = op.Int(Attr::kWindow), half = window / 2;
  const Memory q = MemoryOf(op.operands[0]), v = MemoryOf(op.operands[2]), out = MemoryOf(op.results[0]);
  const ValueId keys = pointer_.at(op.operands[1]);
  module_.function(function_).domain.cols = kv_heads;

  const int64_t max_rows = kQueryTile * group;
  // The keys of a tile: `half` on both sides of its queries, from the start of a panel on.
  const int64_t reach = window > 0 ? 2 * half + kQueryTile + kKeyPanel : context_.context_length;
  const int64_t max_keys = RoundUp(std::min(reach, context_.context_length), kKeyPanel);
  const int64_t dims = RoundUp(head_dim, ir::kLanes);
  const int64_t q_stride = dims * kFloat, score_stride = max_keys * kFloat;
  const ValueId q_rows = Scratch(max_rows * q_stride, "queries");
  const ValueId scores = Scratch(max_rows * score_stride, "scores");
  const ValueId sums = Scratch(max_rows * kFloat, "sums");
  const ValueId results = Scratch(max_rows * q_stride, "results");

  ir::Builder& b = *b_;
  const auto index = [&](int64_t value) { return b.Index(value); };
  const auto offset = [&](ValueId i, int64_t stride) { return b.Mul(i, b.Index(stride)); };
  const auto row_at = [&](ValueId ptr, ValueId byte, int64_t columns) {
    return Row{{ptr, byte}, columns, Scalar::kF32, 0, 0, {}};
  };

  b.For(r0_, r1_, 1, [&](ValueId tile_index) {
    const QueryTile tile = LoadQueryTile(tile_index, window, kKeyPanel);
    const ValueId rows = b.Mul(tile.queries, index(group));
    const ValueId panels = b.Div(b.Add(tile.key_count, index(kKeyPanel - 1)), index(kKeyPanel));
    const ValueId first_panel = b.Div(b.Add(tile.first_slot, tile.lo), index(kKeyPanel));

    b.For(c0_, c1_, 1, [&](ValueId kv) {
      // Row i * group + g of the products is query i of the tile in head kv * group + g.
      const auto for_rows = [&](const std::function<void(ValueId, ValueId, ValueId)>& body) {
        b.For(index(0), tile.queries, 1, [&](ValueId i) {
          b.For(index(0), index(group), 1, [&](ValueId g) {
            const ValueId head = b.Add(b.Mul(kv, index(group)), g);
            const ValueId row = b.Add(b.Mul(i, index(group)), g);
            body(row, i, offset(head, head_dim * kFloat));
          });
        });
      };
      const auto token_byte = [&](ValueId i, int64_t stride) {
        return offset(b.Add(b.Add(tile.first_token, tile.q0), i), stride);
      };

      for_rows([&](ValueId row, ValueId i, ValueId head_byte) {
        emit_->Copy(row_at(q.ptr, b.Add(token_byte(i, q.stride), head_byte), head_dim),
                    row_at(q_rows, offset(row, q_stride), head_dim));
      });

      b.For(index(0), panels, 1, [&](ValueId panel) {
        const ValueId key_panel = b.Add(b.Mul(b.Add(first_panel, panel), index(kv_heads)), kv);
        const ValueId w = b.PtrAdd(keys, offset(key_panel, head_dim * kPanelBytes));
        Tiles(
            context_.target.rows, rows, q_rows, q_stride, w, b.PtrAdd(scores, offset(panel, kPanelBytes)),
            score_stride,
            [&](int height) {
              return FloatMicroKernel(module_, {height, Scalar::kF32, q_stride, kPanelBytes, 0});
            },
            index(head_dim));
      });

      // Softmax without the division: the results are scaled by 1 / sum at the end.
      for_rows([&](ValueId row, ValueId i, ValueId) {
        const ValueId score_row = b.PtrAdd(scores, offset(row, score_stride));
        const Window query_window = WindowOf(tile, b.Add(tile.q0, i), half, window > 0);
        const ValueId masked = b.F32V(kMasked);
        const ValueId maxima =
            b.For(index(0), panels, 1, {masked}, [&](ValueId panel, const std::vector<ValueId>& carried) {
              const ValueId score = b.Load(ir::F32x16(), score_row, offset(panel, kPanelBytes));
              const ValueId valid =
                  b.Emit(OpKind::kSelect, {VisibleKeys(query_window, panel), score, masked});
              return std::vector<ValueId>{b.Max(carried[0], valid)};
            })[0];
        const ValueId maximum = b.Splat(b.Emit(OpKind::kReduceMax, {maxima}));
        const ValueId total =
            b.For(index(0), panels, 1, {b.F32V(0)}, [&](ValueId panel, const std::vector<ValueId>& carried) {
              const ValueId byte = offset(panel, kPanelBytes);
              const ValueId score = b.Load(ir::F32x16(), score_row, byte);
              const ValueId weight = b.Emit(OpKind::kSelect, {VisibleKeys(query_window, panel),
                                                              EmitExp(b, b.Sub(score, maximum)), b.F32V(0)});
              b.Store(weight, score_row, byte);
              return std::vector<ValueId>{b.Add(carried[0], weight)};
            })[0];
        b.Store(b.Emit(OpKind::kReduceAdd, {total}), sums, offset(row, kFloat));
      });

      for (int64_t d = 0; d < head_dim; d += ir::kLanes) {
        if (d > 0 && head_dim - d >= ir::kLanes) continue;  // one loop covers all whole panels, at d = 0
        const int64_t whole = head_dim / ir::kLanes;
        const int64_t lanes = head_dim - d < ir::kLanes ? head_dim - d : 0;
        const ValueId end = lanes > 0 ? index(d / ir::kLanes + 1) : index(whole);
        b.For(index(d / ir::kLanes), end, 1, [&](ValueId panel) {
          const ValueId column = offset(panel, kPanelBytes);
          const ValueId head_byte = offset(kv, head_dim * kFloat);
          const ValueId from =
              b.Add(offset(b.Add(tile.first_token, tile.lo), v.stride), b.Add(head_byte, column));
          Tiles(
              context_.target.rows, rows, scores, score_stride, b.PtrAdd(v.ptr, from),
              b.PtrAdd(results, column), q_stride,
              [&](int height) {
                return FloatMicroKernel(module_, {height, Scalar::kF32, score_stride, v.stride, lanes});
              },
              tile.key_count);
        });
      }

      for_rows([&](ValueId row, ValueId i, ValueId head_byte) {
        const ValueId total = b.Load(ir::F32Type(), sums, offset(row, kFloat));
        emit_->Scale(row_at(results, offset(row, q_stride), head_dim), b.Div(b.F32(1), total),
                     row_at(out.ptr, b.Add(token_byte(i, out.stride), head_byte), head_dim));
      });
    });
  });
}

}  // namespace ggufc::passes
