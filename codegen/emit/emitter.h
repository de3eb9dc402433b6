// Loop-stage IR to LLVM IR, for any target of the table.
//
// Assumes a module that passes ir::Verify. It is an error if the module is not at the loop stage, has scratch without an
// offset from plan-memory, or has a micro-kernel that returns values. All other faults are broken invariants (CHECK).
//
// A kernel is void @name(ptr args, ptr scratch, i64 r0, i64 r1, i64 c0, i64 c1), which is runtime::KernelFn;
// args is an array of pointers. A micro-kernel is void @name(its parameters): ptr, i64, i32, float.
//
// `forward` is not emitted: the runtime executes its calls. All functions are hidden symbols, do not unwind and call
// nothing outside the module, so the object has no undefined symbols.
//
// Floating point is strict IEEE 754: no fast-math flags, no contraction (fma only for the op fma), no reassociation. So the
// bits of a result do not depend on the target.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "codegen/target.h"
#include "ir/core/module.h"
#include "support/result.h"

namespace llvm {
class Module;
}  // namespace llvm

namespace ggufc::codegen {

struct EmitOptions {
  // Replaces every x86 intrinsic by its definition in plain LLVM IR and compiles the module for avx2, so that the code of
  // targets with VNNI or AVX-512 can be tested on any AVX2 machine.
  bool replace_intrinsics = false;
  // A prefix of all function names, so that code for several targets can be linked together.
  std::string symbol_prefix;
};

// The target whose instructions are used: `target`, or avx2 if its intrinsics are replaced.
const Target& MachineOf(const Target& target, const EmitOptions& options);

// Adds the functions of `module` to `into`, which must not have functions of these names yet. Each function carries its
// processor and features, so one LLVM module can hold the functions of several targets.
Status EmitInto(llvm::Module& into, const ir::Module& module, const Target& target,
                const EmitOptions& options);

}  // namespace ggufc::codegen
