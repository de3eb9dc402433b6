#include "tools/io/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <functional>

namespace ggufc::tools {

std::string Grouped(int64_t value) {
  const std::string digits = fmt::format("{}", value);
  const size_t sign = value < 0 ? 1 : 0;
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > sign && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

std::vector<KernelTime> KernelTimes(const runtime::Program& program, std::span<const int64_t> nanoseconds) {
  std::vector<KernelTime> times;
  for (const std::string& kernel : program.kernels) times.push_back({kernel});
  for (size_t i = 0; i < program.steps.size(); ++i) {
    KernelTime& time = times[program.steps[i].kernel];
    ++time.calls;
    if (i < nanoseconds.size()) time.seconds += 1e-9 * static_cast<double>(nanoseconds[i]);
  }
  std::ranges::stable_sort(times, std::greater<>(), &KernelTime::seconds);
  return times;
}

std::string Table(const std::vector<std::vector<std::string>>& rows, std::string_view indent) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line(indent);
    for (size_t i = 0; i < row.size(); ++i) {
      line += i == 0 ? fmt::format("{:<{}}", row[i], widths[i]) : fmt::format("  {:>{}}", row[i], widths[i]);
    }
    line.resize(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

// VmHWM, on Linux. getrusage() would include the memory of the process before exec.
int64_t PeakMemory() {
  std::FILE* file = std::fopen("/proc/self/status", "re");
  if (file == nullptr) return 0;
  char line[256];
  long kilobytes = 0;
  while (std::fgets(line, sizeof line, file) != nullptr) {
    if (std::sscanf(line, "VmHWM: %ld kB", &kilobytes) == 1) break;
  }
  std::fclose(file);
  return int64_t{1024} * kilobytes;
}

}  // namespace ggufc::tools
