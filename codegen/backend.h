// What every kind of output goes through, inside codegen/: LLVM's x86 back end set up once, our optimisation pipeline,
// and instruction selection. object_compiler.h makes one target's code with it, artifact_object.h several targets' code
// in one object.
#pragma once

#include <llvm/ADT/SmallVector.h>
#include <llvm/ADT/StringRef.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/CodeGen.h>
#include <llvm/Target/TargetMachine.h>

#include <memory>

#include "codegen/target.h"

namespace ggufc::codegen {

// An LLVM module and what it needs to stay alive, in the order of destruction.
//
// The machine's processor is only what functions fall back to that name none: the emitter's functions carry processor,
// tuning and features as attributes, so their code does not depend on the module they are in.
struct BackendModule {
  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::TargetMachine> machine;
  std::unique_ptr<llvm::Module> module;
};

// Empty. `name` becomes the object's source file name.
BackendModule MakeBackendModule(llvm::StringRef name, const Target& machine);

// Cleans up what the emitter left and moves invariants out of loops, in all functions.
void Optimize(BackendModule& module);

// An object file or assembly. The module is used up: instruction selection changes it.
llvm::SmallVector<char, 0> Generate(BackendModule& module, llvm::CodeGenFileType type);

}  // namespace ggufc::codegen
