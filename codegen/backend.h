// LLVM's x86 back end for all kinds of output: initialisation, the optimisation pipeline and instruction selection. Used
// by object_emitter.h for one target's code and by artifact_object.h for several targets' code in one object.
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

// An LLVM module with its context and machine. The order of the members is that of construction; destruction is reversed.
//
// The machine's processor applies only to functions without a processor attribute. Emitted functions carry processor,
// tuning and features as attributes, so their code does not depend on the module that contains them.
struct BackendModule {
  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::TargetMachine> machine;
  std::unique_ptr<llvm::Module> module;
};

// An empty module. `name` becomes the object's source file name.
BackendModule MakeBackendModule(llvm::StringRef name, const Target& machine);

// Simplifies the emitter's code and hoists loop invariants, in all functions.
void Optimize(BackendModule& module);

// Returns an object file or assembly. Instruction selection changes the module; do not use it again.
llvm::SmallVector<char, 0> Generate(BackendModule& module, llvm::CodeGenFileType type);

}  // namespace ggufc::codegen
