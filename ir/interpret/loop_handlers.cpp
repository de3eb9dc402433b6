// Select, splat, iota, conversions, memory and dots: the ops that are not arithmetic on lanes of one element type.
#include <cstring>

#include "ir/interpret/loop_lanes.h"
#include "support/check.h"
#include "support/float_formats.h"

namespace ggufc::ir::loop {
namespace {

const Instr* SelectWhole(State&, const Instr& in) {
  std::memcpy(in.out, in.a->u8[0] ? in.b : in.c, sizeof(Slot));
  return Next(in);
}
const Instr* SelectLanes(State&, const Instr& in) {
  const size_t size = static_cast<size_t>(in.bytes);
  for (int32_t i = 0; i < in.lanes; ++i) {
    const Slot* const from = in.a->u8[i] ? in.b : in.c;
    std::memcpy(in.out->u8 + i * size, from->u8 + i * size, size);
  }
  return Next(in);
}

// ---- lanes ------------------------------------------------------------------------------------------------

template <typename T>
const Instr* Splat(State&, const Instr& in) {
  T* __restrict out = Out<T>(in.out);
  const T value = In<T>(in.a)[0];
  ForLanes(in.lanes, [&](int32_t i) { out[i] = value; });
  return Next(in);
}

template <typename T>
const Instr* Iota(State&, const Instr& in) {
  ForLanes(in.lanes, [&](int32_t i) { Out<T>(in.out)[i] = static_cast<T>(i); });
  return Next(in);
}

// ---- conversions ------------------------------------------------------------------------------------------

template <typename From, typename To>
const Instr* Cast(State&, const Instr& in) {
  To* __restrict out = Out<To>(in.out);
  const From* a = In<From>(in.a);
  ForLanes(in.lanes, [&](int32_t i) { out[i] = static_cast<To>(a[i]); });
  return Next(in);
}
template <float (*kWiden)(uint16_t)>
const Instr* Widen16(State&, const Instr& in) {
  ForLanes(in.lanes, [&](int32_t i) { in.out->f32[i] = kWiden(in.a->u16[i]); });
  return Next(in);
}
const Instr* Copy(State&, const Instr& in) {
  std::memcpy(in.out, in.a, sizeof(Slot));
  return Next(in);
}

// ---- memory -----------------------------------------------------------------------------------------------

// The address of the in.bytes bytes at ptr + byte, or null after a failure.
template <bool kWrite>
uint8_t* Address(State& state, const Instr& in, const Slot* ptr, const Slot* byte) {
  const Pointer p = ptr->ptr;
  const int64_t at = Wrap<int64_t>(static_cast<uint64_t>(p.offset) + static_cast<uint64_t>(byte->index[0]));
  const Allocation& allocation = state.memory[p.allocation];
  if (at < 0 || at > allocation.size || in.bytes > allocation.size - at) {
    Fail(state, in,
         fmt::format("{} bytes at {} of {}, which has {}", in.bytes, at, allocation.name, allocation.size));
    return nullptr;
  }
  if (kWrite && !allocation.writable) {
    Fail(state, in, fmt::format("a store to {}, which is read-only", allocation.name));
    return nullptr;
  }
  return allocation.data + at;
}

const Instr* Load(State& state, const Instr& in) {
  const uint8_t* const from = Address<false>(state, in, in.a, in.b);
  if (from == nullptr) return nullptr;
  if (in.bytes == 64) {
    std::memcpy(in.out, from, 64);
  } else if (in.bytes == 4 && in.lanes == 1) {
    std::memcpy(in.out, from, 4);
  } else {
    std::memset(in.out, 0, sizeof(Slot));
    std::memcpy(in.out, from, static_cast<size_t>(in.bytes));
  }
  return Next(in);
}

const Instr* Store(State& state, const Instr& in) {
  uint8_t* const to = Address<true>(state, in, in.b, in.c);
  if (to == nullptr) return nullptr;
  if (in.bytes == 64) {
    std::memcpy(to, in.a, 64);
  } else {
    std::memcpy(to, in.a, static_cast<size_t>(in.bytes));
  }
  return Next(in);
}

const Instr* PtrAdd(State&, const Instr& in) {
  const Pointer p = in.a->ptr;
  const uint64_t sum = static_cast<uint64_t>(p.offset) + static_cast<uint64_t>(in.b->index[0]);
  in.out->ptr = {static_cast<int64_t>(sum), p.allocation};
  return Next(in);
}

// ---- dots -------------------------------------------------------------------------------------------------

const Instr* DotI16(State&, const Instr& in) {
  int32_t* __restrict out = in.out->i32;
  const int16_t *x = in.b->i16, *w = in.c->i16;
  for (int i = 0; i < 16; ++i) {
    const uint32_t even = static_cast<uint32_t>(x[2 * i] * w[2 * i]);
    const uint32_t odd = static_cast<uint32_t>(x[2 * i + 1] * w[2 * i + 1]);
    out[i] = static_cast<int32_t>(static_cast<uint32_t>(in.a->i32[i]) + even + odd);
  }
  return Next(in);
}

const Instr* DotU8S8(State&, const Instr& in) {
  int32_t* __restrict out = in.out->i32;
  const uint8_t* w = in.b->u8;
  const int8_t* x = in.c->i8;
  for (int i = 0; i < 16; ++i) {
    int32_t sum = 0;
    for (int j = 0; j < 4; ++j) sum += w[4 * i + j] * x[4 * i + j];
    out[i] = static_cast<int32_t>(static_cast<uint32_t>(in.a->i32[i]) + static_cast<uint32_t>(sum));
  }
  return Next(in);
}

// The instruction of this op (vpmaddubsw) saturates sums of two products at 16 bits, so larger operands would give
// different results on different targets.
const Instr* DotU8S7(State& state, const Instr& in) {
  for (const int8_t x : in.c->i8) {
    if (x > 63 || x < -63)
      return Fail(state, in, fmt::format("the last operand has {}, expected -63 to 63", x));
  }
  return DotU8S8(state, in);
}

// ---- tables -----------------------------------------------------------------------------------------------

Handler SplatHandler(Scalar s) {
  switch (Bits(s)) {
    case 1:
    case 8:
      return Splat<uint8_t>;
    case 16:
      return Splat<uint16_t>;
    case 32:
      return Splat<int32_t>;
    default:
      return nullptr;
  }
}
Handler IotaHandler(Scalar s) {
  switch (Bits(s)) {
    case 8:
      return Iota<uint8_t>;
    case 16:
      return Iota<int16_t>;
    case 32:
      return Iota<int32_t>;
    default:
      return nullptr;
  }
}

struct Conversion {
  Scalar from, to;
  Handler handler;
};
constexpr Conversion kConversions[] = {
    {Scalar::kI8, Scalar::kI16, Cast<int8_t, int16_t>},
    {Scalar::kU8, Scalar::kI16, Cast<uint8_t, int16_t>},
    {Scalar::kI8, Scalar::kI32, Cast<int8_t, int32_t>},
    {Scalar::kI16, Scalar::kI32, Cast<int16_t, int32_t>},
    {Scalar::kI16, Scalar::kI8, Cast<int16_t, int8_t>},
    {Scalar::kI32, Scalar::kI16, Cast<int32_t, int16_t>},
    {Scalar::kI32, Scalar::kI8, Cast<int32_t, int8_t>},
    {Scalar::kI32, Scalar::kF32, Cast<int32_t, float>},
    {Scalar::kI32, Scalar::kIndex, Cast<int32_t, int64_t>},
    {Scalar::kIndex, Scalar::kI32, Cast<int64_t, int32_t>},
    {Scalar::kF16, Scalar::kF32, Widen16<F16ToF32>},
    {Scalar::kBF16, Scalar::kF32, Widen16<BF16ToF32>},
};
Handler ConversionHandler(Scalar from, Scalar to) {
  for (const Conversion& row : kConversions) {
    if (row.from == from && row.to == to) return row.handler;
  }
  return nullptr;
}

}  // namespace

Handler FindHandler(OpKind kind, const Type& from, const Type& to) {
  switch (kind) {
    case OpKind::kSelect:
      return from.IsVector() ? SelectLanes : SelectWhole;
    case OpKind::kSplat:
      return SplatHandler(to.scalar);
    case OpKind::kIota:
      return IotaHandler(to.scalar);
    case OpKind::kConvert:
      return ConversionHandler(from.scalar, to.scalar);
    case OpKind::kBitcast:
      return Copy;
    case OpKind::kLoad:
      return Load;
    case OpKind::kStore:
      return Store;
    case OpKind::kPtrAdd:
      return PtrAdd;
    case OpKind::kDotI16:
      return DotI16;
    case OpKind::kDotU8S8:
      return DotU8S8;
    case OpKind::kDotU8S7:
      return DotU8S7;
    default:
      return FindArithmeticHandler(kind, from, to);
  }
}

void FillConstant(const Type& type, double value, Slot& slot) {
  // Values above the signed range are bit patterns and wrap into it.
  const int64_t whole = type.IsFloat() ? 0 : static_cast<int64_t>(value);
  for (int32_t i = 0; i < type.lanes; ++i) {
    switch (type.scalar) {
      case Scalar::kF32:
        slot.f32[i] = static_cast<float>(value);
        break;
      case Scalar::kI32:
        slot.i32[i] = static_cast<int32_t>(whole);
        break;
      case Scalar::kI16:
        slot.i16[i] = static_cast<int16_t>(whole);
        break;
      case Scalar::kI8:
      case Scalar::kU8:
        slot.u8[i] = static_cast<uint8_t>(whole);
        break;
      case Scalar::kIndex:
        slot.index[i] = whole;
        break;
      default:
        CHECK(false, "a constant of type {}", ToString(type));
    }
  }
}

const Instr* Fail(State& state, const Instr& instr, std::string message) {
  state.failed = &instr;
  state.message = std::move(message);
  return nullptr;
}

}  // namespace ggufc::ir::loop
