// Combines costs, a machine's roofs and measured times: the resource that bounds each kernel, its distance from the roof,
// and a lower bound (the floor) of the latency of a forward pass.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tools/roofline/kernels.h"
#include "tools/roofline/machine/machine.h"

namespace ggufc::roofline {

// Measured times of one batch; empty if this machine cannot run the target.
struct Measured {
  double median_ms = 0, min_ms = 0, max_ms = 0;
  int runs = 0;
  std::vector<double> step_seconds;  // time of each step of the program in one forward pass
};

// Sums over all calls of one kernel in a forward pass.
struct KernelResult {
  std::string kernel;
  int64_t calls = 0;
  Arithmetic arithmetic = Arithmetic::kF32;
  int64_t macs = 0;
  int64_t weight_bytes = 0;
  int64_t cache_bytes = 0;
  // Only with a machine: minimum seconds for multiply-adds at the peak rate, for reading weights from DRAM, and for all
  // bytes from `level`, the nearest memory with room for the footprint of a call.
  double compute_seconds = 0, dram_seconds = 0, cache_seconds = 0;
  std::string level;
  double cold_floor = 0, warm_floor = 0;  // sum over calls of the larger of compute and memory time
  double seconds = 0;                     // measured; 0: not measured

  double ops() const { return 2 * static_cast<double>(macs); }
  // Operations per byte; nullopt if no byte counts.
  std::optional<double> cold_intensity() const;
  std::optional<double> warm_intensity() const;
  bool cold_memory_bound() const { return dram_seconds > compute_seconds; }
  bool warm_memory_bound() const { return cache_seconds > compute_seconds; }
};

struct BatchResult {
  int64_t documents = 0, tokens = 0;
  Measured measured;
  std::vector<KernelResult> kernels;      // in the order of their first calls
  double cold_floor = 0, warm_floor = 0;  // seconds
  int64_t macs = 0, weight_bytes = 0;
};

struct Study {
  std::string model;
  std::string target;
  std::string activations;
  int64_t packed_weight_bytes = 0;
  std::optional<Machine> machine;
  std::vector<BatchResult> batches;

  // Whether the weights stay in the caches between forward passes. If so, the warm floor is used, else the cold one.
  bool WeightsStayInCache() const;
  // The floor as a share of the measured time.
  double ShareOfRoof(const KernelResult& kernel) const;
};

// `costs`: the costs of the batch's calls (CountCalls). measured.step_seconds is empty or has one entry per call.
BatchResult Analyse(std::span<const Cost> costs, std::span<const int32_t> lengths, const Machine* machine,
                    Measured measured);

}  // namespace ggufc::roofline
