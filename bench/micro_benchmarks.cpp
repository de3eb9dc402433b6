// micro_benchmarks [--benchmark_filter=REGEX] [--benchmark_repetitions=N] ...: takes Google Benchmark's flags. All
// benchmarks together take about a minute; useful filters are 'avx2/i16' and 'layer/.*/tokens64'.
//
// On a shared machine use the median of repetitions. oneDNN selects the best instruction set of the machine. The
// environment variable ONEDNN_MAX_CPU_ISA (AVX2, AVX2_VNNI, AVX512_CORE_VNNI) limits it to that of a lower target.
#include "micro_benchmarks.h"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace ggufc::bench {

void Fail(const std::string& message) {
  std::fprintf(stderr, "micro_benchmarks: %s\n", message.c_str());
  std::exit(1);
}

}  // namespace ggufc::bench

int main(int argc, char** argv) {
  // A tenth of a second per benchmark is enough for calls of microseconds. A flag of the user comes later and overrides
  // it.
  std::string min_time = "--benchmark_min_time=0.1";
  std::vector<char*> args = {argv[0], min_time.data()};
  args.insert(args.end(), argv + 1, argv + argc);
  int count = static_cast<int>(args.size());
  args.push_back(nullptr);
  benchmark::Initialize(&count, args.data());
  if (benchmark::ReportUnrecognizedArguments(count, args.data())) return 2;

  ggufc::bench::RegisterMicroKernels();
  ggufc::bench::RegisterLayerProducts();
  ggufc::bench::RegisterOneDnnProducts();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
