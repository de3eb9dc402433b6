#include "runtime/sys/cpu_features.h"

#include <array>
#include <bit>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace ggufc::runtime {
namespace {

// The registers that the system must save at a task switch for a feature to be usable.
enum class SavedState : uint8_t { kAlways, kYmm, kZmm };

struct Row {
  std::string_view name;
  uint32_t leaf, subleaf;
  uint32_t CpuidRegisters::* word;
  int bit;
  SavedState saved;
};

constexpr uint32_t kExtended = 0x80000000;

// Sources: Intel SDM volume 2, CPUID; AMD APM volume 3, appendix E. Rows are never reordered: see CpuFeatures.
constexpr std::array kRows = {
    Row{"popcnt", 1, 0, &CpuidRegisters::ecx, 23, SavedState::kAlways},
    Row{"movbe", 1, 0, &CpuidRegisters::ecx, 22, SavedState::kAlways},
    Row{"lzcnt", kExtended + 1, 0, &CpuidRegisters::ecx, 5, SavedState::kAlways},
    Row{"bmi", 7, 0, &CpuidRegisters::ebx, 3, SavedState::kAlways},
    Row{"bmi2", 7, 0, &CpuidRegisters::ebx, 8, SavedState::kAlways},
    Row{"fma", 1, 0, &CpuidRegisters::ecx, 12, SavedState::kYmm},
    Row{"f16c", 1, 0, &CpuidRegisters::ecx, 29, SavedState::kYmm},
    Row{"avx2", 7, 0, &CpuidRegisters::ebx, 5, SavedState::kYmm},
    Row{"avxvnni", 7, 1, &CpuidRegisters::eax, 4, SavedState::kYmm},
    Row{"avx512f", 7, 0, &CpuidRegisters::ebx, 16, SavedState::kZmm},
    Row{"avx512dq", 7, 0, &CpuidRegisters::ebx, 17, SavedState::kZmm},
    Row{"avx512bw", 7, 0, &CpuidRegisters::ebx, 30, SavedState::kZmm},
    Row{"avx512vl", 7, 0, &CpuidRegisters::ebx, 31, SavedState::kZmm},
    Row{"avx512vnni", 7, 0, &CpuidRegisters::ecx, 11, SavedState::kZmm},
};
static_assert(kRows.size() <= 64);

constexpr auto kNames = [] {
  std::array<std::string_view, kRows.size()> names;
  for (size_t i = 0; i < kRows.size(); ++i) names[i] = kRows[i].name;
  return names;
}();

constexpr uint32_t kOsXsave = uint32_t{1} << 27;  // leaf 1, ecx: XGETBV is enabled
constexpr uint32_t kAvx = uint32_t{1} << 28;      // leaf 1, ecx
constexpr uint64_t kYmmState = 0x06;              // XCR0: xmm, upper halves of ymm
constexpr uint64_t kZmmState = 0xe6;              // and mask registers, upper halves of zmm, zmm16 to 31

}  // namespace

std::span<const std::string_view> CpuFeatureNames() { return kNames; }

CpuFeatures DecodeCpuFeatures(const std::function<CpuidRegisters(uint32_t leaf, uint32_t subleaf)>& cpuid,
                              const std::function<uint64_t()>& xcr0) {
  // For a leaf or subleaf that the CPU does not have, CPUID returns the data of another one.
  const uint32_t last_leaf = cpuid(0, 0).eax;
  const uint32_t last_extended = cpuid(kExtended, 0).eax;
  const uint32_t last_subleaf_of_7 = last_leaf >= 7 ? cpuid(7, 0).eax : 0;
  const auto has = [&](const Row& row) {
    if (row.leaf >= kExtended) return row.leaf <= last_extended;
    return row.leaf <= last_leaf && (row.leaf != 7 || row.subleaf <= last_subleaf_of_7);
  };
  const uint32_t leaf1 = last_leaf >= 1 ? cpuid(1, 0).ecx : 0;
  const uint64_t state = (leaf1 & (kOsXsave | kAvx)) == (kOsXsave | kAvx) ? xcr0() : 0;
  const auto saves = [&](SavedState saved) {
    const uint64_t needed = saved == SavedState::kZmm ? kZmmState : saved == SavedState::kYmm ? kYmmState : 0;
    return (state & needed) == needed;
  };

  CpuFeatures features = 0;
  for (size_t i = 0; i < kRows.size(); ++i) {
    const Row& row = kRows[i];
    if (!has(row) || !saves(row.saved)) continue;
    const CpuidRegisters registers = cpuid(row.leaf, row.subleaf);
    features |= static_cast<CpuFeatures>(registers.*row.word >> row.bit & 1) << i;
  }
  return features;
}

CpuFeatures HostCpuFeatures() {
#if defined(__x86_64__)
  struct Answer {
    uint32_t leaf = 0, subleaf = 0;
    CpuidRegisters registers;
  };
  // Each leaf is read once, because each CPUID is a virtual machine exit.
  std::array<Answer, 8> answers;
  size_t count = 0;
  const auto cpuid = [&](uint32_t leaf, uint32_t subleaf) {
    for (size_t i = 0; i < count; ++i) {
      if (answers[i].leaf == leaf && answers[i].subleaf == subleaf) return answers[i].registers;
    }
    CpuidRegisters r;
    __cpuid_count(leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
    if (count < answers.size()) answers[count++] = {leaf, subleaf, r};
    return r;
  };
  const auto xcr0 = [] {
    uint32_t low = 0, high = 0;
    // The intrinsic needs compilation with XSAVE enabled.
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return uint64_t{high} << 32 | low;
  };
  return DecodeCpuFeatures(cpuid, xcr0);
#else
  return 0;
#endif
}

Result<CpuFeatures> ParseCpuFeatures(std::string_view list) {
  CpuFeatures features = 0;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    std::string_view name = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    if (name.starts_with('+')) name.remove_prefix(1);
    size_t bit = 0;
    while (bit < kNames.size() && kNames[bit] != name) ++bit;
    if (bit == kNames.size()) return Err("unknown CPU feature '{}'", name);
    features |= CpuFeatures{1} << bit;
  }
  return features;
}

std::string FormatCpuFeatures(CpuFeatures features) {
  std::string text;
  for (; features != 0; features &= features - 1) {
    const auto bit = static_cast<size_t>(std::countr_zero(features));
    if (!text.empty()) text += ", ";
    text += bit < kNames.size() ? std::string(kNames[bit]) : fmt::format("feature {}", bit);
  }
  return text;
}

}  // namespace ggufc::runtime
