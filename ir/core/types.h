// Types of values in all three stages, and the typed ids of values, ops, blocks, weights and functions.
//
//   graph, kernel   tensors            f32[T,768]  q8_0[1152,768]  q16[T,768]  f32[256]
//   loop            scalars, vectors   index  f32  i32  i1  ptr     f32x16  i16x32  u8x64  i1x16
//
// T (tokens in the batch), B (sequences in the batch) and Q (attention query tiles of the batch) are the only
// symbolic sizes; everything else is a constant of the model.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace ggufc::ir {

template <typename Tag>
struct Id {
  uint32_t index = UINT32_MAX;
  bool valid() const { return index != UINT32_MAX; }
  friend bool operator==(Id, Id) = default;
  friend auto operator<=>(Id, Id) = default;
};
using ValueId = Id<struct ValueTag>;
using OpId = Id<struct OpTag>;
using BlockId = Id<struct BlockTag>;
using WeightId = Id<struct WeightTag>;
using FunctionId = Id<struct FunctionTag>;

// SCALAR(enumerator, spelling, bits): bits per element, 0 for block formats, whose elements have no size of their own.
//   q8_0           ggml's weight blocks: 32 int8 and one f16 scale
//   q16, q8, q7    activations: blocks of 32 along a row, each with an f32 scale; |q| <= 32767, 127, 63
#define GGUFC_SCALARS(SCALAR) \
  SCALAR(kI1, "i1", 1)        \
  SCALAR(kI8, "i8", 8)        \
  SCALAR(kU8, "u8", 8)        \
  SCALAR(kI16, "i16", 16)     \
  SCALAR(kI32, "i32", 32)     \
  SCALAR(kIndex, "index", 64) \
  SCALAR(kF16, "f16", 16)     \
  SCALAR(kBF16, "bf16", 16)   \
  SCALAR(kF32, "f32", 32)     \
  SCALAR(kQ8_0, "q8_0", 0)    \
  SCALAR(kQ16, "q16", 0)      \
  SCALAR(kQ8, "q8", 0)        \
  SCALAR(kQ7, "q7", 0)        \
  SCALAR(kPtr, "ptr", 64)

enum class Scalar : uint8_t {
#define SCALAR(enumerator, spelling, bits) enumerator,
  GGUFC_SCALARS(SCALAR)
#undef SCALAR
};
const char* Name(Scalar scalar);
int Bits(Scalar scalar);

enum class Symbol : uint8_t { kNone, kT, kB, kQ };
const char* Name(Symbol symbol);  // "T", "B", "Q"

// A size: a constant, or a symbol with `size` 0.
struct Dim {
  int64_t size = 0;
  Symbol symbol = Symbol::kNone;
  Dim() = default;
  Dim(int64_t constant) : size(constant) {}  // NOLINT: a constant is a Dim
  Dim(Symbol s) : symbol(s) {}               // NOLINT
  friend bool operator==(const Dim&, const Dim&) = default;
};

struct Type {
  enum class Form : uint8_t { kNone, kScalar, kVector, kTensor };
  Form form = Form::kNone;
  Scalar scalar = Scalar::kF32;
  uint8_t rank = 0;           // tensors: 1 or 2
  int32_t lanes = 1;          // vectors
  std::array<Dim, 2> dims{};  // tensors: rows, columns (rank 1: dims[0] is the length)

  static Type MakeScalar(Scalar s) { return {Form::kScalar, s, 0, 1, {}}; }
  static Type Vector(Scalar s, int lanes) { return {Form::kVector, s, 0, lanes, {}}; }
  static Type Tensor(Scalar s, Dim length) { return {Form::kTensor, s, 1, 1, {length, Dim()}}; }
  static Type Tensor(Scalar s, Dim rows, Dim columns) { return {Form::kTensor, s, 2, 1, {rows, columns}}; }

  bool IsTensor() const { return form == Form::kTensor; }
  bool IsVector() const { return form == Form::kVector; }
  bool IsScalar() const { return form == Form::kScalar; }
  bool IsFloat() const { return scalar == Scalar::kF32; }
  // The last dimension: the length of a row.
  int64_t columns() const { return dims[rank == 2 ? 1 : 0].size; }
  Dim rows() const { return rank == 2 ? dims[0] : Dim(1); }
  Type With(Scalar s) const;  // the same shape with another element type
  Type Element() const { return MakeScalar(scalar); }
  // Bytes of a scalar or vector in memory.
  int64_t Bytes() const;

  friend bool operator==(const Type&, const Type&) = default;
};

std::string ToString(const Type& type);

// The types that loop IR computes with.
inline constexpr int kLanes = 16;
inline Type IndexType() { return Type::MakeScalar(Scalar::kIndex); }
inline Type PtrType() { return Type::MakeScalar(Scalar::kPtr); }
inline Type F32Type() { return Type::MakeScalar(Scalar::kF32); }
inline Type I32Type() { return Type::MakeScalar(Scalar::kI32); }
inline Type F32x16() { return Type::Vector(Scalar::kF32, kLanes); }
inline Type I32x16() { return Type::Vector(Scalar::kI32, kLanes); }
inline Type I16x32() { return Type::Vector(Scalar::kI16, 2 * kLanes); }

// Elements of a row that share one scale, in weights (q8_0) and activations (q16, q8, q7).
inline constexpr int64_t kQuantBlock = 32;
inline bool IsActivationQuant(Scalar s) { return s == Scalar::kQ16 || s == Scalar::kQ8 || s == Scalar::kQ7; }
// Attention with 16-bit dots: bounds of the Euclidean norm of a block of a query or key, and of the sum of a block of
// attention weights, so that no sum of products overflows i32. The exact limits are 46,340.9 (its square is 2^31) and
// 65,538 (times 32,767 it is just below 2^31); the difference leaves room for rounding, which adds up to sqrt(32) / 2 to
// a norm and 16 to a sum.
inline constexpr double kMaxBlockNorm = 46300;
inline constexpr double kMaxBlockSum = 65500;
// The largest magnitude of a quantised activation: 32767, 127 or 63.
int QuantMax(Scalar s);

}  // namespace ggufc::ir
