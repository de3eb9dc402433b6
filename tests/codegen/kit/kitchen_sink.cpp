#include "kitchen_sink.h"

#include "run_kernel.h"

namespace ggufc::testing {

using ir::Builder;
using ir::OpKind;
using ir::Scalar;
using ir::Type;
using ir::ValueId;

namespace {

constexpr int64_t kVectorBytes = 64;

// Stores results one after another.
class Sink {
 public:
  Sink(Builder& b, ValueId out) : b_(b), out_(out) {}

  void Put(ValueId value) {
    const Type type = b_.function().type(value);
    if (type == ir::F32x16()) return Store(value);
    if (type == ir::F32Type()) return Store(b_.Splat(value));
    if (type == ir::IndexType()) return Put(b_.Convert(value, ir::I32Type()));
    if (type == ir::I32Type()) return Put(b_.Splat(value));
    if (type == ir::I32x16()) {
      // Two 16-bit halves, which are exact in f32.
      Store(b_.Convert(b_.Emit(OpKind::kAnd, {value, b_.I32V(0xffff)}), ir::F32x16()));
      return Store(b_.Convert(b_.Emit(OpKind::kShr, {value, b_.I32V(16)}), ir::F32x16()));
    }
    Put(b_.Bitcast(value, ir::I32x16()));  // other vectors of 64 bytes
  }
  int64_t count() const { return count_; }

