// Costs, a machine's roofs and measured times put together: which resource bounds each kernel, how near to
// its roof it runs, and what the latency of a forward pass cannot fall below.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tools/roofline/kernels.h"
#include "tools/roofline/machine/machine.h"

namespace ggufc::roofline {

// Times of one batch. Without a machine that runs the target there are none.
struct Measured {
  double median_ms = 0, min_ms = 0, max_ms = 0;
  int runs = 0;
  std::vector<double> step_seconds;  // of one forward pass, by step of the program
};

// Sums over all calls of one kernel in a forward pass.
struct KernelResult {
  std::string kernel;
  int64_t calls = 0;
  Arithmetic arithmetic = Arithmetic::kF32;
  int64_t macs = 0;
  int64_t weight_bytes = 0;
  int64_t cache_bytes = 0;
  // With a machine. Seconds that the calls take at least: multiplying at the peak, weights from DRAM,
  // everything from the nearest cache that holds what a call touches (`level`).
  double compute_seconds = 0, dram_seconds = 0, cache_seconds = 0;
  std::string level;
  double cold_floor = 0, warm_floor = 0;  // sums over calls of the larger of compute and memory
  double seconds = 0;                     // measured; 0: not

  double ops() const { return 2 * static_cast<double>(macs); }
  // Operations a byte; no value where no byte counts.
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

  // Whether a forward pass finds the weights of the last one in the caches; then the warm roof counts.
  bool WeightsStayInCache() const;
  // The floor that counts, as a share of the time measured.
  double ShareOfRoof(const KernelResult& kernel) const;
};

// `costs`: of the batch's calls (CountCalls). measured.step_seconds is empty or has one entry a call.
BatchResult Analyse(std::span<const Cost> costs, std::span<const int32_t> lengths, const Machine* machine,
                    Measured measured);

}  // namespace ggufc::roofline
