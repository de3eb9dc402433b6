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
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;  // no contraction to fma
  options.MCOptions.AsmVerbose = false;
  std::unique_ptr<llvm::TargetMachine> made(
      backend->createTargetMachine(kTriple, machine.cpu, machine.features, options, llvm::Reloc::PIC_,
                                   llvm::CodeModel::Small, llvm::CodeGenOptLevel::Aggressive));
  CHECK(made != nullptr, "LLVM cannot create a machine for target {}", machine.name());
  return made;
}

// A pass manager for LLVM's code generation that omits loop strength reduction and the pass that prepares for it. They
// took a third of the time, and the tiling pass already makes the addresses of hot loops.
class CodeGenPassManager : public llvm::legacy::PassManagerBase {
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

// A short pipeline. It keeps the loops that our passes made: no unrolling, no vectorisation, no reassociation. A
// reassociated sum of 16-bit products halved the speed of the integer micro-kernels; in a float sum it would change bits.
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

  // Cap 0: LICM must not promote memory to registers across a loop. The tile decides what is kept in registers.
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
  CodeGenPassManager passes;
  const bool refused = module.machine->addPassesToEmitFile(passes, stream, nullptr, type);
  CHECK(!refused, "LLVM's x86 back end does not write this kind of file");
  passes.run(*module.module);
  return bytes;
}

}  // namespace ggufc::codegen
