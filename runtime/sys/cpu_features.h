// The instructions that this CPU has and the operating system enables, by CPUID and XGETBV. The compiler records the
// features that its code needs as bits in an object file, and the runtime compares the bits with this machine. Both use
// the names and bits of one table.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "support/result.h"

namespace ggufc::runtime {

// Bit i stands for row i of the table. Bits are stored in object files, so a new feature gets a new row at the end, and
// rows never change. A bit without a row is a feature of a newer compiler; it counts as missing on every machine.
using CpuFeatures = uint64_t;

// The names, by bit, spelled as LLVM spells target features: "avx2", "avx512vnni".
std::span<const std::string_view> CpuFeatureNames();

// The features of this machine. A feature whose registers the system does not save counts as missing. Executes about
// ten CPUID instructions, which cost microseconds in a virtual machine, so callers should store the result.
CpuFeatures HostCpuFeatures();

// The same for any source of the two instructions' results. `cpuid` returns the registers for a leaf and subleaf.
// `xcr0` returns XCR0; it is called only if CPUID reports that XCR0 can be read.
struct CpuidRegisters {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};
CpuFeatures DecodeCpuFeatures(const std::function<CpuidRegisters(uint32_t leaf, uint32_t subleaf)>& cpuid,
                              const std::function<uint64_t()>& xcr0);

// Parses "+avx2,+fma" or "avx2,fma"; the empty list is 0. The error names the feature that has no row.
Result<CpuFeatures> ParseCpuFeatures(std::string_view list);

// Formats as "avx2, fma", lowest bit first; a bit without a row is "feature 63".
std::string FormatCpuFeatures(CpuFeatures features);

}  // namespace ggufc::runtime
