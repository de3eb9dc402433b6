// Which instructions this CPU has and its operating system lets programs use, by CPUID and XGETBV. The compiler
// says what a target's code needs, an object file carries it as bits, the runtime compares the bits with this
// machine: all three by the names and bits of one table.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "support/result.h"

namespace ggufc::runtime {

// Bit i stands for row i of the table. Bits are written into object files: a new feature gets a new row at the
// end, a row never changes. A bit without a row is a feature that a newer compiler knows, and no machine has.
using CpuFeatures = uint64_t;

// The names, by bit, spelled as LLVM spells target features: "avx2", "avx512vnni".
std::span<const std::string_view> CpuFeatureNames();

// What this machine has. A feature whose registers the system does not save counts as absent. About ten CPUID
// instructions, which cost microseconds in a virtual machine: ask once.
CpuFeatures HostCpuFeatures();

// The same from any source of the two instructions' results: what `cpuid` says of a leaf and subleaf, and the
// register XCR0, which is asked for only where CPUID says that it can be read.
struct CpuidRegisters {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};
CpuFeatures DecodeCpuFeatures(const std::function<CpuidRegisters(uint32_t leaf, uint32_t subleaf)>& cpuid,
                              const std::function<uint64_t()>& xcr0);

// "+avx2,+fma" or "avx2,fma" to bits; the empty list is 0. The error names the feature that has no row.
Result<CpuFeatures> ParseCpuFeatures(std::string_view list);

// "avx2, fma", by rising bit; a bit without a row is "feature 63".
std::string FormatCpuFeatures(CpuFeatures features);

}  // namespace ggufc::runtime
