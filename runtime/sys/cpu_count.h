// The number of cores that this process may use: limited by scheduler affinity and by the CPU quota of its control
// groups. A container limited to two cores on a machine of 96 must not start 96 threads.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ggufc::runtime {

// min(scheduler affinity, cgroup v2 and v1 CPU quota rounded up), at least 1.
int CpuCount();

// Parts of CpuCount. They return nullopt if there is no limit or the text cannot be parsed; a limit is at least 1.
//
// cgroup v2, cpu.max: "150000 100000" (quota and period in microseconds) is 2 cores, "max 100000" no limit.
std::optional<int> ParseCpuMax(std::string_view text);
// cgroup v1, cpu.cfs_quota_us and cpu.cfs_period_us; a quota of -1 is no limit.
std::optional<int> ParseCfsQuota(std::string_view quota, std::string_view period);
// The smallest limit of this process's control groups and their ancestors up to the root. `membership` is the text of
// /proc/self/cgroup, `root` the folder where control groups are mounted. Missing folders are skipped: in a container
// the names in /proc may be those of the host.
std::optional<int> CgroupCpuLimit(std::string_view membership, const std::string& root);

}  // namespace ggufc::runtime
