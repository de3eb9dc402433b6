#include "runtime/sys/cpu_count.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace ggufc::runtime {
namespace {

TEST(CpuCountTest, CpuMaxOfVersion2) {
  EXPECT_EQ(ParseCpuMax("max 100000\n"), std::nullopt);
  EXPECT_EQ(ParseCpuMax("200000 100000\n"), 2);
  EXPECT_EQ(ParseCpuMax("150000 100000"), 2);
  EXPECT_EQ(ParseCpuMax("100001 100000"), 2);
  EXPECT_EQ(ParseCpuMax("1000 100000"), 1);
  EXPECT_EQ(ParseCpuMax("9223372036854775807 1"), 65536);
  for (const char* bad : {"", " ", "100000", "a b", "100000 0", "-5 100000", "0 100000", "1e5 100000",
                          "100000 100000 7", "99999999999999999999 100000"}) {
    EXPECT_EQ(ParseCpuMax(bad), std::nullopt) << bad;
  }
}

TEST(CpuCountTest, CfsQuotaOfVersion1) {
  EXPECT_EQ(ParseCfsQuota("-1\n", "100000\n"), std::nullopt);
  EXPECT_EQ(ParseCfsQuota("350000\n", "100000\n"), 4);
  EXPECT_EQ(ParseCfsQuota("50000", "100000"), 1);
  EXPECT_EQ(ParseCfsQuota("", "100000"), std::nullopt);
  EXPECT_EQ(ParseCfsQuota("50000", "x"), std::nullopt);
}

class CgroupTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = std::filesystem::temp_directory_path() /
            ("cgroup_test_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    std::filesystem::remove_all(root_);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  std::optional<int> Limit(const std::string& membership) {
    return CgroupCpuLimit(membership, root_.string());
  }

  std::filesystem::path root_;
};

TEST_F(CgroupTest, SmallestLimitOfTheGroupAndItsAncestors) {
  Write("a/b/c/cpu.max", "max 100000\n");
  Write("a/b/cpu.max", "500000 100000\n");
  Write("a/cpu.max", "300000 100000\n");
  EXPECT_EQ(Limit("0::/a/b/c\n"), 3);
  EXPECT_EQ(Limit("0::/a/b"), 3);
  Write("a/b/c/cpu.max", "120000 100000\n");
  EXPECT_EQ(Limit("0::/a/b/c\n"), 2);
  EXPECT_EQ(Limit("0::/a\n"), 3);
  EXPECT_EQ(Limit("0::/\n"), std::nullopt);
}

TEST_F(CgroupTest, MissingFoldersOfAContainerAreSkipped) {
  Write("cpu.max", "200000 100000\n");
  EXPECT_EQ(Limit("0::/\n"), 2);
  EXPECT_EQ(Limit("0::/docker/0123456789abcdef\n"), 2);  // a path of the host
}

TEST_F(CgroupTest, Version1) {
  Write("cpu,cpuacct/job/cpu.cfs_quota_us", "250000\n");
  Write("cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
  Write("memory/job/cpu.cfs_quota_us", "100000\n");
  Write("memory/job/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(Limit("12:memory:/job\n5:cpu,cpuacct:/job\n1:name=systemd:/x\n0::/\n"), 3);
  EXPECT_EQ(Limit("12:memory:/job\n4:cpuset:/job\n"), std::nullopt);
}

TEST_F(CgroupTest, NoGroupsAndMalformedText) {
  EXPECT_EQ(Limit(""), std::nullopt);
  EXPECT_EQ(Limit("0::/x\n"), std::nullopt);
  EXPECT_EQ(Limit("::\n:\nabc\n\n0::"), std::nullopt);
}

TEST(CpuCountTest, FollowsTheAffinity) {
  const int all = CpuCount();
  EXPECT_GE(all, 1);
  // In a thread, so that the affinity of the test does not change.
  std::thread([] {
    cpu_set_t set;
    ASSERT_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
    int first = 0;
    while (!CPU_ISSET(first, &set)) ++first;
    CPU_ZERO(&set);
    CPU_SET(first, &set);
    ASSERT_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
    EXPECT_EQ(CpuCount(), 1);
  }).join();
  EXPECT_EQ(CpuCount(), all);
}

}  // namespace
}  // namespace ggufc::runtime
