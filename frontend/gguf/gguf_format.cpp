#include "frontend/gguf/gguf_format.h"

#include <fmt/format.h>

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

// By number: ggml.h, enum ggml_type, with the blocks of ggml-common.h. 4, 5, 31 to 33 and 36 to 38 are retired
// formats, whose blocks ggml no longer knows.
constexpr std::array<TypeTraits, 42> kGgmlTypes = {{
    {"f32", 1, 4},      {"f16", 1, 2},        {"q4_0", 32, 18},     {"q4_1", 32, 20},     {"q4_2", 0, 0},
    {"q4_3", 0, 0},     {"q5_0", 32, 22},     {"q5_1", 32, 24},     {"q8_0", 32, 34},     {"q8_1", 32, 36},
    {"q2_k", 256, 84},  {"q3_k", 256, 110},   {"q4_k", 256, 144},   {"q5_k", 256, 176},   {"q6_k", 256, 210},
    {"q8_k", 256, 292}, {"iq2_xxs", 256, 66}, {"iq2_xs", 256, 74},  {"iq3_xxs", 256, 98}, {"iq1_s", 256, 50},
    {"iq4_nl", 32, 18}, {"iq3_s", 256, 110},  {"iq2_s", 256, 82},   {"iq4_xs", 256, 136}, {"i8", 1, 1},
    {"i16", 1, 2},      {"i32", 1, 4},        {"i64", 1, 8},        {"f64", 1, 8},        {"iq1_m", 256, 56},
    {"bf16", 1, 2},     {"q4_0_4_4", 0, 0},   {"q4_0_4_8", 0, 0},   {"q4_0_8_8", 0, 0},   {"tq1_0", 256, 54},
    {"tq2_0", 256, 66}, {"iq4_nl_4_4", 0, 0}, {"iq4_nl_4_8", 0, 0}, {"iq4_nl_8_8", 0, 0}, {"mxfp4", 32, 17},
    {"nvfp4", 64, 36},  {"q1_0", 128, 18},
}};

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

bool IsSupportedType(GgmlType type) {
  switch (type) {
    case GgmlType::F32:
    case GgmlType::F16:
    case GgmlType::Q8_0:
    case GgmlType::BF16:
      return true;
  }
  return false;
}

const TypeTraits* FindTraits(GgmlType type) {
  const auto index = static_cast<uint32_t>(type);
  return index < kGgmlTypes.size() && kGgmlTypes[index].block_bytes != 0 ? &kGgmlTypes[index] : nullptr;
}

const TypeTraits& Traits(GgmlType type) {
  const TypeTraits* traits = FindTraits(type);
  CHECK(traits != nullptr, "tensor type {}", static_cast<uint32_t>(type));
  return *traits;
}

std::string TypeName(GgmlType type) {
  const auto index = static_cast<uint32_t>(type);
  return index < kGgmlTypes.size() ? std::string(kGgmlTypes[index].name) : fmt::format("type {}", index);
}

}  // namespace ggufc::frontend
