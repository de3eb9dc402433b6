// Numbers about a compiled program and its runs, for people and for bench/.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/exec/program.h"

namespace ggufc::tools {

// 1234567 -> "1,234,567"
std::string Grouped(int64_t value);

struct KernelTime {
  std::string kernel;
  int64_t calls = 0;  // in one forward pass
  double seconds = 0;
};
// The slowest first. `nanoseconds`: of each step, as ExecutorStats has them.
std::vector<KernelTime> KernelTimes(const runtime::Program& program, std::span<const int64_t> nanoseconds);

// A table with columns as wide as their contents, the first one aligned left; the first row is the heading.
std::string Table(const std::vector<std::vector<std::string>>& rows, std::string_view indent);

// What this process has taken of the machine's memory at most, in bytes; 0 where the system does not say.
int64_t PeakMemory();

}  // namespace ggufc::tools
