// The loops that measure a machine's roofs, as loop-stage IR. They use the code generator of the model's kernels, so a roof
// is the limit of generated code and not of another compiler's code.
//
//   dot.<arithmetic>(turns, data, out)   multiply-adds in registers, with as many independent accumulators as the target's
//                                        registers hold; each accumulator is also an operand of its own multiplication, so
//                                        that nothing can be hoisted out of the loop
//   read(passes, data, bytes, out)       reads `bytes` (a multiple of kReadTurn) at `data`, `passes` times
//   chain(turns, data, out)              dependent integer additions, one per cycle
//
// `turns` is the number of iterations. `data` has kProbeBytes bytes; each probe writes at most kProbeBytes bytes to `out`.
#pragma once

#include <cstdint>
#include <span>

#include "codegen/target.h"
#include "ir/core/module.h"
#include "support/result.h"

namespace ggufc::roofline {

// The kind of multiply-adds of a kernel: a dot op of the loop stage, or fma.
enum class Arithmetic : uint8_t { kF32, kI16, kU8S8, kU8S7 };
inline constexpr Arithmetic kAllArithmetic[] = {Arithmetic::kF32, Arithmetic::kI16, Arithmetic::kU8S8,
                                                Arithmetic::kU8S7};
const char* Name(Arithmetic arithmetic);  // "f32", "i16", "i8", "i7"

// The arithmetic of a target's linears for quantised activations (kQ16, kQ8, kQ7), or kF32 for others.
Arithmetic ArithmeticOf(const codegen::Target& target, ir::Scalar activation);
// Whether any activation mode of the target uses the arithmetic; always true for f32.
bool Uses(const codegen::Target& target, Arithmetic arithmetic);

using DotProbe = void (*)(int64_t turns, const void* data, void* out);
using ReadProbe = void (*)(int64_t passes, const void* data, int64_t bytes, void* out);

inline constexpr int64_t kProbeBytes = 4096;
inline constexpr int64_t kReadTurn = 512;  // bytes per iteration of `read`
inline constexpr int64_t kChainTurn = 32;  // additions per iteration of `chain`
// Multiply-adds per iteration of a dot probe.
int64_t DotTurnMacs(const codegen::Target& target, Arithmetic arithmetic);

// A verified module of all probes that the target has.
Result<ir::Module> BuildProbes(const codegen::Target& target);

}  // namespace ggufc::roofline
