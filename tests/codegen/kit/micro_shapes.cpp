#include "micro_shapes.h"

#include <vector>

#include "ir/core/builder.h"
#include "run_kernel.h"

namespace ggufc::testing {

using ir::Builder;
using ir::OpKind;
using ir::Scalar;
using ir::Type;
using ir::ValueId;

namespace {

constexpr int64_t kBlock = 32;
constexpr int64_t kRowBytes = 64;  // 16 f32

std::vector<ValueId> Values(int count, const std::function<ValueId(int)>& make) {
  std::vector<ValueId> values;
  for (int i = 0; i < count; ++i) values.push_back(make(i));
  return values;
}

void EmitTile(Builder& b, const MicroShape& s, ValueId a, ValueId w, ValueId out) {
  const ValueId zero = b.Index(0);
  auto at = [&](ValueId base, int64_t offset) { return offset == 0 ? base : b.Add(base, b.Index(offset)); };
  auto times = [&](ValueId i, int64_t factor) { return b.Mul(i, b.Index(factor)); };
  const int64_t group_bytes = s.pack * 16;  // weights of one k group
  const int64_t block_bytes = kBlock * 16;
  auto dot = [&](ValueId acc, ValueId act, ValueId weights) {
    if (s.pack == 2) return b.Emit(OpKind::kDotI16, {acc, b.Bitcast(act, ir::I16x32()), weights});
    const OpKind kind = s.seven_bit_dot ? OpKind::kDotU8S7 : OpKind::kDotU8S8;
    return b.Emit(kind, {acc, weights, b.Bitcast(act, Type::Vector(Scalar::kI8, 64))});
  };
  // One block of 32 k: scales the integer sums and adds them to the f32 sums of the rows.
  auto block = [&](ValueId i, const std::vector<ValueId>& carried) {
    auto accs = Values(s.rows, [&](int row) {
      if (s.pack == 2) return b.I32V(0);
      return b.Splat(b.Load(ir::I32Type(), a, at(times(i, 4), row * s.row_stride() + s.compensations_at())));
    });
    accs.push_back(b.PtrAdd(a, times(i, kBlock * s.element_bytes())));
    accs.push_back(b.PtrAdd(w, times(i, block_bytes)));
    accs = b.For(zero, b.Index(kBlock / s.pack), 1, accs, [&](ValueId, const std::vector<ValueId>& acc) {
      const ValueId a_group = acc.end()[-2], group = acc.end()[-1];
      if (s.prefetch_ahead != 0) b.Emit(OpKind::kPrefetch, {group, b.Index(s.prefetch_ahead)});
      ValueId weights;
      if (s.pack == 2) {
        weights = b.Convert(b.Load(Type::Vector(Scalar::kI8, 32), group, zero), ir::I16x32());
      } else {
        weights = b.Load(Type::Vector(Scalar::kU8, 64), group, zero);
      }
      auto next = Values(s.rows, [&](int row) {
        const ValueId act = b.Load(ir::I32Type(), a_group, b.Index(row * s.row_stride()));
        return dot(acc[static_cast<size_t>(row)], b.Splat(act), weights);
      });
      next.push_back(b.PtrAdd(a_group, b.Index(4)));
      next.push_back(b.PtrAdd(group, b.Index(group_bytes)));
      return next;
    });
    const ValueId halves = b.Load(Type::Vector(Scalar::kF16, 16), w, at(times(i, 32), s.panel_scales_at()));
    const ValueId w_scale = b.Convert(halves, ir::F32x16());
    return Values(s.rows, [&](int row) {
      const ValueId a_scale = b.Load(ir::F32Type(), a, at(times(i, 4), row * s.row_stride() + s.scales_at()));
      const ValueId scale = b.Mul(w_scale, b.Splat(a_scale));
      const ValueId to = b.Index(row * kRowBytes);
      const ValueId sum = s.sums_in_registers ? carried[row] : b.Load(ir::F32x16(), out, to);
      const ValueId next = b.Fma(b.Convert(accs[row], ir::F32x16()), scale, sum);
      if (!s.sums_in_registers) b.Store(next, out, to);
      return next;
    });
  };

  const ValueId blocks = b.Index(s.k / kBlock);
  auto zeros = Values(s.rows, [&](int) { return b.F32V(0); });
  if (s.sums_in_registers) {
    const auto sums = b.For(zero, blocks, 1, zeros, block);
    for (int row = 0; row < s.rows; ++row) b.Store(sums[row], out, b.Index(row * kRowBytes));
  } else {
    for (int row = 0; row < s.rows; ++row) b.Store(zeros[row], out, b.Index(row * kRowBytes));
    b.For(zero, blocks, 1, [&](ValueId i) { block(i, {}); });
  }
}

}  // namespace

int64_t MicroShape::row_stride() const {
  const int64_t bytes = compensations_at() + (pack == 4 ? k / kBlock * 4 : 0);
  return (bytes + 63) / 64 * 64;
}

ir::Module MicroModule(const MicroShape& s) {
  ir::Module module = LoopModule();
  AddMicro(module, "mk", {ir::PtrType(), ir::PtrType(), ir::PtrType()},
           [&](Builder& b, const std::vector<ValueId>& params) {
             EmitTile(b, s, params[0], params[1], params[2]);
           });
  return module;
}

ir::Module FloatMicroModule(int rows, int64_t k, Scalar weight) {
  ir::Module module = LoopModule();
  AddMicro(module, "mk", {ir::PtrType(), ir::PtrType(), ir::PtrType()},
           [&](Builder& b, const std::vector<ValueId>& params) {
             const Type weights = Type::Vector(weight, ir::kLanes);
             auto init = Values(rows, [&](int) { return b.F32V(0); });
             init.push_back(params[0]);
             init.push_back(params[1]);
             const auto sums =
                 b.For(b.Index(0), b.Index(k), 1, init, [&](ValueId, const std::vector<ValueId>& acc) {
                   const ValueId a = acc.end()[-2];
                   ValueId w = b.Load(weights, acc.back(), b.Index(0));
                   if (weight != Scalar::kF32) w = b.Convert(w, ir::F32x16());
                   auto next = Values(rows, [&](int row) {
                     return b.Fma(b.Splat(b.Load(ir::F32Type(), a, b.Index(row * k * 4))), w, acc[row]);
                   });
                   next.push_back(b.PtrAdd(a, b.Index(4)));
                   next.push_back(b.PtrAdd(acc.back(), b.Index(weights.Bytes())));
                   return next;
                 });
             for (int row = 0; row < rows; ++row) b.Store(sums[row], params[2], b.Index(row * kRowBytes));
           });
  return module;
}

}  // namespace ggufc::testing
