// The GGUF container, versions 2 and 3, little endian: constants, value types, tensor types, limits.
// Source: the GGUF specification (ggml/docs/gguf.md) and ggml's table of block formats.
//
//   header   "GGUF", u32 version, u64 tensor count, u64 metadata count
//   metadata { string key, u32 value type, value }*        string = u64 length, bytes (no terminator)
//   tensors  { string name, u32 rank, u64 dims[rank], u32 type, u64 offset }*
//   padding to the alignment, then the tensors' data; offsets count from the start of that data
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace ggufc::frontend {

static_assert(std::endian::native == std::endian::little, "GGUF numbers are read in place");

inline constexpr uint32_t kGgufMagic = 0x46554747;  // "GGUF"
inline constexpr uint32_t kGgufVersion = 3;         // what the writer writes
inline constexpr uint64_t kDefaultAlignment = 32;

// Limits of this reader and writer. The specification sets the first two and the rank. The counts are far above any
// model's; they bound the memory that a hostile header can request.
inline constexpr uint64_t kMaxKeyBytes = 65535;
inline constexpr uint64_t kMaxTensorNameBytes = 64;
inline constexpr uint32_t kMaxRank = 4;
inline constexpr uint64_t kMaxMetadataEntries = 65536;
inline constexpr uint64_t kMaxTensors = 65536;
inline constexpr uint64_t kMinAlignment = 8;
inline constexpr uint64_t kMaxAlignment = 65536;

enum class ValueType : uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};
inline constexpr uint32_t kValueTypeCount = 13;

// A number at any address: those in the header are not aligned.
template <typename T>
T LoadUnaligned(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

// "u8", "string", ...
std::string_view ValueTypeName(ValueType type);
// Bytes of one value; 0 for strings and arrays, whose size is in the file.
uint64_t ValueTypeBytes(ValueType type);

// The value type that stores a C++ scalar.
template <typename T>
constexpr ValueType ValueTypeOf() {
  if constexpr (std::is_same_v<T, uint8_t>) return ValueType::kU8;
  if constexpr (std::is_same_v<T, int8_t>) return ValueType::kI8;
  if constexpr (std::is_same_v<T, uint16_t>) return ValueType::kU16;
  if constexpr (std::is_same_v<T, int16_t>) return ValueType::kI16;
  if constexpr (std::is_same_v<T, uint32_t>) return ValueType::kU32;
  if constexpr (std::is_same_v<T, int32_t>) return ValueType::kI32;
  if constexpr (std::is_same_v<T, float>) return ValueType::kF32;
  if constexpr (std::is_same_v<T, bool>) return ValueType::kBool;
  if constexpr (std::is_same_v<T, uint64_t>) return ValueType::kU64;
  if constexpr (std::is_same_v<T, int64_t>) return ValueType::kI64;
  if constexpr (std::is_same_v<T, double>) return ValueType::kF64;
}

// The supported tensor types. A Q8_0 block is an f16 scale d and 32 int8 q: value = d * q. A tensor that the
// model does not use may have any other type.
enum class GgmlType : uint32_t { F32 = 0, F16 = 1, Q8_0 = 8, BF16 = 30 };
inline constexpr std::string_view kSupportedTypes = "f32, f16, bf16 and q8_0";
// True when the number in a file is one of those above.
bool IsSupportedType(GgmlType type);

struct TypeTraits {
  std::string_view name;  // "f32", "q8_0", "q4_k"
  uint32_t block_size;    // elements in a block
  uint32_t block_bytes;
};

// The traits of any ggml type with a known block size; null for other types.
const TypeTraits* FindTraits(GgmlType type);
// The same for a type that has them.
const TypeTraits& Traits(GgmlType type);
// The name of any current or retired type of ggml ("q8_0"); "type 99" for other numbers.
std::string TypeName(GgmlType type);

}  // namespace ggufc::frontend
