// Typed access to the elements of slots. Used by loop_arithmetic.cpp and loop_handlers.cpp only.
#pragma once

#include <type_traits>

#include "ir/interpret/loop_machine.h"

namespace ggufc::ir::loop {

template <typename T>
auto& Elements(Slot& slot) {
  if constexpr (std::is_same_v<T, float>) return slot.f32;
  if constexpr (std::is_same_v<T, int32_t>) return slot.i32;
  if constexpr (std::is_same_v<T, int16_t>) return slot.i16;
  if constexpr (std::is_same_v<T, uint16_t>) return slot.u16;
  if constexpr (std::is_same_v<T, int8_t>) return slot.i8;
  if constexpr (std::is_same_v<T, uint8_t>) return slot.u8;
  if constexpr (std::is_same_v<T, int64_t>) return slot.index;
}
template <typename T>
const T* In(const Slot* slot) {
  return Elements<T>(const_cast<Slot&>(*slot));
}
template <typename T>
T* Out(Slot* slot) {
  return Elements<T>(*slot);
}

// Most values have 16 lanes or one. The constant trip count lets the compiler vectorise the loop.
template <typename F>
inline void ForLanes(int32_t lanes, F f) {
  if (lanes == 16) {
    for (int32_t i = 0; i < 16; ++i) f(i);
  } else if (lanes == 1) {
    f(0);
  } else {
    for (int32_t i = 0; i < lanes; ++i) f(i);
  }
}

inline const Instr* Next(const Instr& in) { return &in + 1; }

// Integer arithmetic wraps.
template <typename T>
T Wrap(uint64_t bits) {
  return static_cast<T>(bits);
}

// The handler of an arithmetic op, comparison or reduction on lanes of one element type; null for other ops. `from` is
// the type of the first operand, `to` that of the result.
Handler FindArithmeticHandler(OpKind kind, const Type& from, const Type& to);

}  // namespace ggufc::ir::loop
