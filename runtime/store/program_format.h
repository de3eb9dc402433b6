// The serialised form of a Program: the compiler writes it, and it is linked with the code or stored in a cache entry.
// Little endian, version 2, no padding:
//
//   char[8] "GGUFCPRG"; u32 version; u32 kernels; u32 steps; u32 args
//   i64     arena_bytes, arena_bytes_t, arena_bytes_b, scratch_bytes, weights_bytes, file_bytes, dims,
//           vocab, context_length
//   kernels { u32 length; char[length] }            symbol names
//   steps   { u32 kernel, first_arg, arg_count, rows; i64 row_grain, cols, col_grain, work_per_row }
//   args    { u32 kind, zero; i64 offset, offset_t, offset_b }
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/exec/program.h"
#include "support/result.h"

namespace ggufc::runtime {

inline constexpr uint32_t kProgramVersion = 2;
// For comparison: an EmbeddingGemma of 24 layers has 12 kernels, 125 steps and about 1000 arguments.
inline constexpr uint32_t kMaxKernels = 1u << 12;
inline constexpr uint32_t kMaxSteps = 1u << 16;
inline constexpr uint32_t kMaxArgs = 1u << 20;
inline constexpr size_t kMaxKernelNameBytes = 1024;

// `program` must be one that ParseProgram accepts; anything else is a broken invariant of the compiler.
std::vector<uint8_t> SerializeProgram(const Program& program);

// The inverse. Fails for a wrong length, another version, counts above the limits, a kernel name that is not a symbol
// (1 to kMaxKernelNameBytes of letters, digits, `_`, `.` and `$`), and for any error of ValidateProgram that does not
// depend on the sizes of the weights and the model file. Allocates at most a small multiple of the input's size. The
// error names the field, its value and the limit.
Result<Program> ParseProgram(std::span<const uint8_t> bytes);

}  // namespace ggufc::runtime
