#include "runtime/sys/cpu_features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace ggufc::runtime {
namespace {

using ::testing::HasSubstr;

// A CPU with every feature of the table, and a system that saves all registers.
struct Machine {
  std::map<std::pair<uint32_t, uint32_t>, CpuidRegisters> leaves = {
      {{0, 0}, {.eax = 7}},
      {{1, 0}, {.ecx = 1u << 12 | 1u << 22 | 1u << 23 | 1u << 27 | 1u << 28 | 1u << 29}},
      {{7, 0},
       {.eax = 1,
        .ebx = 1u << 3 | 1u << 5 | 1u << 8 | 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31,
        .ecx = 1u << 11}},
      {{7, 1}, {.eax = 1u << 4}},
      {{0x80000000, 0}, {.eax = 0x80000001}},
      {{0x80000001, 0}, {.ecx = 1u << 5}}};
  uint64_t xcr0 = 0xe7;

  std::string Features() const {
    return FormatCpuFeatures(DecodeCpuFeatures(
        [&](uint32_t leaf, uint32_t subleaf) {
          const auto found = leaves.find({leaf, subleaf});
          // For a leaf that they do not have, Intel CPUs return the data of the last leaf: here, all features.
          return found != leaves.end() ? found->second : CpuidRegisters{~0u, ~0u, ~0u, ~0u};
        },
        [&] { return xcr0; }));
  }
};

constexpr char kScalar[] = "popcnt, movbe, lzcnt, bmi, bmi2";
constexpr char kYmm[] = ", fma, f16c, avx2, avxvnni";
constexpr char kZmm[] = ", avx512f, avx512dq, avx512bw, avx512vl, avx512vnni";

TEST(CpuFeaturesTest, AllFeatures) { EXPECT_EQ(Machine().Features(), std::string(kScalar) + kYmm + kZmm); }

TEST(CpuFeaturesTest, FeaturesWhoseRegistersAreNotSavedAreMissing) {
  Machine machine;
  machine.xcr0 = 0x7;  // no masks, no upper halves of zmm
  EXPECT_EQ(machine.Features(), std::string(kScalar) + kYmm);
  machine.xcr0 = 0x67;  // not zmm16 to 31
  EXPECT_EQ(machine.Features(), std::string(kScalar) + kYmm);
  machine.xcr0 = 0x3;
  EXPECT_EQ(machine.Features(), kScalar);
  machine.xcr0 = 0xe3;  // inconsistent: masks without ymm
  EXPECT_EQ(machine.Features(), kScalar);
  machine = Machine();
  machine.leaves[{1, 0}].ecx &= ~(1u << 27);  // XGETBV would be an illegal instruction
  EXPECT_EQ(machine.Features(), kScalar);
  machine = Machine();
  machine.leaves[{1, 0}].ecx &= ~(1u << 28);
  EXPECT_EQ(machine.Features(), kScalar);
}

TEST(CpuFeaturesTest, MissingLeavesAreNotRead) {
  Machine machine;
  machine.leaves.erase({7, 1});
  machine.leaves[{7, 0}].eax = 0;
  EXPECT_EQ(machine.Features(), "popcnt, movbe, lzcnt, bmi, bmi2, fma, f16c, avx2" + std::string(kZmm));
  machine.leaves.erase({7, 0});
  machine.leaves[{0, 0}].eax = 6;
  EXPECT_EQ(machine.Features(), "popcnt, movbe, lzcnt, fma, f16c");
  machine.leaves.erase({0x80000001, 0});
  machine.leaves[{0x80000000, 0}].eax = 0x80000000;
  EXPECT_EQ(machine.Features(), "popcnt, movbe, fma, f16c");
  machine.leaves.erase({1, 0});
  machine.leaves[{0, 0}].eax = 0;
  EXPECT_EQ(machine.Features(), "");
}

TEST(CpuFeaturesTest, NamesAndBits) {
  const auto names = CpuFeatureNames();
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(*ParseCpuFeatures(names[i]), uint64_t{1} << i);
    EXPECT_EQ(FormatCpuFeatures(uint64_t{1} << i), names[i]);
  }
  // Stored in object files, so these bits never change.
  EXPECT_EQ(*ParseCpuFeatures("popcnt"), uint64_t{1} << 0);
  EXPECT_EQ(*ParseCpuFeatures("avx2"), uint64_t{1} << 7);
  EXPECT_EQ(*ParseCpuFeatures("avx512vnni"), uint64_t{1} << 13);
  EXPECT_EQ(*ParseCpuFeatures("+avx2,+fma"), *ParseCpuFeatures("fma,avx2"));
  EXPECT_EQ(*ParseCpuFeatures(""), 0u);
  EXPECT_EQ(FormatCpuFeatures(0), "");
  EXPECT_EQ(FormatCpuFeatures(uint64_t{1} << 63 | 1), "popcnt, feature 63");
  const auto unknown = ParseCpuFeatures("+avx2,+sse9");
  ASSERT_FALSE(unknown.has_value());
  EXPECT_THAT(unknown.error().message, HasSubstr("'sse9'"));
}

}  // namespace
}  // namespace ggufc::runtime
