// What a machine can do at most: multiply-adds a second, and bytes a second from each level of its memory,
// for one core and for all threads of a run. A roof is the best of several short runs, because what disturbs
// a run only slows it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codegen/target.h"
#include "support/result.h"
#include "tools/roofline/machine/probes.h"

namespace ggufc::roofline {

// A second: of one thread, and of all of them together.
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
  int64_t capacity = 0;  // bytes that all threads have of it together; 0: no limit
  int64_t measured = 0;  // bytes that each thread read over and over
  Rate bytes;
};

struct Machine {
  std::string cpu;     // as the system names it
  std::string target;  // whose code the roofs were measured with
  int threads = 1;     // of the rates for all threads
  double hertz = 0;    // while one thread runs
  std::vector<ComputeRoof> compute;
  std::vector<MemoryRoof> memory;  // from the nearest to the farthest; the last one is DRAM

  // Multiply-adds and bytes a second of all threads. The arithmetic is one of `compute`.
  double Peak(Arithmetic arithmetic) const;
  const MemoryRoof& Dram() const { return memory.back(); }
  // The nearest memory that holds `bytes` that all threads share.
  const MemoryRoof& LevelFor(int64_t bytes) const;
  // The largest cache; 0 when there is none.
  int64_t LastCacheBytes() const;
};

// A data or unified cache of one core.
struct Cache {
  int level = 1;
  int64_t bytes = 0;
  int sharing = 1;  // hardware threads that share it
};
// Of the folder that describes one processor's caches, nearest first; empty when it does not.
std::vector<Cache> ReadCaches(const std::string& folder = "/sys/devices/system/cpu/cpu0/cache");

struct MeasureOptions {
  int threads = 0;               // 0: as many as runtime::CpuCount() says
  double seconds_a_roof = 0.15;  // for one rate: a roof has two
};

// Measures this machine, which runs the target's code (codegen::HostRuns). Takes some three seconds and, for
// DRAM, up to a gigabyte of memory for as long.
Result<Machine> MeasureMachine(const codegen::Target& target, const MeasureOptions& options = {});

}  // namespace ggufc::roofline
