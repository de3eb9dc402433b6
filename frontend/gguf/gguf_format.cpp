#include "frontend/gguf/gguf_format.h"

#include <array>

#include "support/check.h"

namespace ggufc::frontend {
namespace {

struct ValueTypeRow {
  std::string_view name;
  uint64_t bytes;
};

constexpr std::array<ValueTypeRow, kValueTypeCount> kValueTypes = {{
    {"u8", 1},
    {"i8", 1},
    {"u16", 2},
    {"i16", 2},
    {"u32", 4},
    {"i32", 4},
    {"f32", 4},
    {"bool", 1},
    {"string", 0},
    {"array", 0},
    {"u64", 8},
    {"i64", 8},
    {"f64", 8},
}};

// ggml.h, enum ggml_type; 4, 5 and 31 to 38 are retired formats.
constexpr std::array<std::string_view, 40> kGgmlTypes = {
    "F32",      "F16",      "Q4_0",    "Q4_1",  "Q4_2",       "Q4_3",       "Q5_0",       "Q5_1",
    "Q8_0",     "Q8_1",     "Q2_K",    "Q3_K",  "Q4_K",       "Q5_K",       "Q6_K",       "Q8_K",
    "IQ2_XXS",  "IQ2_XS",   "IQ3_XXS", "IQ1_S", "IQ4_NL",     "IQ3_S",      "IQ2_S",      "IQ4_XS",
    "I8",       "I16",      "I32",     "I64",   "F64",        "IQ1_M",      "BF16",       "Q4_0_4_4",
    "Q4_0_4_8", "Q4_0_8_8", "TQ1_0",   "TQ2_0", "IQ4_NL_4_4", "IQ4_NL_4_8", "IQ4_NL_8_8", "MXFP4",
};

constexpr TypeTraits kF32Traits = {"f32", 1, 4};
constexpr TypeTraits kF16Traits = {"f16", 1, 2};
constexpr TypeTraits kQ8_0Traits = {"q8_0", 32, 34};
constexpr TypeTraits kBF16Traits = {"bf16", 1, 2};

}  // namespace

std::string_view ValueTypeName(ValueType type) {
  const auto index = static_cast<uint32_t>(type);
  CHECK(index < kValueTypeCount);
  return kValueTypes[index].name;
}

uint64_t ValueTypeBytes(ValueType type) {
  const auto index = static_cast<uint32_t>(type);
  CHECK(index < kValueTypeCount);
  return kValueTypes[index].bytes;
}

bool IsSupportedType(uint32_t type) {
  switch (static_cast<GgmlType>(type)) {
    case GgmlType::F32:
    case GgmlType::F16:
    case GgmlType::Q8_0:
    case GgmlType::BF16:
      return true;
  }
  return false;
}

const TypeTraits& Traits(GgmlType type) {
  switch (type) {
    case GgmlType::F32:
      return kF32Traits;
    case GgmlType::F16:
      return kF16Traits;
    case GgmlType::Q8_0:
      return kQ8_0Traits;
    case GgmlType::BF16:
      return kBF16Traits;
  }
  CHECK(false, "tensor type {}", static_cast<uint32_t>(type));
  return kF32Traits;
}

std::string_view GgmlTypeName(uint32_t type) {
  return type < kGgmlTypes.size() ? kGgmlTypes[type] : std::string_view("unknown");
}

}  // namespace ggufc::frontend
