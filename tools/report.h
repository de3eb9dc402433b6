// Numbers about a compiled model and its runs, for people and for bench/.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/compile.h"

namespace ggufc::tools {

// 1234567 -> "1,234,567"
std::string Grouped(int64_t value);

// Multiply-adds of one batch: linears, attention (only pairs of tokens that see each other) and the dense
// modules.
struct MultiplyAdds {
  double linear_per_token = 0;
  double dense_per_document = 0;
};
MultiplyAdds CountMultiplyAdds(const frontend::ModelConfig& config);
double AttentionMultiplyAdds(const frontend::ModelConfig& config, int64_t tokens);
double BatchMultiplyAdds(const frontend::ModelConfig& config, std::span<const int32_t> lengths);

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
