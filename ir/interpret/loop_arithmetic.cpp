// Arithmetic, comparisons and reductions on lanes. Integers wrap; f32 follows IEEE 754, with one rounding per op (this
// folder is compiled without contraction). One function template per kind of op, instantiated for its element types.
#include <algorithm>
#include <cmath>

#include "ir/interpret/loop_lanes.h"

namespace ggufc::ir::loop {
namespace {

// ---- arithmetic -------------------------------------------------------------------------------------------

#define GGUFC_ARITHMETIC(name, sign)                                            \
  struct name {                                                                 \
    template <typename T>                                                       \
    static T Apply(T a, T b) {                                                  \
      if constexpr (std::is_floating_point_v<T>) {                              \
        return a sign b;                                                        \
      } else {                                                                  \
        return Wrap<T>(static_cast<uint64_t>(a) sign static_cast<uint64_t>(b)); \
      }                                                                         \
    }                                                                           \
  }
GGUFC_ARITHMETIC(AddOp, +);
GGUFC_ARITHMETIC(SubOp, -);
GGUFC_ARITHMETIC(MulOp, *);
#undef GGUFC_ARITHMETIC

struct MinOp {
  template <typename T>
  static T Apply(T a, T b) {
    return a < b ? a : b;
  }
};
struct MaxOp {
  template <typename T>
  static T Apply(T a, T b) {
    return a > b ? a : b;
  }
};
struct AndOp {
  template <typename T>
  static T Apply(T a, T b) {
    return static_cast<T>(a & b);
  }
};
struct OrOp {
  template <typename T>
  static T Apply(T a, T b) {
    return static_cast<T>(a | b);
  }
};
struct XorOp {
  template <typename T>
  static T Apply(T a, T b) {
    return static_cast<T>(a ^ b);
  }
};
struct ShlOp {
  template <typename T>
  static T Apply(T a, T b) {
    return Wrap<T>(static_cast<uint64_t>(a) << b);
  }
};
struct ShrOp {
  template <typename T>
  static T Apply(T a, T b) {
    return static_cast<T>(a >> b);
  }
};

template <typename T, typename Op>
const Instr* Binary(State&, const Instr& in) {
  T* __restrict out = Out<T>(in.out);
  const T *a = In<T>(in.a), *b = In<T>(in.b);
  ForLanes(in.lanes, [&](int32_t i) { out[i] = Op::template Apply<T>(a[i], b[i]); });
  return Next(in);
}

template <typename T, typename Op>
const Instr* Shift(State& state, const Instr& in) {
  const T* b = In<T>(in.b);
  for (int32_t i = 0; i < in.lanes; ++i) {
    if (b[i] < 0 || b[i] >= static_cast<T>(8 * sizeof(T)))
      return Fail(state, in, fmt::format("a shift by {}", b[i]));
  }
  return Binary<T, Op>(state, in);
}

const Instr* DivF32(State&, const Instr& in) {
  float* __restrict out = Out<float>(in.out);
  const float *a = In<float>(in.a), *b = In<float>(in.b);
  ForLanes(in.lanes, [&](int32_t i) { out[i] = a[i] / b[i]; });
  return Next(in);
}

template <bool kRemainder>
const Instr* DivIndex(State& state, const Instr& in) {
  const auto a = static_cast<uint64_t>(in.a->index[0]), b = static_cast<uint64_t>(in.b->index[0]);
  if (b == 0) return Fail(state, in, "a division by 0");
  in.out->index[0] = static_cast<int64_t>(kRemainder ? a % b : a / b);
  return Next(in);
}

// std::fmaf and the CPU's fma instruction give equal results; the instruction is faster.
const Instr* Fma(State&, const Instr& in) {
  float* __restrict out = Out<float>(in.out);
  const float *a = In<float>(in.a), *b = In<float>(in.b), *c = In<float>(in.c);
  ForLanes(in.lanes, [&](int32_t i) { out[i] = std::fmaf(a[i], b[i], c[i]); });
  return Next(in);
}
#if defined(__x86_64__) && defined(__GNUC__)
__attribute__((target("avx2,fma"))) const Instr* FmaNative(State&, const Instr& in) {
  float* __restrict out = Out<float>(in.out);
  const float *a = In<float>(in.a), *b = In<float>(in.b), *c = In<float>(in.c);
  if (in.lanes == 16) {
    for (int32_t i = 0; i < 16; ++i) out[i] = __builtin_fmaf(a[i], b[i], c[i]);
  } else {
    for (int32_t i = 0; i < in.lanes; ++i) out[i] = __builtin_fmaf(a[i], b[i], c[i]);
  }
  return Next(in);
}
Handler FmaHandler() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? FmaNative : Fma;
}
#else
Handler FmaHandler() { return Fma; }
#endif

const Instr* Sqrt(State&, const Instr& in) {
  ForLanes(in.lanes, [&](int32_t i) { in.out->f32[i] = std::sqrt(in.a->f32[i]); });
  return Next(in);
}

const Instr* AbsF32(State&, const Instr& in) {
  ForLanes(in.lanes, [&](int32_t i) { in.out->f32[i] = std::fabs(in.a->f32[i]); });
  return Next(in);
}
const Instr* AbsI32(State&, const Instr& in) {
  ForLanes(in.lanes, [&](int32_t i) {
    const int32_t x = in.a->i32[i];
    in.out->i32[i] = x < 0 ? Wrap<int32_t>(-static_cast<uint64_t>(x)) : x;
  });
  return Next(in);
}

// ---- comparisons and choices ------------------------------------------------------------------------------

struct LtOp {
  template <typename T>
  static uint8_t Apply(T a, T b) {
    return a < b;
  }
};
struct LeOp {
  template <typename T>
  static uint8_t Apply(T a, T b) {
    return a <= b;
  }
};
struct EqOp {
  template <typename T>
  static uint8_t Apply(T a, T b) {
    return a == b;
  }
};

template <typename T, typename Op>
const Instr* Compare(State&, const Instr& in) {
  const T *a = In<T>(in.a), *b = In<T>(in.b);
  ForLanes(in.lanes, [&](int32_t i) { in.out->u8[i] = Op::template Apply<T>(a[i], b[i]); });
  return Next(in);
}

// The fixed reduction tree of ops.def.
template <typename T, typename Op>
const Instr* Reduce(State&, const Instr& in) {
  T lanes[16];
  std::copy_n(In<T>(in.a), 16, lanes);
  for (int h = 8; h >= 1; h /= 2) {
    for (int i = 0; i < h; ++i) lanes[i] = Op::template Apply<T>(lanes[i], lanes[i + h]);
  }
  Out<T>(in.out)[0] = lanes[0];
  return Next(in);
}

// ---- tables -----------------------------------------------------------------------------------------------

template <typename Op>
Handler IntHandler(Scalar s) {
  switch (s) {
    case Scalar::kI1:
    case Scalar::kU8:
      return Binary<uint8_t, Op>;
    case Scalar::kI8:
      return Binary<int8_t, Op>;
    case Scalar::kI16:
      return Binary<int16_t, Op>;
    case Scalar::kI32:
      return Binary<int32_t, Op>;
    case Scalar::kIndex:
      return Binary<int64_t, Op>;
    default:
      return nullptr;
  }
}
template <typename Op>
Handler NumberHandler(Scalar s) {
  return s == Scalar::kF32 ? Binary<float, Op> : IntHandler<Op>(s);
}
template <typename Op>
Handler ShiftHandler(Scalar s) {
  switch (s) {
    case Scalar::kI8:
      return Shift<int8_t, Op>;
    case Scalar::kI16:
      return Shift<int16_t, Op>;
    case Scalar::kI32:
      return Shift<int32_t, Op>;
    case Scalar::kIndex:
      return Shift<int64_t, Op>;
    default:
      return nullptr;
  }
}
template <typename Op>
Handler CompareHandler(Scalar s) {
  switch (s) {
    case Scalar::kF32:
      return Compare<float, Op>;
    case Scalar::kU8:
      return Compare<uint8_t, Op>;
    case Scalar::kI8:
      return Compare<int8_t, Op>;
    case Scalar::kI16:
      return Compare<int16_t, Op>;
    case Scalar::kI32:
      return Compare<int32_t, Op>;
    case Scalar::kIndex:
      return Compare<int64_t, Op>;
    default:
      return nullptr;
  }
}
}  // namespace

