#include "codegen/backend.h"

#include <llvm/Analysis/CGSCCPassManager.h>
#include <llvm/Analysis/LoopAnalysisManager.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Pass.h>
#include <llvm/PassInfo.h>
#include <llvm/PassRegistry.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Transforms/InstCombine/InstCombine.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <llvm/Transforms/Scalar/LICM.h>
#include <llvm/Transforms/Scalar/LoopPassManager.h>
#include <llvm/Transforms/Scalar/SimplifyCFG.h>

#include <mutex>
#include <string>

#include "support/check.h"

namespace ggufc::codegen {
namespace {

constexpr const char* kTriple = "x86_64-unknown-linux-gnu";

std::unique_ptr<llvm::TargetMachine> MakeTargetMachine(const Target& machine) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
  });
  std::string error;
  const llvm::Target* backend = llvm::TargetRegistry::lookupTarget(kTriple, error);
  CHECK(backend != nullptr, "LLVM has no x86 back end: {}", error);
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;  // fma only where it is written
  options.MCOptions.AsmVerbose = false;
  std::unique_ptr<llvm::TargetMachine> made(
      backend->createTargetMachine(kTriple, machine.cpu, machine.features, options, llvm::Reloc::PIC_,
                                   llvm::CodeModel::Small, llvm::CodeGenOptLevel::Aggressive));
  CHECK(made != nullptr, "LLVM makes no machine for target {}", machine.name());
  return made;
}

// LLVM's code generation, without loop strength reduction and the pass that prepares for it: a third of the time, for loops
// whose addresses the tiling pass has made as they should be.
class CodeGeneration : public llvm::legacy::PassManagerBase {
 public:
  void add(llvm::Pass* pass) override {
    for (const llvm::StringRef left_out : {"loop-reduce", "canon-freeze"}) {
      const llvm::PassInfo* const info = llvm::PassRegistry::getPassRegistry()->getPassInfo(left_out);
      if (info == nullptr || info->getTypeInfo() != pass->getPassID()) continue;
      delete pass;
      return;
    }
    passes_.add(pass);
  }
  void run(llvm::Module& module) { passes_.run(module); }

 private:
  llvm::legacy::PassManager passes_;
};

}  // namespace

BackendModule MakeBackendModule(llvm::StringRef name, const Target& machine) {
  BackendModule made;
  made.context = std::make_unique<llvm::LLVMContext>();
  made.machine = MakeTargetMachine(machine);
  made.module = std::make_unique<llvm::Module>(name, *made.context);
  made.module->setTargetTriple(kTriple);
  made.module->setDataLayout(made.machine->createDataLayout());
  made.module->setPICLevel(llvm::PICLevel::SmallPIC);
  return made;
}

// Our own short pipeline. The shape of loops is the passes' decision and stays: nothing unrolls, vectorises, or
// reassociates (a reassociated sum of 16-bit products halved the speed of the integer micro-kernels, and would
// change the bits of a float sum).
void Optimize(BackendModule& module) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager sccs;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(module.machine.get());
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
  all.run(*module.module, modules);
}

llvm::SmallVector<char, 0> Generate(BackendModule& module, llvm::CodeGenFileType type) {
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  CodeGeneration passes;
  const bool refused = module.machine->addPassesToEmitFile(passes, stream, nullptr, type);
  CHECK(!refused, "LLVM's x86 back end does not write this kind of file");
  passes.run(*module.module);
  return bytes;
}

}  // namespace ggufc::codegen
