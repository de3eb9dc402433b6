#include "tools/roofline/study.h"

#include <algorithm>
#include <numeric>

#include "support/check.h"

namespace ggufc::roofline {

std::optional<double> KernelResult::cold_intensity() const {
  if (weight_bytes == 0) return std::nullopt;
  return ops() / static_cast<double>(weight_bytes);
}

std::optional<double> KernelResult::warm_intensity() const {
  if (cache_bytes == 0) return std::nullopt;
  return ops() / static_cast<double>(cache_bytes);
}

bool Study::WeightsStayInCache() const { return machine && packed_weight_bytes <= machine->LastCacheBytes(); }

double Study::ShareOfRoof(const KernelResult& kernel) const {
  if (kernel.seconds <= 0) return 0;
  return (WeightsStayInCache() ? kernel.warm_floor : kernel.cold_floor) / kernel.seconds;
}

BatchResult Analyse(std::span<const Cost> costs, std::span<const int32_t> lengths, const Machine* machine,
                    Measured measured) {
  const std::vector<double>& seconds = measured.step_seconds;
  CHECK(seconds.empty() || seconds.size() == costs.size(), "{} calls, but {} measured times", costs.size(),
        seconds.size());
  BatchResult batch;
  batch.documents = static_cast<int64_t>(lengths.size());
  batch.tokens = std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
  for (size_t i = 0; i < costs.size(); ++i) {
    const Cost& cost = costs[i];
    auto kernel = std::ranges::find(batch.kernels, cost.kernel, &KernelResult::kernel);
    if (kernel == batch.kernels.end()) {
      kernel = batch.kernels.insert(kernel, KernelResult{});
      kernel->kernel = cost.kernel;
      kernel->arithmetic = cost.arithmetic;
    }
    ++kernel->calls;
    kernel->macs += cost.macs;
    kernel->weight_bytes += cost.weight_bytes;
    kernel->cache_bytes += cost.cache_bytes;
    if (!seconds.empty()) kernel->seconds += seconds[i];
    batch.macs += cost.macs;
    batch.weight_bytes += cost.weight_bytes;
    if (machine == nullptr) continue;
    const MemoryRoof& level = machine->LevelFor(cost.footprint);
    const double compute = static_cast<double>(cost.macs) / machine->Peak(cost.arithmetic);
    const double dram = static_cast<double>(cost.weight_bytes) / machine->Dram().bytes.all;
    const double cache = static_cast<double>(cost.cache_bytes) / level.bytes.all;
    kernel->level = level.name;
    kernel->compute_seconds += compute;
    kernel->dram_seconds += dram;
    kernel->cache_seconds += cache;
    kernel->cold_floor += std::max(compute, dram);
    kernel->warm_floor += std::max(compute, cache);
    batch.cold_floor += std::max(compute, dram);
    batch.warm_floor += std::max(compute, cache);
  }
  batch.measured = std::move(measured);
  return batch;
}

}  // namespace ggufc::roofline