 private:
  void Store(ValueId vector) { b_.Store(vector, out_, b_.Index(count_++ * kVectorBytes)); }
  Builder& b_;
  ValueId out_;
  int64_t count_ = 0;
};

// Emits the kernel's work on one row; returns the number of results.
int64_t EmitSink(Builder& b, ValueId in, ValueId out, ValueId scratch, ValueId row) {
  Sink sink(b, out);
  const Type i8x64 = Type::Vector(Scalar::kI8, 64), u8x64 = Type::Vector(Scalar::kU8, 64);
  const Type i8x16 = Type::Vector(Scalar::kI8, 16), i16x16 = Type::Vector(Scalar::kI16, 16);
  const ValueId base = b.Mul(row, b.Index(kSinkRowBytes));
  auto ints = [&](const Type& type, int64_t slot, int64_t lanes = 0) {
    return b.Load(type, in, b.Add(base, b.Index(slot * kVectorBytes)), lanes);
  };
  auto floats = [&](int64_t slot, int64_t lanes = 0) {
    return b.Load(ir::F32x16(), in, b.Add(base, b.Index(kSinkIntBytes + slot * kVectorBytes)), lanes);
  };
  auto emit = [&](OpKind kind, std::vector<ValueId> operands) { return b.Emit(kind, std::move(operands)); };

  const ValueId x = floats(0), y = floats(1), z = floats(2);
  const ValueId i = ints(ir::I32x16(), 0), j = ints(ir::I32x16(), 1);
  for (const OpKind kind : {OpKind::kAdd, OpKind::kSub, OpKind::kMul, OpKind::kMin, OpKind::kMax}) {
    sink.Put(emit(kind, {x, y}));
    sink.Put(emit(kind, {i, j}));
  }
  for (const OpKind kind : {OpKind::kAnd, OpKind::kOr, OpKind::kXor}) sink.Put(emit(kind, {i, j}));
  sink.Put(emit(OpKind::kShl, {i, b.I32V(5)}));
  sink.Put(emit(OpKind::kShr, {i, b.I32V(7)}));
  sink.Put(b.Div(x, b.Add(emit(OpKind::kAbs, {y}), b.F32V(0.25))));
  sink.Put(b.Fma(x, y, z));
  sink.Put(emit(OpKind::kSqrt, {emit(OpKind::kAbs, {x})}));
  sink.Put(emit(OpKind::kAbs, {i}));
  for (const OpKind kind : {OpKind::kCmpLt, OpKind::kCmpLe, OpKind::kCmpEq}) {
    sink.Put(emit(OpKind::kSelect, {emit(kind, {x, y}), x, z}));
    sink.Put(emit(OpKind::kSelect, {emit(kind, {i, j}), i, b.Emit(OpKind::kIota, {}, {}, ir::I32x16())}));
  }
  const ValueId total = emit(OpKind::kReduceAdd, {x});
  b.Name(total, "total");
  sink.Put(total);
  sink.Put(emit(OpKind::kReduceMax, {x}));
  sink.Put(emit(OpKind::kReduceAdd, {i}));
  sink.Put(emit(OpKind::kReduceMax, {i}));
  sink.Put(b.Mul(b.Splat(total), y));

  // Scalars.
  const ValueId s = b.Load(ir::F32Type(), in, b.Add(base, b.Index(kSinkIntBytes)));
  const ValueId n = b.Convert(b.Load(ir::I32Type(), in, base), ir::IndexType());
  sink.Put(b.Fma(s, s, b.F32(0.1)));
  sink.Put(emit(OpKind::kSqrt, {emit(OpKind::kAbs, {s})}));
  sink.Put(emit(OpKind::kSelect, {emit(OpKind::kCmpLt, {s, total}), s, total}));
  const ValueId positive = emit(OpKind::kAnd, {n, b.Index(0xfffff)});
  sink.Put(b.Div(positive, b.Index(7)));
  sink.Put(emit(OpKind::kRem, {positive, b.Index(48)}));
  sink.Put(b.Max(b.Min(n, b.Index(100)), b.Index(-100)));

  // Conversions and dots.
  const ValueId bytes = ints(i8x64, 2);
  sink.Put(b.Convert(ints(i8x16, 3), ir::I32x16()));
  sink.Put(b.Convert(ints(i16x16, 3), ir::I32x16()));
  sink.Put(b.Convert(ints(Type::Vector(Scalar::kI8, 32), 3), ir::I16x32()));
  sink.Put(b.Convert(ints(Type::Vector(Scalar::kU8, 32), 3), ir::I16x32()));
  sink.Put(b.Convert(b.Convert(i, i8x16), ir::I32x16()));
  sink.Put(b.Convert(b.Convert(i, i16x16), ir::I32x16()));
  sink.Put(b.Convert(i, ir::F32x16()));
  // Clearing the top exponent bit makes f16 and bf16 values finite.
  const ValueId finite = emit(OpKind::kAnd, {i, b.I32V(0xbfffbfff)});
  b.Store(finite, scratch, b.Index(0));
  sink.Put(b.Convert(b.Load(Type::Vector(Scalar::kF16, 16), scratch, b.Index(0)), ir::F32x16()));
  sink.Put(b.Convert(b.Load(Type::Vector(Scalar::kBF16, 16), scratch, b.Index(32)), ir::F32x16()));
  sink.Put(b.Convert(b.Load(Type::MakeScalar(Scalar::kF16), scratch, b.Index(2)), ir::F32Type()));
  sink.Put(emit(OpKind::kDotI16, {i, ints(ir::I16x32(), 4), ints(ir::I16x32(), 5)}));
  sink.Put(emit(OpKind::kDotU8S8, {i, ints(u8x64, 4), bytes}));
  // Values of 0 to 63 for dot_u8s7.
  const ValueId seven = emit(OpKind::kAnd, {bytes, b.Const(i8x64, 63)});
  sink.Put(emit(OpKind::kDotU8S7, {i, ints(u8x64, 4), seven}));

  // Partial vectors.
  for (const int64_t lanes : {1, 4, 7, 15}) {
    sink.Put(floats(3, lanes));
    sink.Put(ints(ir::I16x32(), 6, lanes));
    sink.Put(ints(i8x64, 7, lanes));
    b.Store(x, scratch, b.Index(128));
    b.Store(y, scratch, b.Index(128), lanes);
    b.Store(bytes, scratch, b.Index(192));
    b.Store(ints(i8x64, 8), scratch, b.Index(192), lanes);
    sink.Put(b.Load(ir::F32x16(), scratch, b.Index(128)));
    sink.Put(b.Load(ir::I32x16(), scratch, b.Index(192)));
  }

  // Control flow.
  const auto sums =
      b.For(b.Index(0), b.Index(10), 3, {x, total}, [&](ValueId k, const std::vector<ValueId>& carried) {
        const ValueId at = b.Add(base, b.Add(b.Mul(k, b.Index(4)), b.Index(kSinkIntBytes)));
        const ValueId scale = b.Load(ir::F32Type(), in, at);
        return std::vector<ValueId>{b.Fma(carried[0], b.Splat(scale), y), b.Add(carried[1], scale)};
      });
  for (const ValueId sum : sums) sink.Put(sum);
  const ValueId slot = b.Index(512);
  b.Store(x, scratch, slot);
  b.If(emit(OpKind::kCmpLt, {total, s}), [&] { b.Store(y, scratch, slot); });
  sink.Put(b.Load(ir::F32x16(), scratch, slot));
  b.Switch(b.Add(emit(OpKind::kRem, {positive, b.Index(3)}), b.Index(1)), 3,
           [&](int64_t which) { b.Store(b.F32V(static_cast<double>(which)), scratch, slot); });
  sink.Put(b.Load(ir::F32x16(), b.PtrAdd(scratch, b.Index(12)), b.Index(500)));
  emit(OpKind::kPrefetch, {in, base});
  return sink.count();
}

}  // namespace

int64_t SinkResults() {
  int64_t count = 0;
  KernelModule([&](Builder& b, const KernelParams& p) { count = EmitSink(b, p.in, p.out, p.scratch, p.r0); });
  return count;
}

ir::Module KitchenSink() {
  const int64_t row_bytes = SinkResults() * kVectorBytes;
  return KernelModule([&](Builder& b, const KernelParams& p) {
    b.For(p.r0, p.r1, 1, [&](ValueId row) {
      EmitSink(b, p.in, b.PtrAdd(p.out, b.Mul(row, b.Index(row_bytes))), p.scratch, row);
    });
  });
}

}  // namespace ggufc::testing
