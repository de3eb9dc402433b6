// The loops have a shape for which LLVM does not spill registers. The k loop stays rolled, with one k-pair (pack 2) or
// k-quad (pack 4) per iteration. The accumulators are its carried values. The rows of the activations have a constant
// stride, so that one pointer serves all of them.
#include "passes/lower/tile_micro.h"

#include <functional>

#include "ir/core/builder.h"
#include "passes/kernel/kernel_shape.h"
#include "passes/lower/tile_rows.h"

namespace ggufc::passes {

using ir::OpKind;
using ir::Scalar;
using ir::Type;
using ir::ValueId;

namespace {

constexpr int64_t kFloat = 4;
constexpr int64_t kGroupBytes = 4;                                // activation bytes of a k-pair or k-quad
constexpr int64_t kBlockBytes = ir::kQuantBlock * kPanelColumns;  // one block of a panel: 512 bytes
constexpr int64_t kScaleBytes = kPanelColumns * 2;                // its 16 f16 scales
constexpr int64_t kLine = 64;

struct Signature {
  ir::FunctionId id;
  bool fresh = false;
};

// Finds or adds the micro-kernel of this name. A kernel of hand-written IR may have the name; then underscores are
// added.
Signature Declare(ir::Module& module, std::string name) {
  while (const auto known = module.FindFunction(name)) {
    if (module.function(*known).kind == ir::Function::Kind::kMicro) return {*known, false};
    name += '_';
  }
  ir::Function function;
  function.name = std::move(name);
  function.kind = ir::Function::Kind::kMicro;
  return {module.AddFunction(std::move(function)), true};
}

// Offsets of the result's rows in bytes.
std::vector<ValueId> RowBytes(ir::Builder& b, int rows, ValueId stride) {
  std::vector<ValueId> bytes;
  for (int64_t row = 0; row < rows; ++row) bytes.push_back(b.Mul(stride, b.Index(row)));
  return bytes;
}

// Prefetches the cache lines of the block at `block` + `ahead` bytes.
void PrefetchBlock(ir::Builder& b, ValueId block, int64_t ahead) {
  for (int64_t line = 0; line < kBlockBytes; line += kLine) {
    b.Emit(OpKind::kPrefetch, {block, b.Index(ahead + line)});
  }
}

// Takes a turn's number, the pointer to its weights and the carried values; gives the next carried values.
using Turn = std::function<std::vector<ValueId>(ValueId, ValueId, const std::vector<ValueId>&)>;

// A loop over [lo, hi) whose weights lie `stride` bytes apart, from `weights` on. The pointer to them is carried, so
// that a turn adds to one register; of an index the address would have to be made anew.
std::vector<ValueId> ForWeights(ir::Builder& b, ValueId lo, ValueId hi, std::vector<ValueId> init,
                                ValueId weights, int64_t stride, const Turn& turn) {
  init.push_back(weights);
  std::vector<ValueId> last = b.For(lo, hi, 1, std::move(init), [&](ValueId i, std::vector<ValueId> carried) {
    const ValueId pointer = carried.back();
    carried.pop_back();
    std::vector<ValueId> next = turn(i, pointer, carried);
    next.push_back(b.PtrAdd(pointer, b.Index(stride)));
    return next;
  });
  last.pop_back();
  return last;
}

// The groups of a block, one a turn. Where a dot's products are added by an instruction of their own, the first turn of
// sums that start at zero (`init`) stands before the loop: it needs none. On Zen 3, whose integer adds take ports that
// the multiplier needs, that is 2 % of a kernel.
std::vector<ValueId> ForGroups(ir::Builder& b, const ir::TargetInfo& target, int64_t groups, bool from_zero,
                               std::vector<ValueId> init, ValueId weights, int64_t stride, const Turn& turn) {
  const bool first_apart = from_zero && !target.fused_dot;
  if (first_apart) {
    init = turn(b.Index(0), weights, init);
    weights = b.PtrAdd(weights, b.Index(stride));
  }
  return ForWeights(b, b.Index(first_apart ? 1 : 0), b.Index(groups), std::move(init), weights, stride, turn);
}

}  // namespace

int64_t PanelBytes(Scalar weight, int64_t columns) {
  switch (weight) {
    case Scalar::kQ8_0:
      return RoundUp(columns * kPanelColumns + columns / ir::kQuantBlock * kScaleBytes, kLine);
    case Scalar::kF32:
      return columns * kPanelColumns * 4;
    default:
      return RoundUp(columns * kPanelColumns * 2, kLine);
  }
}

ir::FunctionId IntegerMicroKernel(ir::Module& module, const ir::TargetInfo& target, const IntegerTile& tile) {
  const std::string name =
      fmt::format("mk.{}.p{}.k{}.h{}", ir::Name(tile.activation), tile.pack, tile.columns, tile.rows);
  const auto [id, fresh] = Declare(module, name);
  if (!fresh) return id;
  ir::Function& function = module.function(id);
  const ValueId a = function.AddParam(ir::PtrType(), "a");
  const ValueId w = function.AddParam(ir::PtrType(), "w");
  const ValueId out = function.AddParam(ir::PtrType(), "out");
  const ValueId out_stride = function.AddParam(ir::IndexType(), "out_stride");
  const ValueId index = function.AddParam(ir::IndexType(), "tile");
  ir::Builder b(module, id);

  // This thread reads the next panel after this one. One of the tiles that share a panel prefetches it.
  const ValueId prefetch = b.Emit(OpKind::kCmpEq, {index, b.Index(0)});
  const int64_t rows = tile.rows, blocks = tile.columns / ir::kQuantBlock;
  const bool quads = tile.pack == 4;
  const int64_t stride = RowStride(tile.activation, tile.columns, tile.pack);
  const int64_t block_bytes = ir::kQuantBlock * (quads ? 1 : 2);  // of an activation row
  const int64_t groups = block_bytes / kGroupBytes;
  const int64_t group_weights = kBlockBytes / groups;  // bytes of the panel that one group reads
  const int64_t scale_offset = RecordScaleOffset(tile.columns, tile.pack);
  const int64_t compensation_offset = RecordCompensationOffset(tile.columns, tile.pack);
  const int64_t panel = PanelBytes(Scalar::kQ8_0, tile.columns);
  const OpKind dot = !quads                                                   ? OpKind::kDotI16
                     : tile.activation == Scalar::kQ7 && target.seven_bit_dot ? OpKind::kDotU8S7
                                                                              : OpKind::kDotU8S8;
  const bool carry_sums = target.sums_in_registers;
  const std::vector<ValueId> out_bytes = RowBytes(b, tile.rows, out_stride);

  std::vector<ValueId> sums;
  if (carry_sums) {
    sums.assign(static_cast<size_t>(rows), b.F32V(0));
  } else {
    for (const ValueId byte : out_bytes) b.Store(b.F32V(0), out, byte);
  }
  sums = b.For(
      b.Index(0), b.Index(blocks), 1, sums, [&](ValueId block, const std::vector<ValueId>& carried_sums) {
        const ValueId slot = b.Mul(block, b.Index(kFloat));
        std::vector<ValueId> init;
        for (int64_t r = 0; r < rows; ++r) {
          // Weights are biased by 128, so the sum starts at the record's compensation, -128 times the sum of the
          // activations.
          init.push_back(quads ? b.Splat(b.Load(ir::I32Type(), a,
                                                b.Add(slot, b.Index(r * stride + compensation_offset))))
                               : b.I32V(0));
        }
        const ValueId a_base = b.PtrAdd(a, b.Mul(block, b.Index(block_bytes)));
        const ValueId w_base = b.PtrAdd(w, b.Mul(block, b.Index(kBlockBytes)));
        const std::vector<ValueId> dots = ForGroups(
            b, target, groups, !quads, init, w_base, group_weights,
            [&](ValueId group, ValueId w_group, const std::vector<ValueId>& carried) {
              const ValueId a_group = b.PtrAdd(a_base, b.Mul(group, b.Index(kGroupBytes)));
              const ValueId weights =
                  quads ? b.Load(Type::Vector(Scalar::kU8, 64), w_group, b.Index(0))
                        : b.Convert(b.Load(Type::Vector(Scalar::kI8, 32), w_group, b.Index(0)), ir::I16x32());
              std::vector<ValueId> next;
              for (int64_t r = 0; r < rows; ++r) {
                const ValueId word = b.Splat(b.Load(ir::I32Type(), a_group, b.Index(r * stride)));
                next.push_back(quads ? b.Emit(dot, {carried[static_cast<size_t>(r)], weights,
                                                    b.Bitcast(word, Type::Vector(Scalar::kI8, 64))})
                                     : b.Emit(dot, {carried[static_cast<size_t>(r)],
                                                    b.Bitcast(word, ir::I16x32()), weights}));
              }
              return next;
            });
        b.If(prefetch, [&] { PrefetchBlock(b, w_base, panel); });
        const ValueId scales_byte =
            b.Add(b.Mul(block, b.Index(kScaleBytes)), b.Index(tile.columns * kPanelColumns));
        const ValueId weight_scales =
            b.Convert(b.Load(Type::Vector(Scalar::kF16, ir::kLanes), w, scales_byte), ir::F32x16());
        std::vector<ValueId> next_sums;
        for (int64_t r = 0; r < rows; ++r) {
          const size_t row = static_cast<size_t>(r);
          const ValueId row_scale = b.Load(ir::F32Type(), a, b.Add(slot, b.Index(r * stride + scale_offset)));
          const ValueId scale = b.Mul(weight_scales, b.Splat(row_scale));
          const ValueId sum = carry_sums ? carried_sums[row] : b.Load(ir::F32x16(), out, out_bytes[row]);
          const ValueId next = b.Fma(b.Convert(dots[row], ir::F32x16()), scale, sum);
          if (carry_sums) {
            next_sums.push_back(next);
          } else {
            b.Store(next, out, out_bytes[row]);
          }
        }
        return next_sums;
      });
  if (carry_sums) {
    for (size_t row = 0; row < sums.size(); ++row) b.Store(sums[row], out, out_bytes[row]);
  }
  b.Return({});
  return id;
}

ir::FunctionId FloatMicroKernel(ir::Module& module, const FloatTile& tile) {
  const std::string name = fmt::format("mk.{}.a{}.w{}.l{}.h{}", ir::Name(tile.weight), tile.a_stride,
                                       tile.w_stride, tile.lanes, tile.rows);
  const auto [id, fresh] = Declare(module, name);
  if (!fresh) return id;
  ir::Function& function = module.function(id);
  const ValueId a = function.AddParam(ir::PtrType(), "a");
  const ValueId w = function.AddParam(ir::PtrType(), "w");
  const ValueId out = function.AddParam(ir::PtrType(), "out");
  const ValueId out_stride = function.AddParam(ir::IndexType(), "out_stride");
  const ValueId n = function.AddParam(ir::IndexType(), "n");
  ir::Builder b(module, id);
  const std::vector<ValueId> zero(static_cast<size_t>(tile.rows), b.F32V(0));
  const std::vector<ValueId> sums = ForWeights(
      b, b.Index(0), n, zero, w, tile.w_stride,
      [&](ValueId k, ValueId w_k, const std::vector<ValueId>& carried) {
        ValueId weights = b.Load(Type::Vector(tile.weight, ir::kLanes), w_k, b.Index(0), tile.lanes);
        if (tile.weight != Scalar::kF32) weights = b.Convert(weights, ir::F32x16());
        const ValueId a_k = b.PtrAdd(a, b.Mul(k, b.Index(kFloat)));
        std::vector<ValueId> next;
        for (int r = 0; r < tile.rows; ++r) {
          const ValueId x = b.Splat(b.Load(ir::F32Type(), a_k, b.Index(r * tile.a_stride)));
          next.push_back(b.Fma(x, weights, carried[static_cast<size_t>(r)]));
        }
        return next;
      });
  const std::vector<ValueId> out_bytes = RowBytes(b, tile.rows, out_stride);
  for (size_t row = 0; row < sums.size(); ++row) b.Store(sums[row], out, out_bytes[row]);
  b.Return({});
  return id;
}

ir::FunctionId PairMicroKernel(ir::Module& module, const ir::TargetInfo& target, const PairTile& tile) {
  const std::string name =
      fmt::format("mk.{}.a{}.w{}.h{}", tile.mix ? "mix" : "score", tile.a_stride, tile.w_stride, tile.rows);
  const auto [id, fresh] = Declare(module, name);
  if (!fresh) return id;
  ir::Function& function = module.function(id);
  const ValueId a = function.AddParam(ir::PtrType(), "a");
  const ValueId w = function.AddParam(ir::PtrType(), "w");
  const ValueId out = function.AddParam(ir::PtrType(), "out");
  const ValueId out_stride = function.AddParam(ir::IndexType(), "out_stride");
  const ValueId n = function.AddParam(ir::IndexType(), "n");
  ir::Builder b(module, id);

  constexpr int64_t kPairs = ir::kQuantBlock / 2, kPairBytes = kPanelColumns * 4;
  const int64_t rows = tile.rows;
  const bool carry_sums = target.sums_in_registers;
  const std::vector<ValueId> out_bytes = RowBytes(b, tile.rows, out_stride);
  std::vector<ValueId> sums;
  if (carry_sums) {
    sums.assign(static_cast<size_t>(rows), b.F32V(0));
  } else {
    for (const ValueId byte : out_bytes) b.Store(b.F32V(0), out, byte);
  }
  sums = b.For(b.Index(0), n, 1, sums, [&](ValueId block, const std::vector<ValueId>& carried_sums) {
    const ValueId a_base = b.PtrAdd(a, b.Mul(block, b.Index(2 * ir::kQuantBlock)));
    const ValueId w_base = b.PtrAdd(w, b.Mul(block, b.Index(tile.w_stride)));
    const std::vector<ValueId> zero(static_cast<size_t>(rows), b.I32V(0));
    const std::vector<ValueId> dots = ForGroups(
        b, target, kPairs, true, zero, w_base, kPairBytes,
        [&](ValueId pair, ValueId w_pair, const std::vector<ValueId>& carried) {
          const ValueId a_pair = b.PtrAdd(a_base, b.Mul(pair, b.Index(kGroupBytes)));
          const ValueId weights = b.Load(ir::I16x32(), w_pair, b.Index(0));
          std::vector<ValueId> next;
          for (int64_t r = 0; r < rows; ++r) {
            const ValueId word = b.Splat(b.Load(ir::I32Type(), a_pair, b.Index(r * tile.a_stride)));
            next.push_back(b.Emit(OpKind::kDotI16,
                                  {carried[static_cast<size_t>(r)], b.Bitcast(word, ir::I16x32()), weights}));
          }
          return next;
        });
    std::vector<ValueId> next_sums;
    for (int64_t r = 0; r < rows; ++r) {
      const size_t row = static_cast<size_t>(r);
      const ValueId sum = carry_sums ? carried_sums[row] : b.Load(ir::F32x16(), out, out_bytes[row]);
      const ValueId dot = b.Convert(dots[row], ir::F32x16());
      ValueId next;
      if (tile.mix) {
        const ValueId byte = b.Add(b.Mul(block, b.Index(kFloat)), b.Index(r * tile.a_stride + tile.a_scales));
        next = b.Fma(dot, b.Splat(b.Load(ir::F32Type(), a, byte)), sum);
      } else {
        next = b.Add(sum, dot);
      }
      if (carry_sums) {
        next_sums.push_back(next);
      } else {
        b.Store(next, out, out_bytes[row]);
      }
    }
    return next_sums;
  });
  const ValueId w_scales = tile.mix ? ValueId() : b.Load(ir::F32x16(), w, b.Index(tile.w_scales));
  for (int64_t r = 0; r < rows && (carry_sums || !tile.mix); ++r) {
    const size_t row = static_cast<size_t>(r);
    ValueId sum = carry_sums ? sums[row] : b.Load(ir::F32x16(), out, out_bytes[row]);
    if (!tile.mix) {
      const ValueId a_scale = b.Load(ir::F32Type(), a, b.Index(r * tile.a_stride + tile.a_scales));
      sum = b.Mul(sum, b.Mul(w_scales, b.Splat(a_scale)));
    }
    b.Store(sum, out, out_bytes[row]);
  }
  b.Return({});
  return id;
}

}  // namespace ggufc::passes
