// The peak rates of a machine: multiply-adds per second, and bytes per second from each level of its memory, for one core
// and for all threads of a run. A roof is the best of several short runs, because disturbances only make a run slower.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codegen/target.h"
#include "support/result.h"
#include "tools/roofline/machine/probes.h"

namespace ggufc::roofline {

// Rates per second of one thread, and of all threads together.
struct Rate {
  double one = 0;
  double all = 0;
};

struct ComputeRoof {
  Arithmetic arithmetic = Arithmetic::kF32;
  Rate macs;
};

struct MemoryRoof {
  std::string name;      // "L1", "L2", "L3", "DRAM"
  int64_t capacity = 0;  // bytes available to all threads together; 0: no limit
  int64_t measured = 0;  // bytes that each thread read repeatedly
  Rate bytes;
};

struct Machine {
  std::string cpu;     // the system's name of the CPU
  std::string target;  // the target of the code that measured the roofs
  int threads = 1;     // number of threads of Rate::all
  double hertz = 0;    // clock rate with one running thread
  std::vector<ComputeRoof> compute;
  std::vector<MemoryRoof> memory;  // from the nearest to the farthest; the last one is DRAM

  // Multiply-adds per second of all threads. The arithmetic must be one of `compute`.
  double Peak(Arithmetic arithmetic) const;
  const MemoryRoof& Dram() const { return memory.back(); }
  // The nearest memory with room for `bytes` bytes shared by all threads.
  const MemoryRoof& LevelFor(int64_t bytes) const;
  // Bytes of the last-level cache; 0 if there is none.
  int64_t LastCacheBytes() const;
};

// A data or unified cache of one core.
struct Cache {
  int level = 1;
  int64_t bytes = 0;
  int sharing = 1;  // number of hardware threads that share it
};
// The caches that a folder of the system describes, nearest first; empty if the folder has no usable description.
std::vector<Cache> ReadCaches(const std::string& folder = "/sys/devices/system/cpu/cpu0/cache");

struct MeasureOptions {
  int threads = 0;                 // 0: runtime::CpuCount()
  double seconds_per_rate = 0.15;  // a roof has two rates
};

// Measures this machine, which must run the target's code (codegen::HostRuns). Takes about three seconds and, for DRAM, up
// to one gigabyte of memory.
Result<Machine> MeasureMachine(const codegen::Target& target, const MeasureOptions& options = {});

}  // namespace ggufc::roofline
