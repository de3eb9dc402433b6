#include "passes/lower/tile_rows.h"

#include "passes/kernel/kernel_shape.h"
#include "passes/lower/tile_math.h"
#include "support/batch_tables.h"
#include "support/check.h"

namespace ggufc::passes {

using ir::Attr;
using ir::OpKind;
using ir::Scalar;
using ir::ValueId;

namespace {

constexpr int64_t kChunk = ir::kLanes * kFloat;  // bytes of 16 floats
constexpr int64_t kUnrolledChunks = 2;           // a row up to a quantisation block is unrolled
constexpr double kTiny = 1e-35;  // a smaller scale counts as zero, because its inverse could overflow

}  // namespace

int64_t RecordScaleOffset(int64_t columns, int64_t pack) { return columns * (pack == 4 ? 1 : 2); }

int64_t RecordCompensationOffset(int64_t columns, int64_t pack) {
  return RecordScaleOffset(columns, pack) + columns / ir::kQuantBlock * kFloat;
}

int64_t RowStride(Scalar scalar, int64_t columns, int64_t pack, bool dense) {
  if (!ir::IsActivationQuant(scalar)) return dense ? columns * kFloat : RoundUp(columns, ir::kLanes) * kFloat;
  const int64_t compensation = pack == 4 ? columns / ir::kQuantBlock * kFloat : 0;
  return RoundUp(RecordCompensationOffset(columns, pack) + compensation, 64);
}

int64_t PanelSlotBytes(const ir::Op& op, int64_t columns) {
  if (op.Int(Attr::kDots) == 0) return columns * kFloat;
  return columns / op.Int(Attr::kHeadDim) * (2 * op.Int(Attr::kHeadDim) + kFloat);
}

void RowEmitter::ForChunks(int64_t columns, const std::function<void(ValueId, int64_t)>& body) {
  const int64_t whole = columns / ir::kLanes, rest = columns % ir::kLanes;
  if (whole <= kUnrolledChunks) {
    for (int64_t i = 0; i < whole; ++i) body(b_.Index(i * kChunk), 0);
  } else {
    b_.For(b_.Index(0), b_.Index(whole * kChunk), kChunk, [&](ValueId byte) { body(byte, 0); });
  }
  if (rest > 0) body(b_.Index(whole * kChunk), rest);
}

ValueId RowEmitter::LoadChunk(const Row& row, ValueId byte, int64_t lanes) {
  return b_.Load(ir::F32x16(), row.place.ptr, b_.Add(row.place.byte, byte), lanes);
}

void RowEmitter::StoreChunk(ValueId value, const Row& row, ValueId byte, int64_t lanes) {
  b_.Store(value, row.place.ptr, b_.Add(row.place.byte, byte), lanes);
}

void RowEmitter::Map(const std::vector<Row>& inputs, const Row& to,
                     const std::function<ValueId(const std::vector<ValueId>&)>& body) {
  ForChunks(to.columns, [&](ValueId byte, int64_t lanes) {
    std::vector<ValueId> values;
    for (const Row& input : inputs) values.push_back(LoadChunk(input, byte, lanes));
    StoreChunk(body(values), to, byte, lanes);
  });
}

ValueId RowEmitter::Sum(int64_t columns, const std::function<ValueId(ValueId, int64_t, ValueId)>& term) {
  const int64_t whole = columns / ir::kLanes, rest = columns % ir::kLanes;
  ValueId sum = b_.F32V(0);
  if (whole > 0) {
    sum = b_.For(b_.Index(0), b_.Index(whole * kChunk), kChunk, {sum},
                 [&](ValueId byte, const std::vector<ValueId>& carried) {
                   return std::vector<ValueId>{term(byte, 0, carried[0])};
                 })[0];
  }
  if (rest > 0) sum = term(b_.Index(whole * kChunk), rest, sum);
  return b_.Emit(OpKind::kReduceAdd, {sum});
}

Row RowEmitter::Columns(const Row& row, int64_t first, int64_t count) {
  Row part = row;
  part.columns = count;
  if (first != 0) part.place.byte = b_.Add(row.place.byte, b_.Index(first * kFloat));
  return part;
}

void RowEmitter::Copy(const Row& from, const Row& to) {
  if (from.scalar == Scalar::kF32) {
    Map({from}, to, [](const std::vector<ValueId>& x) { return x[0]; });
    return;
  }
  CHECK(from.record_columns == to.record_columns && !from.first_block.valid() && !to.first_block.valid());
  const int64_t bytes = RowStride(from.scalar, from.record_columns, from.pack);
  b_.For(b_.Index(0), b_.Index(bytes), kChunk, [&](ValueId byte) {
    const ValueId chunk = b_.Load(ir::I32x16(), from.place.ptr, b_.Add(from.place.byte, byte));
    b_.Store(chunk, to.place.ptr, b_.Add(to.place.byte, byte));
  });
}

void RowEmitter::Fill(const Row& to, double value) {
  const ValueId constant = b_.F32V(value);
  Map({}, to, [&](const std::vector<ValueId>&) { return constant; });
}

void RowEmitter::AddTo(const Row& sum, const Row& x) {
  Map({sum, x}, sum, [&](const std::vector<ValueId>& v) { return b_.Add(v[0], v[1]); });
}

void RowEmitter::Scale(const Row& x, ValueId factor, const Row& to) {
  const ValueId factors = b_.Splat(factor);
  Map({x}, to, [&](const std::vector<ValueId>& v) { return b_.Mul(v[0], factors); });
}

// `x`, bit for bit, if `condition` is finite, else a NaN. `x` and `condition` must not be negative. Squares of values
// beyond 1.8e19 overflow, and 1 / inf would turn the row into zeros. The NaN reaches the embedding instead, where it is
// an error.
ValueId RowEmitter::NanUnlessFinite(ValueId x, ValueId condition) {
  return b_.Add(x, b_.Mul(condition, b_.F32(0)));
}

void RowEmitter::RmsNorm(const Row& x, const Row& gain, const Row& to, int64_t group, double eps) {
  const int64_t width = group > 0 ? group : x.columns;
  for (int64_t first = 0; first < x.columns; first += width) {
    const Row part = Columns(x, first, width), out = Columns(to, first, width);
    const ValueId squares = Sum(width, [&](ValueId byte, int64_t lanes, ValueId sum) {
      const ValueId value = LoadChunk(part, byte, lanes);
      return b_.Fma(value, value, sum);
    });
    const ValueId mean = b_.Div(squares, b_.F32(static_cast<double>(width)));
    const ValueId root = b_.Emit(OpKind::kSqrt, {b_.Add(mean, b_.F32(eps))});
    const ValueId inverse = b_.Splat(NanUnlessFinite(b_.Div(b_.F32(1), root), mean));
    Map({part, Columns(gain, 0, width)}, out,
        [&](const std::vector<ValueId>& v) { return b_.Mul(b_.Mul(v[0], inverse), v[1]); });
  }
}

void RowEmitter::L2Normalize(const Row& x, const Row& to) {
  const ValueId squares = Sum(x.columns, [&](ValueId byte, int64_t lanes, ValueId sum) {
    const ValueId value = LoadChunk(x, byte, lanes);
    return b_.Fma(value, value, sum);
  });
  const ValueId norm = b_.Emit(OpKind::kSqrt, {squares});
  const ValueId zero = b_.F32(0);
  const ValueId is_zero = b_.Emit(OpKind::kCmpEq, {norm, zero});
  Scale(x, NanUnlessFinite(b_.Emit(OpKind::kSelect, {is_zero, zero, b_.Div(b_.F32(1), norm)}), norm), to);
}

// NeoX form, with h = head_dim / 2: (x[i], x[i + h]) becomes (x[i] c - x[i + h] s, x[i + h] c + x[i] s), where c and s
// are the cosine and sine of frequency i at this position. A table row holds h cosines, then h sines.
void RowEmitter::Rope(const Row& x, const Row& table, const Row& to, int64_t head_dim, ValueId position) {
  CHECK(position.valid());
  const int64_t half = head_dim / 2;
  Row cosines = table;
  cosines.columns = half;
  cosines.place.byte = b_.Add(table.place.byte, b_.Mul(position, b_.Index(head_dim * kFloat)));
  const Row sines = Columns(cosines, half, half);
  for (int64_t head = 0; head < x.columns; head += head_dim) {
    const Row low = Columns(x, head, half), high = Columns(x, head + half, half);
    const Row to_low = Columns(to, head, half), to_high = Columns(to, head + half, half);
    ForChunks(half, [&](ValueId byte, int64_t lanes) {
      const ValueId a = LoadChunk(low, byte, lanes), b = LoadChunk(high, byte, lanes);
      const ValueId c = LoadChunk(cosines, byte, lanes), s = LoadChunk(sines, byte, lanes);
      StoreChunk(b_.Sub(b_.Mul(a, c), b_.Mul(b, s)), to_low, byte, lanes);
      StoreChunk(b_.Fma(b, c, b_.Mul(a, s)), to_high, byte, lanes);
    });
  }
}

void RowEmitter::Quantize(const Row& x, const Row& to) {
  CHECK(x.columns % ir::kQuantBlock == 0);
  const bool bytes = to.pack == 4;
  const int64_t element = bytes ? 1 : 2;
  const ValueId maximum = b_.F32(ir::QuantMax(to.scalar));
  const ir::Type narrow = ir::Type::Vector(bytes ? Scalar::kI8 : Scalar::kI16, ir::kLanes);
  const auto quantize = [&](ValueId block) {
    const ValueId from = b_.Mul(block, b_.Index(ir::kQuantBlock * kFloat));
    const ValueId low = LoadChunk(x, from, 0), high = LoadChunk(x, b_.Add(from, b_.Index(kChunk)), 0);
    // The bits are compared as integers. That orders magnitudes as floats do, with NaNs above all, so a NaN is not
    // lost.
    const auto magnitude = [&](ValueId v) { return b_.Bitcast(b_.Emit(OpKind::kAbs, {v}), ir::I32x16()); };
    const ValueId largest = b_.Emit(OpKind::kReduceMax, {b_.Max(magnitude(low), magnitude(high))});
    const ValueId amax = b_.Bitcast(largest, ir::F32Type());
    const ValueId zero = b_.F32(0);
    const ValueId is_zero = b_.Emit(OpKind::kCmpEq, {amax, zero});
    const ValueId inverse = b_.Splat(b_.Emit(OpKind::kSelect, {is_zero, zero, b_.Div(maximum, amax)}));
    const ValueId scale = b_.Div(amax, maximum);
    const ValueId q_low = EmitRoundToInt(b_, low, inverse), q_high = EmitRoundToInt(b_, high, inverse);

    const ValueId index = to.first_block.valid() ? b_.Add(block, to.first_block) : block;
    const ValueId data = b_.Add(to.place.byte, b_.Mul(index, b_.Index(ir::kQuantBlock * element)));
    b_.Store(b_.Convert(q_low, narrow), to.place.ptr, data);
    b_.Store(b_.Convert(q_high, narrow), to.place.ptr, b_.Add(data, b_.Index(ir::kLanes * element)));
    const ValueId slot = b_.Add(to.place.byte, b_.Mul(index, b_.Index(kFloat)));
    b_.Store(scale, to.place.ptr, b_.Add(slot, b_.Index(RecordScaleOffset(to.record_columns, to.pack))));
    if (bytes) {
      const ValueId sum = b_.Emit(OpKind::kReduceAdd, {b_.Add(q_low, q_high)});
      const ValueId compensation = b_.Mul(sum, b_.Const(ir::I32Type(), -128));
      b_.Store(compensation, to.place.ptr,
               b_.Add(slot, b_.Index(RecordCompensationOffset(to.record_columns, to.pack))));
    }
  };
  if (x.columns == ir::kQuantBlock) {
    quantize(b_.Index(0));
  } else {
    b_.For(b_.Index(0), b_.Index(x.columns / ir::kQuantBlock), 1, quantize);
  }
}

// Element d of head h of the key in slot s goes to panel (s / 16, h), [d][s % 16].
void RowEmitter::KeyPanels(const Row& x, const Row& to, int64_t head_dim, const RowContext& context) {
  CHECK(context.key_slot.valid() && context.kv_heads > 0);
  const ValueId lanes = b_.Index(ir::kLanes);
  const ValueId panel = b_.Mul(b_.Div(context.key_slot, lanes), b_.Index(context.kv_heads));
  const ValueId lane = b_.Mul(b_.Emit(OpKind::kRem, {context.key_slot, lanes}), b_.Index(kFloat));
  for (int64_t head = 0; head * head_dim < x.columns; ++head) {
    ValueId index = b_.Add(panel, b_.Index(head));
    if (context.head.valid()) index = b_.Add(index, context.head);
    const ValueId base = b_.Add(b_.Mul(index, b_.Index(head_dim * kChunk)), lane);
    const Row part = Columns(x, head * head_dim, head_dim);
    b_.For(b_.Index(0), b_.Index(head_dim), 1, [&](ValueId d) {
      const ValueId value =
          b_.Load(ir::F32Type(), part.place.ptr, b_.Add(part.place.byte, b_.Mul(d, b_.Index(kFloat))));
      b_.Store(value, to.place.ptr, b_.Add(base, b_.Mul(d, b_.Index(kChunk))));
    });
  }
}

ValueId RowEmitter::QuantizeHead(const Row& x, bool bound_norm, const Place& to) {
  CHECK(x.columns % ir::kQuantBlock == 0);
  constexpr int64_t kBlock = ir::kQuantBlock * kFloat;
  const ValueId end = b_.Index(x.columns * kFloat), zero = b_.F32(0);
  // Carried: the largest magnitude per lane, as bits, which order NaNs above all; the largest squared norm of a block.
  std::vector<ValueId> init = {b_.I32V(0)};
  const auto magnitude = [&](ValueId v) { return b_.Bitcast(b_.Emit(OpKind::kAbs, {v}), ir::I32x16()); };
  if (bound_norm) init.push_back(zero);
  const std::vector<ValueId> largest =
      b_.For(b_.Index(0), end, kBlock, init, [&](ValueId byte, const std::vector<ValueId>& carried) {
        const ValueId low = LoadChunk(x, byte, 0), high = LoadChunk(x, b_.Add(byte, b_.Index(kChunk)), 0);
        std::vector<ValueId> next = {b_.Max(carried[0], b_.Max(magnitude(low), magnitude(high)))};
        if (bound_norm) {
          const ValueId squares = b_.Emit(OpKind::kReduceAdd, {b_.Fma(high, high, b_.Mul(low, low))});
          next.push_back(b_.Max(carried[1], squares));
        }
        return next;
      });
  const ValueId amax = b_.Bitcast(b_.Emit(OpKind::kReduceMax, {largest[0]}), ir::F32Type());
  ValueId scale = b_.Mul(amax, b_.F32(1.0 / ir::QuantMax(Scalar::kQ16)));
  if (bound_norm) {
    const ValueId norm = b_.Emit(OpKind::kSqrt, {largest[1]});
    scale =
        b_.Max(b_.Mul(norm, b_.F32(1 / ir::kMaxBlockNorm)), scale);  // the second operand, if that is a NaN
  }
  const ValueId is_zero = b_.Emit(OpKind::kCmpLt, {scale, b_.F32(kTiny)});
  const ValueId inverse = b_.Splat(b_.Emit(OpKind::kSelect, {is_zero, zero, b_.Div(b_.F32(1), scale)}));
  b_.For(b_.Index(0), end, kChunk, [&](ValueId byte) {
    const ValueId q = EmitRoundToInt(b_, LoadChunk(x, byte, 0), inverse);
    b_.Store(b_.Convert(q, ir::Type::Vector(Scalar::kI16, ir::kLanes)), to.ptr,
             b_.Add(to.byte, b_.Div(byte, b_.Index(2))));
  });
  return scale;
}

// Keys: the pair of elements (2p, 2p + 1) of the key in slot s goes to panel (s / 16, h), [p][s % 16]. Values: element
// d of the value in slot s goes to block (s / 32, h), [d / 16][s % 32 / 2][d % 16][s % 2]. The scales of the slots
// follow the elements of a panel or block.
void RowEmitter::IntegerPanels(const Row& x, const Row& to, const ir::Op& op, const RowContext& context) {
  CHECK(context.key_slot.valid() && context.kv_heads > 0 && context.integers.valid());
  const bool keys = op.kind == OpKind::kKeyPanels;
  const int64_t head_dim = op.Int(Attr::kHeadDim), slots = keys ? kKeyPanel : kKeyBlock;
  const ValueId slot = b_.Emit(OpKind::kRem, {context.key_slot, b_.Index(slots)});
  const ValueId panel = b_.Mul(b_.Div(context.key_slot, b_.Index(slots)), b_.Index(context.kv_heads));
  for (int64_t head = 0; head * head_dim < x.columns; ++head) {
    ValueId index = b_.Add(panel, b_.Index(head));
    if (context.head.valid()) index = b_.Add(index, context.head);
    const ValueId base = b_.PtrAdd(
        to.place.ptr, b_.Add(to.place.byte, b_.Mul(index, b_.Index(slots * PanelSlotBytes(op, head_dim)))));
    const Place integers{context.integers, b_.Index(0)};
    const ValueId scale = QuantizeHead(Columns(x, head * head_dim, head_dim), keys, integers);
    b_.Store(scale, base, b_.Add(b_.Mul(slot, b_.Index(kFloat)), b_.Index(slots * head_dim * 2)));
    // 16 elements per iteration: 8 pairs of a key, 64 bytes apart, or 16 elements of a value, 4 bytes apart.
    const ir::Type element = ir::Type::MakeScalar(keys ? Scalar::kI32 : Scalar::kI16);
    const int64_t size = keys ? 4 : 2, apart = keys ? kChunk : 4;
    const int64_t turn_bytes = keys ? 8 * kChunk : kKeyBlock / 2 * kChunk;
    const ValueId lane = keys ? b_.Mul(slot, b_.Index(kFloat))
                              : b_.Add(b_.Mul(b_.Div(slot, b_.Index(2)), b_.Index(kChunk)),
                                       b_.Mul(b_.Emit(OpKind::kRem, {slot, b_.Index(2)}), b_.Index(2)));
    const ValueId start = b_.PtrAdd(base, lane);
    b_.For(b_.Index(0), b_.Index(head_dim / ir::kLanes), 1, [&](ValueId turn) {
      const ValueId from = b_.Mul(turn, b_.Index(2 * ir::kLanes));
      const ValueId target = b_.Mul(turn, b_.Index(turn_bytes));
      for (int64_t i = 0; i * size < 2 * ir::kLanes; ++i) {
        b_.Store(b_.Load(element, context.integers, b_.Add(from, b_.Index(i * size))), start,
                 b_.Add(target, b_.Index(i * apart)));
      }
    });
  }
}

void RowEmitter::Emit(const ir::Op& op, const std::vector<Row>& in, const Row& out,
                      const RowContext& context) {
  switch (op.kind) {
    case OpKind::kRmsNorm:
      return RmsNorm(in[0], in[1], out, op.Int(Attr::kGroup), op.Float(Attr::kEps));
    case OpKind::kScaleBy:
      return Scale(in[0], b_.F32(op.Float(Attr::kScale)), out);
    case OpKind::kQuantize:
      return Quantize(in[0], out);
    case OpKind::kRopeTable:
      return Rope(in[0], in[1], out, op.Int(Attr::kHeadDim), context.position);
    case OpKind::kGelu:
      return Map({in[0]}, out, [&](const std::vector<ValueId>& v) { return EmitGelu(b_, v[0]); });
    case OpKind::kAdd:
      return Map({in[0], in[1]}, out, [&](const std::vector<ValueId>& v) { return b_.Add(v[0], v[1]); });
    case OpKind::kMul:
      return Map({in[0], in[1]}, out, [&](const std::vector<ValueId>& v) { return b_.Mul(v[0], v[1]); });
    case OpKind::kSlice:
      return Copy(Columns(in[0], op.Int(Attr::kOffset), out.columns), out);
    case OpKind::kDeinterleave: {
      const int64_t granule = op.Int(Attr::kGranule), ways = op.Int(Attr::kWays), way = op.Int(Attr::kWay);
      for (int64_t first = 0; first < out.columns; first += granule) {
        const int64_t count = std::min(granule, out.columns - first);
        Copy(Columns(in[0], first * ways + way * granule, count), Columns(out, first, count));
      }
      return;
    }
    case OpKind::kKeyPanels:
      if (op.Int(Attr::kDots) == 0) return KeyPanels(in[0], out, op.Int(Attr::kHeadDim), context);
      [[fallthrough]];
    case OpKind::kValuePanels:
      return IntegerPanels(in[0], out, op, context);
    case OpKind::kL2Normalize:
      return L2Normalize(in[0], out);
    default:
      CHECK(false, "{} is not a row-wise op", ir::Info(op.kind).name);
  }
}

}  // namespace ggufc::passes