Handler FindArithmeticHandler(OpKind kind, const Type& from, const Type& to) {
  switch (kind) {
    case OpKind::kAdd:
      return NumberHandler<AddOp>(to.scalar);
    case OpKind::kSub:
      return NumberHandler<SubOp>(to.scalar);
    case OpKind::kMul:
      return NumberHandler<MulOp>(to.scalar);
    case OpKind::kMin:
      return NumberHandler<MinOp>(to.scalar);
    case OpKind::kMax:
      return NumberHandler<MaxOp>(to.scalar);
    case OpKind::kAnd:
      return IntHandler<AndOp>(to.scalar);
    case OpKind::kOr:
      return IntHandler<OrOp>(to.scalar);
    case OpKind::kXor:
      return IntHandler<XorOp>(to.scalar);
    case OpKind::kShl:
      return ShiftHandler<ShlOp>(to.scalar);
    case OpKind::kShr:
      return ShiftHandler<ShrOp>(to.scalar);
    case OpKind::kDiv:
      return to.IsFloat() ? DivF32 : DivIndex<false>;
    case OpKind::kRem:
      return DivIndex<true>;
    case OpKind::kFma:
      return FmaHandler();
    case OpKind::kSqrt:
      return Sqrt;
    case OpKind::kAbs:
      return to.IsFloat() ? AbsF32 : AbsI32;
    case OpKind::kCmpLt:
      return CompareHandler<LtOp>(from.scalar);
    case OpKind::kCmpLe:
      return CompareHandler<LeOp>(from.scalar);
    case OpKind::kCmpEq:
      return CompareHandler<EqOp>(from.scalar);
    case OpKind::kReduceAdd:
      return to.IsFloat() ? Reduce<float, AddOp> : Reduce<int32_t, AddOp>;
    case OpKind::kReduceMax:
      return to.IsFloat() ? Reduce<float, MaxOp> : Reduce<int32_t, MaxOp>;
    default:
      return nullptr;
  }
}

}  // namespace ggufc::ir::loop
