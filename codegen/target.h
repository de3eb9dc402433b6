// The targets: one row a target, and everything that code generation decides by target is a column of it. A
// new instruction set is a new row, and a new column where it does something no other target does.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "ir/core/target_info.h"
#include "runtime/sys/cpu_features.h"
#include "support/result.h"

namespace ggufc::codegen {

// How an integer dot on 16 lanes of i32 becomes instructions.
enum class DotLowering : uint8_t {
  kPlain,    // its definition, in plain IR
  kMadd256,  // two halves: vpmaddwd, or vpmaddubsw then vpmaddwd by one; then vpaddd
  kVnni256,  // two halves: vpdpwssd or vpdpbusd
  kVnni512,  // one vpdpwssd or vpdpbusd
};

enum class FmaLowering : uint8_t {
  kHardware,
  kEmulated,  // through double and round-to-odd; the same bits, about 30 instructions for 4 lanes
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
  ir::TargetInfo info;   // what passes see; info.name is the target's name
  const char* cpu;       // LLVM: the least CPU that is meant; `features` adds to it
  const char* tune_cpu;  // LLVM: whose costs and latencies schedule the code
  const char* features;  // LLVM: "+a,+b"; a host runs the target when it has every one of them
  int vector_registers;
  int vector_bits;
  DotLowering dot_i16;
  DotLowering dot_u8s8;
  DotLowering dot_u8s7;
  FmaLowering fma;
  F16Lowering f16;
  CacheSizes caches;  // of one core, assumed when tile and slab sizes are chosen

  std::string_view name() const { return info.name; }
};

// All targets, from least to most capable.
std::span<const Target> Targets();

// `name` as in the table; "native" is NativeTarget().
Result<const Target*> FindTarget(std::string_view name);

// The most capable target that this machine runs.
const Target& NativeTarget();

// What CPU and operating system must have for the target's code: Target::features as bits.
runtime::CpuFeatures RequiredFeatures(const Target& target);

// Whether this machine (CPU and operating system) runs the target's code.
bool HostRuns(const Target& target);

}  // namespace ggufc::codegen
