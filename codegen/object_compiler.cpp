#include "codegen/object_compiler.h"

#include <llvm/Analysis/CGSCCPassManager.h>
#include <llvm/Analysis/LoopAnalysisManager.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/Transforms/InstCombine/InstCombine.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <llvm/Transforms/Scalar/LICM.h>
#include <llvm/Transforms/Scalar/LoopPassManager.h>
#include <llvm/Transforms/Scalar/SimplifyCFG.h>

#include <memory>
#include <mutex>

#include "support/check.h"

namespace ggufc::codegen {
namespace {

std::unique_ptr<llvm::TargetMachine> MakeTargetMachine(const Target& machine) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
  });
  const char* triple = "x86_64-unknown-linux-gnu";
  std::string error;
  const llvm::Target* backend = llvm::TargetRegistry::lookupTarget(triple, error);
  CHECK(backend != nullptr, "LLVM has no x86 back end: {}", error);
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;  // fma only where it is written
  options.MCOptions.AsmVerbose = false;
  std::unique_ptr<llvm::TargetMachine> made(
      backend->createTargetMachine(triple, machine.cpu, machine.features, options, llvm::Reloc::PIC_,
                                   llvm::CodeModel::Small, llvm::CodeGenOptLevel::Aggressive));
  CHECK(made != nullptr, "LLVM makes no machine for target {}", machine.name());
  return made;
}

// Our own short pipeline: it cleans up what the emitter left and moves invariants out of loops. The shape of
// loops is the passes' decision and stays: nothing unrolls, vectorises, or reassociates (a reassociated sum
// of 16-bit products halved the speed of the integer micro-kernels, and would change the bits of a float
// sum).
void Optimize(llvm::Module& module, llvm::TargetMachine& machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager sccs;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(sccs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, sccs, modules);

  // Memory is not promoted to registers across a loop (cap 0): what lives in registers is the tile's
  // decision.
  const llvm::LICMOptions hoist(/*MssaOptCap=*/100, /*MssaNoAccForPromotionCap=*/0,
                                /*AllowSpeculation=*/true);
  llvm::FunctionPassManager passes;
  passes.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/true));
  passes.addPass(llvm::SimplifyCFGPass());
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(llvm::createFunctionToLoopPassAdaptor(llvm::LICMPass(hoist), /*UseMemorySSA=*/true));
  passes.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/true));
  passes.addPass(llvm::InstCombinePass());
  passes.addPass(llvm::SimplifyCFGPass());
  llvm::ModulePassManager all;
  all.addPass(llvm::createModuleToFunctionPassAdaptor(std::move(passes)));
  all.run(module, modules);
}

// A module that is ready for instruction selection, with what it needs to stay alive.
struct Prepared {
  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::TargetMachine> machine;
  std::unique_ptr<llvm::Module> module;
};

Result<Prepared> Prepare(const ir::Module& module, const Target& target, const EmitOptions& options) {
  Prepared prepared;
  prepared.context = std::make_unique<llvm::LLVMContext>();
  ASSIGN_OR_RETURN(prepared.module, Emit(*prepared.context, module, target, options));
  prepared.machine = MakeTargetMachine(MachineOf(target, options));
  prepared.module->setDataLayout(prepared.machine->createDataLayout());
  prepared.module->setPICLevel(llvm::PICLevel::SmallPIC);
  Optimize(*prepared.module, *prepared.machine);
  return prepared;
}

Result<llvm::SmallVector<char, 0>> Generate(const ir::Module& module, const Target& target,
                                            const EmitOptions& options, llvm::CodeGenFileType type) {
  ASSIGN_OR_RETURN(Prepared prepared, Prepare(module, target, options));
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  if (prepared.machine->addPassesToEmitFile(passes, stream, nullptr, type)) {
    return Err("LLVM does not write this kind of file for target {}", target.name());
  }
  passes.run(*prepared.module);
  return bytes;
}

}  // namespace

Result<std::vector<uint8_t>> CompileObject(const ir::Module& module, const Target& target,
                                           const EmitOptions& options) {
  ASSIGN_OR_RETURN(auto bytes, Generate(module, target, options, llvm::CodeGenFileType::ObjectFile));
  return std::vector<uint8_t>(bytes.begin(), bytes.end());
}

Result<std::string> PrintLlvm(const ir::Module& module, const Target& target, const EmitOptions& options) {
  ASSIGN_OR_RETURN(Prepared prepared, Prepare(module, target, options));
  std::string text;
  llvm::raw_string_ostream stream(text);
  prepared.module->print(stream, nullptr);
  return text;
}

Result<std::string> PrintAssembly(const ir::Module& module, const Target& target,
                                  const EmitOptions& options) {
  ASSIGN_OR_RETURN(auto bytes, Generate(module, target, options, llvm::CodeGenFileType::AssemblyFile));
  return std::string(bytes.begin(), bytes.end());
}

}  // namespace ggufc::codegen
