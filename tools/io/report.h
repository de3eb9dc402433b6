// Formats figures about a compiled program and its runs.
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
// The slowest first. `nanoseconds`: per step, ExecutorStats::step_nanoseconds.
std::vector<KernelTime> KernelTimes(const runtime::Program& program, std::span<const int64_t> nanoseconds);

// A table with columns as wide as their contents, the first one left-aligned, the others right-aligned.
std::string Table(const std::vector<std::vector<std::string>>& rows, std::string_view indent);

// The peak resident memory of this process in bytes; 0 if the system does not report it.
int64_t PeakMemory();

}  // namespace ggufc::tools
