// The table of targets: one row per target, one column per property that code generation depends on. A new instruction
// set is a new row, and a new column if it does something that no other target does.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "ir/core/target_info.h"
#include "runtime/sys/cpu_features.h"
#include "support/result.h"

namespace ggufc::codegen {

// The instructions of an integer dot on 16 lanes of i32.
enum class DotLowering : uint8_t {
  kPlain,    // its definition in plain LLVM IR
  kMadd256,  // two halves: vpmaddwd, or vpmaddubsw and vpmaddwd by 1; then vpaddd
  kVnni256,  // two halves: vpdpwssd or vpdpbusd
  kVnni512,  // one vpdpwssd or vpdpbusd
};

enum class FmaLowering : uint8_t {
  kHardware,
  kEmulated,  // through double and round-to-odd: the same bits, about 30 instructions per 4 lanes
};

enum class F16Lowering : uint8_t {
  kHardware,  // vcvtph2ps
  kBits,      // shifts and one exact multiplication
};

struct CacheSizes {
  int64_t l1_data = 0;
  int64_t l2 = 0;
};

struct Target {
  ir::TargetInfo info;   // for passes; info.name is the target's name
  const char* cpu;       // LLVM's name of the baseline CPU, to which `features` adds
  const char* tune_cpu;  // LLVM's name of the CPU whose costs and latencies are used for scheduling
  const char* features;  // LLVM's names: "+a,+b"; a host runs the target if it has all of them
  int vector_registers;
  int vector_bits;
  DotLowering dot_i16;
  DotLowering dot_u8s8;
  DotLowering dot_u8s7;
  FmaLowering fma;
  F16Lowering f16;
  CacheSizes caches;  // per core, assumed when tile and slab sizes are chosen

  std::string_view name() const { return info.name; }
};

// All targets, from least to most capable.
std::span<const Target> Targets();

// The target of that name; "native" is NativeTarget().
Result<const Target*> FindTarget(std::string_view name);

// The most capable target that this machine runs.
const Target& NativeTarget();

// The features that CPU and operating system need for the target's code: Target::features as bits.
runtime::CpuFeatures RequiredFeatures(const Target& target);

// Whether this machine (CPU and operating system) runs the target's code.
bool HostRuns(const Target& target);

}  // namespace ggufc::codegen
