#include "codegen/target.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <llvm/ADT/StringMap.h>
#include <llvm/TargetParser/Host.h>

#include <algorithm>
#include <bit>

namespace ggufc::codegen {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(TargetTest, TableHasItsTargetsInOrder) {
  std::vector<std::string_view> names;
  for (const Target& target : Targets()) names.push_back(target.name());
  EXPECT_THAT(names, ElementsAre("generic", "avx2", "avxvnni", "avx512vnni"));
}

TEST(TargetTest, FindsByName) {
  for (const Target& target : Targets()) {
    const auto found = FindTarget(target.name());
    ASSERT_TRUE(found);
    EXPECT_EQ(*found, &target);
  }
  const auto native = FindTarget("native");
  ASSERT_TRUE(native);
  EXPECT_EQ(*native, &NativeTarget());
  const auto unknown = FindTarget("avx10");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("'avx10'"));
  EXPECT_THAT(unknown.error().message, HasSubstr("avx512vnni"));
}

TEST(TargetTest, HostRunsNativeTargetAndGeneric) {
  EXPECT_TRUE(HostRuns(Targets().front()));
  EXPECT_TRUE(HostRuns(NativeTarget()));
  // No more capable target than the native one runs.
  for (const Target& target : Targets()) {
    EXPECT_FALSE(&target > &NativeTarget() && HostRuns(target)) << target.name();
  }
}

// The runtime, which does not link LLVM, reads the same features from CPUID as LLVM.
TEST(TargetTest, AgreesWithLlvmOnTheFeaturesOfTheHost) {
  const llvm::StringMap<bool> llvm_features = llvm::sys::getHostCPUFeatures();
  const runtime::CpuFeatures host = runtime::HostCpuFeatures();
  const auto names = runtime::CpuFeatureNames();
  for (size_t i = 0; i < names.size(); ++i) {
    const auto found = llvm_features.find(llvm::StringRef(names[i].data(), names[i].size()));
    ASSERT_NE(found, llvm_features.end()) << names[i];
    EXPECT_EQ((host >> i & 1) != 0, found->second) << names[i];
  }
}

TEST(TargetTest, RequiredFeaturesMatchTheCodesFeatures) {
  EXPECT_EQ(RequiredFeatures(Targets().front()), 0u);
  for (const Target& target : Targets()) {
    const runtime::CpuFeatures required = RequiredFeatures(target);
    for (size_t i = 0; i < runtime::CpuFeatureNames().size(); ++i) {
      if ((required >> i & 1) == 0) continue;
      EXPECT_THAT(target.features, HasSubstr(fmt::format("+{}", runtime::CpuFeatureNames()[i])));
    }
    EXPECT_EQ(std::popcount(required), std::ranges::count(std::string_view(target.features), '+'))
        << target.name();
  }
}

// The same features as read by the C compiler's runtime.
TEST(TargetTest, AgreesWithCpuid) {
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("f16c") && __builtin_cpu_supports("bmi") &&
                    __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("lzcnt") &&
                    __builtin_cpu_supports("movbe") && __builtin_cpu_supports("popcnt");
  EXPECT_EQ(HostRuns(**FindTarget("avx2")), avx2);
  EXPECT_EQ(HostRuns(**FindTarget("avx512vnni")),
            avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                __builtin_cpu_supports("avx512vnni"));
}

TEST(TargetTest, TilesFitTheRegisters) {
  for (const Target& target : Targets()) {
    const int columns = 16 * 32 / target.vector_bits;  // registers of one row of i32
    // Accumulators (and sums), the registers of one row of weights, and one for the product or scale.
    const int rows = target.info.sums_in_registers ? 2 * target.info.rows : target.info.rows;
    EXPECT_LE(rows * columns + columns + 1, target.vector_registers) << target.name();
    EXPECT_EQ(target.info.row_block % target.info.rows, 0) << target.name();
  }
}

}  // namespace
}  // namespace ggufc::codegen
