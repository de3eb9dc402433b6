// Loop-stage IR to LLVM IR, for any target of the table.
//
// Assumes a module that passes ir::Verify. Of such modules those are an error that no code is made for: not at the
// loop stage, with scratch that plan-memory has not placed, with a micro-kernel that returns values. Everything
// else that does not fit is a broken invariant.
//
// A kernel is void @name(ptr args, ptr scratch, i64 r0, i64 r1, i64 c0, i64 c1), which is runtime::KernelFn;
// args is an array of pointers. A micro-kernel is void @name(its parameters): ptr, i64, i32, float.
//
// `forward` is not emitted: the runtime walks its calls. All functions are hidden symbols, do not unwind and
// call nothing outside the module, so an object needs no symbol from anywhere.
//
// Numbers: strict IEEE defaults. No fast-math flag, no contraction (fma only where IR says fma), no
// reassociation: the bits of a result do not depend on the target.
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
  // Every x86 intrinsic is replaced by its definition in plain LLVM IR and the module is compiled for avx2:
  // the code of a target with VNNI or AVX-512 then runs, and can be tested, on any AVX2 machine.
  bool replace_intrinsics = false;
  // Put before the name of every function, so that code for several targets can be linked together.
  std::string symbol_prefix;
};

// The target whose instructions are used: `target`, or avx2 where its intrinsics are replaced.
const Target& MachineOf(const Target& target, const EmitOptions& options);

// Adds the functions of `module` to `into`, whose functions then have other names. Each carries its processor
// and features with it, so the functions of several targets can live in one LLVM module.
Status EmitInto(llvm::Module& into, const ir::Module& module, const Target& target,
                const EmitOptions& options);

}  // namespace ggufc::codegen
