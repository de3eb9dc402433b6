// Runs ahead-of-time compiled models on this CPU, real or emulated, and compares every bit of their outputs with those
// computed by the machine that compiled them. Contains only the runtime and the objects, no compiler.
//
//   emulator_program CASES      prints "N cases, 0 mismatches" and exits with 0, or prints the differences and exits
//                               with 1
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>

#include "case_file.h"
#include "kernel_table.h"
#include "runtime/exec/executor.h"
#include "runtime/exec/memory.h"

namespace ggufc::emulator {
namespace {

Result<std::vector<runtime::KernelFn>> FindKernels(const runtime::Program& program) {
  std::vector<runtime::KernelFn> functions;
  const auto table = KernelTable();
  for (const std::string& symbol : program.kernels) {
    const auto entry = std::ranges::find(table, symbol, &KernelEntry::symbol);
    if (entry == table.end()) return Err("kernel {} is not linked in", symbol);
    functions.push_back(entry->function);
  }
  return functions;
}

// The error names the first float that differs.
Status CompareBits(const Batch& batch, const std::vector<float>& outputs, int64_t dims) {
  size_t differing = 0;
  size_t first = outputs.size();
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (std::bit_cast<uint32_t>(outputs[i]) == std::bit_cast<uint32_t>(batch.expected[i])) continue;
    if (differing++ == 0) first = i;
  }
  if (differing == 0) return {};
  return Err("{} of {} floats differ, first sequence {} dimension {}: {:a} expected, {:a} computed",
             differing, outputs.size(), first / static_cast<size_t>(dims), first % static_cast<size_t>(dims),
             batch.expected[first], outputs[first]);
}

Status RunCase(const Case& test) {
  ASSIGN_OR_RETURN(auto kernels, FindKernels(test.program));
  const auto weights_size = static_cast<int64_t>(test.weights.size());
  ASSIGN_OR_RETURN(auto weights, runtime::PageMemory::Allocate(weights_size, "weights"));
  if (weights_size > 0) std::memcpy(weights.data(), test.weights.data(), test.weights.size());
  runtime::ExecutorOptions options;
  options.threads = 1;
  options.poison = true;
  ASSIGN_OR_RETURN(auto executor, runtime::Executor::Create(test.program, std::move(kernels), weights.bytes(),
                                                            test.file, options));
  for (size_t i = 0; i < test.batches.size(); ++i) {
    const Batch& batch = test.batches[i];
    std::vector<float> outputs(batch.lengths.size() * static_cast<size_t>(test.program.dims));
    if (outputs.size() != batch.expected.size()) {
      return Err("batch {}: {} floats expected, {} to compute", i, batch.expected.size(), outputs.size());
    }
    RETURN_IF_ERROR(
        WithContext(fmt::format("batch {}", i), executor->Run(batch.ids, batch.lengths, outputs.data())));
    RETURN_IF_ERROR(WithContext(fmt::format("batch {}", i), CompareBits(batch, outputs, test.program.dims)));
  }
  return {};
}

int Main(const char* path) {
  const auto cases = ReadCases(path);
  if (!cases) {
    fmt::print("{}\n", cases.error().message);
    return 1;
  }
  size_t mismatches = 0;
  for (const Case& test : *cases) {
    const Status status = RunCase(test);
    if (!status) ++mismatches;
    fmt::print("{}: {}\n", test.name, status ? "same bits" : status.error().message);
    std::fflush(stdout);
  }
  fmt::print("{} cases, {} mismatches\n", cases->size(), mismatches);
  return cases->empty() || mismatches > 0 ? 1 : 0;
}

}  // namespace
}  // namespace ggufc::emulator

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: emulator_program CASES\n", stderr);
    return 2;
  }
  return ggufc::emulator::Main(argv[1]);
}
