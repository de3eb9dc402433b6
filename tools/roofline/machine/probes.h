// The loops that measure a machine's roofs, as loop-stage IR: they go through the same code generator as the
// model's kernels, so a roof is what generated code could reach, not what another compiler's code does.
//
//   dot.<arithmetic>(turns, data, out)   multiply-adds in registers: as many independent accumulators as the
//                                        target's registers hold; each is also an operand of its own
//                                        multiplication, so that nothing can be hoisted out of the loop
//   read(passes, data, bytes, out)       reads `bytes` (a multiple of kReadTurn) at `data`, `passes` times
//   chain(turns, data, out)              dependent integer additions, one a cycle
//
// data holds kProbeBytes; each probe writes at most kProbeBytes of results to out.
#pragma once

#include <cstdint>
#include <span>

#include "codegen/target.h"
#include "ir/core/module.h"
#include "support/result.h"

namespace ggufc::roofline {

// How a kernel multiplies: the dot ops of the loop stage, and fma.
enum class Arithmetic : uint8_t { kF32, kI16, kU8S8, kU8S7 };
inline constexpr Arithmetic kAllArithmetic[] = {Arithmetic::kF32, Arithmetic::kI16, Arithmetic::kU8S8,
                                                Arithmetic::kU8S7};
const char* Name(Arithmetic arithmetic);  // "f32", "i16", "i8", "i7"

// What linears of a target use for quantised activations (kQ16, kQ8, kQ7).
Arithmetic ArithmeticOf(const codegen::Target& target, ir::Scalar activation);
// Whether any activation mode of the target uses it; f32 always.
bool Uses(const codegen::Target& target, Arithmetic arithmetic);

using DotProbe = void (*)(int64_t turns, const void* data, void* out);
using ReadProbe = void (*)(int64_t passes, const void* data, int64_t bytes, void* out);

inline constexpr int64_t kProbeBytes = 4096;
inline constexpr int64_t kReadTurn = 512;  // bytes that one turn of `read` reads
inline constexpr int64_t kChainTurn = 32;  // additions of one turn of `chain`
int64_t DotTurnMacs(const codegen::Target& target, Arithmetic arithmetic);

// A verified module of all probes that the target has.
Result<ir::Module> BuildProbes(const codegen::Target& target);

}  // namespace ggufc::roofline
