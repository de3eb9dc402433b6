// The loops have a shape for which LLVM does not spill registers. The k loop stays rolled, with one k-pair (pack 2) or
// k-quad (pack 4) per iteration. The accumulators are its carried values. The rows of the activations have a constant
// stride, so that one pointer serves all of them. That pointer and the pointer to the weights are carried too: the address of
// every operand is a register and a displacement. On Intel cores an instruction that reads three vectors and has an index
// register is two operations.
#include "passes/lower/tile_micro.h"

#include <functional>

#include "ir/core/builder.h"
#include "passes/kernel/kernel_shape.h"
#include "passes/lower/tile_math.h"
#include "passes/lower/tile_rows.h"

namespace ggufc::passes {

using ir::OpKind;
using ir::Scalar;
using ir::Type;
using ir::ValueId;

namespace {

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

// Where a loop over k reads, and the bytes that a turn advances each pointer by.
struct Streams {
  ValueId a, w;
};
struct Strides {
  int64_t a, w;
};

Streams Advance(ir::Builder& b, const Streams& at, const Strides& by) {
  return {b.PtrAdd(at.a, b.Index(by.a)), b.PtrAdd(at.w, b.Index(by.w))};
}

// Takes the pointers of a turn and the carried values; gives the next carried values.
using Turn = std::function<std::vector<ValueId>(const Streams&, const std::vector<ValueId>&)>;

// A loop over [lo, hi) that carries both pointers. `at` becomes where they are after it.
std::vector<ValueId> ForStreams(ir::Builder& b, ValueId lo, ValueId hi, std::vector<ValueId> init,
                                Streams& at, const Strides& strides, const Turn& turn) {
  init.insert(init.end(), {at.a, at.w});
  std::vector<ValueId> last = b.For(lo, hi, 1, std::move(init), [&](ValueId, std::vector<ValueId> carried) {
    const Streams here = {carried.end()[-2], carried.end()[-1]};
    carried.resize(carried.size() - 2);
    std::vector<ValueId> next = turn(here, carried);
    const Streams there = Advance(b, here, strides);
    next.insert(next.end(), {there.a, there.w});
    return next;
  });
  at = {last.end()[-2], last.end()[-1]};
  last.resize(last.size() - 2);
  return last;
}

// The groups of a block, one a turn. Where a dot's products are added by an instruction of their own, the first turn of
// sums that start at zero (`init`) stands before the loop: it needs none. On Zen 3, whose integer adds take ports that
// the multiplier needs, that is 2 % of a kernel.
std::vector<ValueId> ForGroups(ir::Builder& b, const ir::TargetInfo& target, int64_t groups, bool from_zero,
                               std::vector<ValueId> init, Streams& at, const Strides& strides,
                               const Turn& turn) {
  const bool first_apart = from_zero && !target.fused_dot;
  if (first_apart) {
    init = turn(at, init);
    at = Advance(b, at, strides);
  }
  return ForStreams(b, b.Index(first_apart ? 1 : 0), b.Index(groups), std::move(init), at, strides, turn);
}

// Pointers that a loop over blocks carries after its sums: those of the loop over k, and those to the block's scales,
// each invalid where the operand has no scales per block.
struct BlockPointers {
  Streams at;
  ValueId a_scales, w_scales;
};

// Takes the pointers of a block, of which it advances `at`, and the carried sums; gives the next sums.
using BlockTurn = std::function<std::vector<ValueId>(BlockPointers&, const std::vector<ValueId>&)>;

std::vector<ValueId> ForBlocks(ir::Builder& b, ValueId blocks, std::vector<ValueId> sums,
                               const BlockPointers& first, const Strides& scale_strides,
                               const BlockTurn& turn) {
  const size_t count = sums.size();
  std::vector<ValueId> init = std::move(sums);
  init.insert(init.end(), {first.at.a, first.at.w});
  if (first.a_scales.valid()) init.push_back(first.a_scales);
  if (first.w_scales.valid()) init.push_back(first.w_scales);
  std::vector<ValueId> last =
      b.For(b.Index(0), blocks, 1, std::move(init), [&](ValueId, std::vector<ValueId> carried) {
        BlockPointers here;
        size_t i = count;
        here.at = {carried[i], carried[i + 1]};
        i += 2;
        if (first.a_scales.valid()) here.a_scales = carried[i++];
        if (first.w_scales.valid()) here.w_scales = carried[i++];
        carried.resize(count);
        std::vector<ValueId> next = turn(here, carried);
        next.insert(next.end(), {here.at.a, here.at.w});
        if (first.a_scales.valid()) next.push_back(b.PtrAdd(here.a_scales, b.Index(scale_strides.a)));
        if (first.w_scales.valid()) next.push_back(b.PtrAdd(here.w_scales, b.Index(scale_strides.w)));
        return next;
      });
  last.resize(count);
  return last;
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
  const int64_t groups = ir::kQuantBlock * (quads ? 1 : 2) / kGroupBytes;
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
  const BlockPointers first = {{a, w}, a, b.PtrAdd(w, b.Index(tile.columns * kPanelColumns))};
  sums = ForBlocks(
      b, b.Index(blocks), sums, first, {kFloat, kScaleBytes},
      [&](BlockPointers& block, const std::vector<ValueId>& carried_sums) {
        std::vector<ValueId> init;
        for (int64_t r = 0; r < rows; ++r) {
          // With weights biased by 128, the record's compensation, -128 times the sum of the activations, starts the sum.
          init.push_back(quads ? b.Splat(b.Load(ir::I32Type(), block.a_scales,
                                                b.Index(r * stride + compensation_offset)))
                               : b.I32V(0));
        }
        const ValueId block_weights = block.at.w;
        const std::vector<ValueId> dots = ForGroups(
            b, target, groups, !quads, init, block.at, {kGroupBytes, group_weights},
            [&](const Streams& group, const std::vector<ValueId>& carried) {
              const ValueId weights =
                  quads ? b.Load(Type::Vector(Scalar::kU8, 64), group.w, b.Index(0))
                        : b.Convert(b.Load(Type::Vector(Scalar::kI8, 32), group.w, b.Index(0)), ir::I16x32());
              std::vector<ValueId> next;
              for (int64_t r = 0; r < rows; ++r) {
                const ValueId word = b.Splat(b.Load(ir::I32Type(), group.a, b.Index(r * stride)));
                next.push_back(quads ? b.Emit(dot, {carried[static_cast<size_t>(r)], weights,
                                                    b.Bitcast(word, Type::Vector(Scalar::kI8, 64))})
                                     : b.Emit(dot, {carried[static_cast<size_t>(r)],
                                                    b.Bitcast(word, ir::I16x32()), weights}));
              }
              return next;
            });
        b.If(prefetch, [&] { PrefetchBlock(b, block_weights, panel); });
        const ValueId weight_scales = b.Convert(
            b.Load(Type::Vector(Scalar::kF16, ir::kLanes), block.w_scales, b.Index(0)), ir::F32x16());
        std::vector<ValueId> next_sums;
        for (int64_t r = 0; r < rows; ++r) {
          const size_t row = static_cast<size_t>(r);
          const ValueId row_scale = b.Load(ir::F32Type(), block.a_scales, b.Index(r * stride + scale_offset));
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
  Streams at = {a, w};
  const std::vector<ValueId> sums = ForStreams(
      b, b.Index(0), n, zero, at, {kFloat, tile.w_stride},
      [&](const Streams& k, const std::vector<ValueId>& carried) {
        ValueId weights = b.Load(Type::Vector(tile.weight, ir::kLanes), k.w, b.Index(0), tile.lanes);
        if (tile.weight != Scalar::kF32) weights = b.Convert(weights, ir::F32x16());
        std::vector<ValueId> next;
        for (int r = 0; r < tile.rows; ++r) {
          const ValueId x = b.Splat(b.Load(ir::F32Type(), k.a, b.Index(r * tile.a_stride)));
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
  const BlockPointers first = {{a, w}, tile.mix ? b.PtrAdd(a, b.Index(tile.a_scales)) : ValueId(), {}};
  sums = ForBlocks(
      b, n, sums, first, {kFloat, 0}, [&](BlockPointers& block, const std::vector<ValueId>& carried_sums) {
        const std::vector<ValueId> zero(static_cast<size_t>(rows), b.I32V(0));
        const std::vector<ValueId> dots = ForGroups(
            b, target, kPairs, true, zero, block.at, {kGroupBytes, kPairBytes},
            [&](const Streams& pair, const std::vector<ValueId>& carried) {
              const ValueId weights = b.Load(ir::I16x32(), pair.w, b.Index(0));
              std::vector<ValueId> next;
              for (int64_t r = 0; r < rows; ++r) {
                const ValueId word = b.Splat(b.Load(ir::I32Type(), pair.a, b.Index(r * tile.a_stride)));
                next.push_back(b.Emit(OpKind::kDotI16, {carried[static_cast<size_t>(r)],
                                                        b.Bitcast(word, ir::I16x32()), weights}));
              }
              return next;
            });
        block.at.w = b.PtrAdd(block.at.w, b.Index(tile.w_stride - kPairs * kPairBytes));
        std::vector<ValueId> next_sums;
        for (int64_t r = 0; r < rows; ++r) {
          const size_t row = static_cast<size_t>(r);
          const ValueId sum = carry_sums ? carried_sums[row] : b.Load(ir::F32x16(), out, out_bytes[row]);
          const ValueId dot = b.Convert(dots[row], ir::F32x16());
          ValueId next;
          if (tile.mix) {
            const ValueId a_scale = b.Load(ir::F32Type(), block.a_scales, b.Index(r * tile.a_stride));
            next = b.Fma(dot, b.Splat(a_scale), sum);
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
