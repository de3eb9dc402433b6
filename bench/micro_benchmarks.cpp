// micro_benchmarks [--benchmark_filter=REGEX] [--benchmark_repetitions=N] ...: Google Benchmark's flags. All
// of it takes about a minute; a useful selection is --benchmark_filter='avx2/i16' or 'layer/.*/tokens64'.
//
// On a machine that others use, take the median of repetitions. oneDNN picks the best instruction set of the
// machine; the environment variable ONEDNN_MAX_CPU_ISA (AVX2, AVX2_VNNI, AVX512_CORE_VNNI) holds it to that
// of a lesser target.
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
  // A tenth of a second each is enough: what is measured takes microseconds. A flag of the user's comes later
  // and wins.
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
