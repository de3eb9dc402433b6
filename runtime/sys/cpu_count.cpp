#include "runtime/sys/cpu_count.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <thread>

namespace ggufc::runtime {
namespace {

constexpr int kMaxCpus = 1 << 16;  // more than any build of Linux supports

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::optional<int64_t> ParseInteger(std::string_view text) {
  text = Trim(text);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<int> QuotaCores(std::optional<int64_t> quota, std::optional<int64_t> period) {
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  const int64_t cores = *quota / *period + (*quota % *period != 0);
  return static_cast<int>(std::min<int64_t>(cores, kMaxCpus));
}

// Reads a file of the kernel to its end, because the reported size is 0. Uses system calls, because a stream would link
// all locales of the C++ library, a megabyte, into programs that use the runtime.
std::optional<std::string> ReadFile(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  std::string text;
  char buffer[1024];
  ssize_t count = 0;
  while ((count = read(file, buffer, sizeof(buffer))) > 0 || (count < 0 && errno == EINTR)) {
    if (count > 0) text.append(buffer, static_cast<size_t>(count));
  }
  close(file);
  if (count < 0) return std::nullopt;
  return text;
}

void LowerTo(std::optional<int>& limit, std::optional<int> other) {
  if (other && (!limit || *other < *limit)) limit = other;
}

// The limit of one control group's folder, version 1 or 2.
std::optional<int> FolderLimit(const std::string& folder) {
  std::optional<int> limit;
  if (const auto text = ReadFile(folder + "/cpu.max")) LowerTo(limit, ParseCpuMax(*text));
  const auto quota = ReadFile(folder + "/cpu.cfs_quota_us");
  const auto period = ReadFile(folder + "/cpu.cfs_period_us");
  if (quota && period) LowerTo(limit, ParseCfsQuota(*quota, *period));
  return limit;
}

bool HasCpuController(std::string_view controllers) {
  while (!controllers.empty()) {
    const size_t comma = controllers.find(',');
    if (controllers.substr(0, comma) == "cpu") return true;
    if (comma == std::string_view::npos) break;
    controllers.remove_prefix(comma + 1);
  }
  return false;
}

int AffinityCount() {
  // The kernel refuses a set smaller than its own but does not report its size, so larger sets are tried.
  for (int cpus = 1024; cpus <= kMaxCpus; cpus *= 4) {
    cpu_set_t* const set = CPU_ALLOC(static_cast<size_t>(cpus));
    if (set == nullptr) break;
    const size_t bytes = CPU_ALLOC_SIZE(static_cast<size_t>(cpus));
    const int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

}  // namespace

std::optional<int> ParseCpuMax(std::string_view text) {
  text = Trim(text);
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  return QuotaCores(ParseInteger(text.substr(0, space)),
                    ParseInteger(text.substr(space + 1)));  // "max" is not an integer: no limit
}

std::optional<int> ParseCfsQuota(std::string_view quota, std::string_view period) {
  return QuotaCores(ParseInteger(quota), ParseInteger(period));
}

std::optional<int> CgroupCpuLimit(std::string_view membership, const std::string& root) {
  std::optional<int> limit;
  while (!membership.empty()) {
    // hierarchy:controllers:path; version 2 has hierarchy 0 and no controllers.
    const size_t end = std::min(membership.find('\n'), membership.size());
    const std::string_view line = membership.substr(0, end);
    membership.remove_prefix(std::min(end + 1, membership.size()));
    const size_t first = line.find(':');
    const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    std::string mount = root;
    if (!controllers.empty()) {
      if (!HasCpuController(controllers)) continue;
      mount += '/';
      mount += controllers;  // "cpu,cpuacct": the folder is named after the whole list
    }
    for (std::string path(Trim(line.substr(second + 1)));; path.resize(path.rfind('/'))) {
      if (path == "/") path.clear();
      LowerTo(limit, FolderLimit(mount + path));
      if (path.find('/') == std::string::npos) break;
    }
  }
  return limit;
}

int CpuCount() {
  std::optional<int> count = AffinityCount();
  if (const auto membership = ReadFile("/proc/self/cgroup")) {
    LowerTo(count, CgroupCpuLimit(*membership, "/sys/fs/cgroup"));
  }
  return std::max(1, *count);
}

}  // namespace ggufc::runtime
