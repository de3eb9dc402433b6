// The probes consist of the expected instructions, and descriptions of caches are parsed. No measured value is asserted.
#include "tools/roofline/machine/machine.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "codegen/object_emitter.h"
#include "study_fixture.h"
#include "tools/roofline/machine/assembly.h"

namespace ggufc::testing {
namespace {

using roofline::Arithmetic;

struct Expectation {
  const char* target;
  Arithmetic arithmetic;
  std::vector<std::string_view> instructions;  // each occurs `count` times in the loop
  int count;
};

TEST(ProbesTest, LoopsMultiplyInRegistersOnly) {
  const Expectation expectations[] = {
      {"avx2", Arithmetic::kF32, {"vfmadd"}, 12},
      {"avx2", Arithmetic::kI16, {"vpmaddwd", "vpaddd"}, 12},
      {"avx2", Arithmetic::kU8S7, {"vpmaddubsw", "vpmaddwd", "vpaddd"}, 12},
      {"avxvnni", Arithmetic::kI16, {"vpdpwssd"}, 12},
      {"avxvnni", Arithmetic::kU8S8, {"vpdpbusd"}, 12},
      {"avx512vnni", Arithmetic::kF32, {"vfmadd"}, 28},
      {"avx512vnni", Arithmetic::kI16, {"vpdpwssd"}, 28},
      {"avx512vnni", Arithmetic::kU8S8, {"vpdpbusd"}, 28},
      {"generic", Arithmetic::kI16, {"pmaddwd", "paddd"}, 12},
  };
  for (const Expectation& e : expectations) {
    const codegen::Target& target = *Value(codegen::FindTarget(e.target));
    ASSERT_TRUE(roofline::Uses(target, e.arithmetic)) << e.target;
    const std::string assembly = Value(codegen::PrintAssembly(Value(roofline::BuildProbes(target)), target));
    const std::string name = fmt::format("dot.{}", roofline::Name(e.arithmetic));
    const roofline::AsmFunction code = roofline::FindFunction(assembly, name);
    ASSERT_EQ(code.loops.size(), 1u) << e.target << " " << name << "\n" << assembly;
    const auto count = [&](std::string_view part) {
      return std::count_if(code.instructions.begin() + static_cast<long>(code.loops[0].first),
                           code.instructions.begin() + static_cast<long>(code.loops[0].last),
                           [&](const std::string& text) { return text.find(part) != std::string::npos; });
    };
    for (const std::string_view part : e.instructions)
      EXPECT_EQ(count(part), e.count) << e.target << " " << part;
    EXPECT_EQ(count("("), 0) << e.target << " " << name << ": memory in the loop\n" << assembly;
    // DotTurnMacs equals the multiply-adds of the instructions in the loop.
    const int lanes = target.vector_bits / 32;
    const int each = e.arithmetic == Arithmetic::kF32 ? 1 : e.arithmetic == Arithmetic::kI16 ? 2 : 4;
    EXPECT_EQ(roofline::DotTurnMacs(target, e.arithmetic), e.count * lanes * each) << e.target << " " << name;
  }
}

TEST(ProbesTest, ReadProbeLoadsEachCacheLineOnce) {
  const codegen::Target& target = *Value(codegen::FindTarget("avx512vnni"));
  const std::string assembly = Value(codegen::PrintAssembly(Value(roofline::BuildProbes(target)), target));
  const roofline::AsmFunction code = roofline::FindFunction(assembly, "read");
  // The loop over passes contains the loop over the bytes; both load whole cache lines only.
  const auto is_load = [](const std::string& text) {
    return text.find("%zmm") != std::string::npos && text.find('(') != std::string::npos;
  };
  std::vector<long> loads;
  for (const roofline::AsmLoop& loop : code.loops) {
    loads.push_back(std::count_if(code.instructions.begin() + static_cast<long>(loop.first),
                                  code.instructions.begin() + static_cast<long>(loop.last), is_load));
  }
  ASSERT_FALSE(loads.empty()) << assembly;
  EXPECT_EQ(std::ranges::max(loads), roofline::kReadTurn / 64) << assembly;
}

class CachesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fmt::format("{}/ggufc-caches-{}", ::testing::TempDir(), getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void Write(int index, const char* level, const char* type, const char* size, const char* shared) const {
    const std::string folder = fmt::format("{}/index{}/", folder_, index);
    std::filesystem::create_directories(folder);
    std::ofstream(folder + "level") << level << "\n";
    std::ofstream(folder + "type") << type << "\n";
    std::ofstream(folder + "size") << size << "\n";
    std::ofstream(folder + "shared_cpu_list") << shared << "\n";
  }
  std::string folder_;
};

TEST_F(CachesTest, ReadsDataAndUnifiedCaches) {
  Write(0, "1", "Data", "48K", "0,8");
  Write(1, "1", "Instruction", "32K", "0,8");
  Write(2, "2", "Unified", "1024K", "0,8");
  Write(3, "3", "Unified", "32M", "0-7,8-15");
  const std::vector<roofline::Cache> caches = roofline::ReadCaches(folder_);
  ASSERT_EQ(caches.size(), 3u);
  EXPECT_EQ(caches[0].bytes, 48 << 10);
  EXPECT_EQ(caches[0].sharing, 2);
  EXPECT_EQ(caches[1].bytes, 1 << 20);
  EXPECT_EQ(caches[2].level, 3);
  EXPECT_EQ(caches[2].bytes, 32 << 20);
  EXPECT_EQ(caches[2].sharing, 16);
}

TEST_F(CachesTest, SkipsInvalidDescriptions) {
  Write(0, "1", "Data", "many", "0");
  Write(1, "2", "Unified", "-5K", "0");
  Write(2, "3", "Unified", "8192K", "nobody");
  const std::vector<roofline::Cache> caches = roofline::ReadCaches(folder_);
  ASSERT_EQ(caches.size(), 1u);
  EXPECT_EQ(caches[0].bytes, 8 << 20);
  EXPECT_EQ(caches[0].sharing, 1);
  EXPECT_TRUE(roofline::ReadCaches(folder_ + "/nowhere").empty());
}

TEST(MachineTest, LevelForIsTheNearestWithRoom) {
  const roofline::Machine machine = RoundMachine();
  EXPECT_EQ(machine.LevelFor(0).name, "L1");
  EXPECT_EQ(machine.LevelFor((64 << 10) + 1).name, "L2");
  EXPECT_EQ(machine.LevelFor(32 << 20).name, "L3");
  EXPECT_EQ(machine.LevelFor((32 << 20) + 1).name, "DRAM");
  EXPECT_EQ(machine.LastCacheBytes(), 32 << 20);
}

TEST(MachineTest, MeasuresThisMachine) {
  const roofline::Machine machine =
      Value(roofline::MeasureMachine(codegen::NativeTarget(), {.threads = 2, .seconds_per_rate = 0}));
  EXPECT_GT(machine.hertz, 0);
  ASSERT_GE(machine.compute.size(), 2u);
  ASSERT_GE(machine.memory.size(), 2u);
  EXPECT_EQ(machine.Dram().name, "DRAM");
  for (const roofline::ComputeRoof& roof : machine.compute) {
    EXPECT_GT(roof.macs.one, 0) << Name(roof.arithmetic);
    EXPECT_GE(roof.macs.all, roof.macs.one) << Name(roof.arithmetic);
  }
  for (const roofline::MemoryRoof& roof : machine.memory) {
    EXPECT_GT(roof.bytes.one, 0) << roof.name;
    EXPECT_EQ(roof.measured % roofline::kReadTurn, 0) << roof.name;
  }
}

}  // namespace
}  // namespace ggufc::testing
