// A Program as bytes: the contract between generated code and the runtime, written by the compiler and linked
// beside the code or kept in a cache. Little endian, version 2, no padding:
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
// An EmbeddingGemma of 24 layers has 12 kernels, 125 steps and about 1000 arguments.
inline constexpr uint32_t kMaxKernels = 1u << 12;
inline constexpr uint32_t kMaxSteps = 1u << 16;
inline constexpr uint32_t kMaxArgs = 1u << 20;
inline constexpr size_t kMaxKernelNameBytes = 1024;

// `program` is one that ParseProgram takes; anything else is a broken invariant of the compiler.
std::vector<uint8_t> SerializeProgram(const Program& program);

// The inverse. Refuses what is too short or too long, of another version, above the limits, a kernel name
// that is no symbol (1 to kMaxKernelNameBytes of letters, digits, `_`, `.` and `$`), and whatever
// ValidateProgram refuses when it is given as much weights and file as the program wants. Allocates no more
// than a small multiple of the bytes. The error names the field, its value and the limit.
Result<Program> ParseProgram(std::span<const uint8_t> bytes);

}  // namespace ggufc::runtime
