#include "codegen/target.h"

#include <array>
#include <string>

#include "support/check.h"

namespace ggufc::codegen {
namespace {

// rows: the height of a register tile that is 16 columns wide, limited by the number of vector registers.
//
// 16 ymm (avx2, avxvnni): 6 rows need 6 x 2 i32 accumulators + 2 weights + 1 broadcast activation + 1 product = 16; 7 rows
// would need 18. There is no register for the f32 sums: they stay in L1 and are updated once per block of 32. q7 on avx2
// needs one more register, for vpmaddwd's operand of ones, so its tile has 5 rows (seven_bit_rows). The multiplier ports
// limit that loop: 6 rows with accumulators on the stack are no faster on a Zen 5 core (113 and 112 GMAC/s).
//
// 32 zmm (avx512vnni): 12 rows need 12 i32 accumulators + 12 f32 sums + 1 weight + 1 scale product = 26; activations are
// broadcast memory operands. 14 rows would fit and are no faster (i8 365, i16 213 GMAC/s at either height on a Zen 5
// core).
//
// 16 xmm (generic): 2 rows need 2 x 4 i32 accumulators + 4 weights + 1 broadcast + 1 product = 14. 6 rows spill and fall
// from 14 to 8 GMAC/s.
//
// pack: q8 activations reach 127, and two products of u8 x s8 reach 2 * 255 * 127 > 32767, where vpmaddubsw saturates.
// Without vpdpbusd q8 therefore uses the i16 dot (pack 2). q7 does not saturate: 2 * 255 * 63 = 32130.
//
// row_block: activation rows per pass over a weight panel. They stay in L2 during the pass (48 rows of 1,152 i16 are
// 108 KB) and consist of whole tiles of 2, 6 and 12 rows.
ir::TargetInfo Info(const char* name, int rows, bool sums_in_registers, bool fused_dot, int pack_q8,
                    int pack_q7, bool seven_bit_dot) {
  ir::TargetInfo info;
  info.name = name;
  info.rows = rows;
  info.sums_in_registers = sums_in_registers;
  info.fused_dot = fused_dot;
  info.pack_q16 = 2;
  info.pack_q8 = pack_q8;
  info.pack_q7 = pack_q7;
  info.seven_bit_dot = seven_bit_dot;
  info.seven_bit_rows = 5;
  info.row_block = 48;
  return info;
}

constexpr CacheSizes kSmallCaches = {32 << 10, 256 << 10};  // Haswell and later
constexpr CacheSizes kLargeCaches = {32 << 10, 1 << 20};    // Zen 4, Ice Lake server and later

#define GGUFC_AVX2 "+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+movbe,+popcnt"

const std::array<Target, 4>& Table() {
  // clang-format off
  static const std::array<Target, 4> table = {{
      {.info = Info("generic", 2, false, false, 2, 2, false),
       .cpu = "x86-64", .tune_cpu = "generic", .features = "",
       .vector_registers = 16, .vector_bits = 128,
       .dot_i16 = DotLowering::kPlain, .dot_u8s8 = DotLowering::kPlain, .dot_u8s7 = DotLowering::kPlain,
       .fma = FmaLowering::kEmulated, .f16 = F16Lowering::kBits, .caches = kSmallCaches},
      {.info = Info("avx2", 6, false, false, 2, 4, true),
       .cpu = "x86-64", .tune_cpu = "haswell", .features = GGUFC_AVX2,
       .vector_registers = 16, .vector_bits = 256,
       .dot_i16 = DotLowering::kMadd256, .dot_u8s8 = DotLowering::kPlain, .dot_u8s7 = DotLowering::kMadd256,
       .fma = FmaLowering::kHardware, .f16 = F16Lowering::kHardware, .caches = kSmallCaches},
      {.info = Info("avxvnni", 6, false, true, 4, 4, false),
       .cpu = "x86-64", .tune_cpu = "alderlake", .features = GGUFC_AVX2 ",+avxvnni",
       .vector_registers = 16, .vector_bits = 256,
       .dot_i16 = DotLowering::kVnni256, .dot_u8s8 = DotLowering::kVnni256, .dot_u8s7 = DotLowering::kVnni256,
       .fma = FmaLowering::kHardware, .f16 = F16Lowering::kHardware, .caches = kLargeCaches},
      {.info = Info("avx512vnni", 12, true, true, 4, 4, false),
       .cpu = "x86-64", .tune_cpu = "znver4",
       .features = GGUFC_AVX2 ",+avx512f,+avx512bw,+avx512dq,+avx512vl,+avx512vnni",
       .vector_registers = 32, .vector_bits = 512,
       .dot_i16 = DotLowering::kVnni512, .dot_u8s8 = DotLowering::kVnni512, .dot_u8s7 = DotLowering::kVnni512,
       .fma = FmaLowering::kHardware, .f16 = F16Lowering::kHardware, .caches = kLargeCaches},
  }};
  // clang-format on
  return table;
}

}  // namespace

std::span<const Target> Targets() { return Table(); }

Result<const Target*> FindTarget(std::string_view name) {
  if (name == "native") return &NativeTarget();
  std::string known;
  for (const Target& target : Targets()) {
    if (target.name() == name) return &target;
    known += ", " + target.info.name;
  }
  return Err("target '{}' is not known (known: native{})", name, known);
}

runtime::CpuFeatures RequiredFeatures(const Target& target) {
  const Result<runtime::CpuFeatures> features = runtime::ParseCpuFeatures(target.features);
  CHECK(features.has_value(), "target {}: {}", target.info.name, features.error().message);
  return *features;
}

bool HostRuns(const Target& target) { return (RequiredFeatures(target) & ~runtime::HostCpuFeatures()) == 0; }

const Target& NativeTarget() {
  static const Target* native = [] {
    const Target* best = &Targets().front();
    for (const Target& target : Targets()) {
      if (HostRuns(target)) best = &target;
    }
    return best;
  }();
  return *native;
}

}  // namespace ggufc::codegen
