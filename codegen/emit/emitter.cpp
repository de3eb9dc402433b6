#include "codegen/emit/emitter.h"

#include <llvm/IR/Module.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/raw_ostream.h>

#include "codegen/emit/emit_function.h"
#include "support/check.h"

namespace ggufc::codegen {
namespace {

llvm::FunctionType* Signature(llvm::LLVMContext& context, const ir::Function& function) {
  llvm::Type* pointer = llvm::PointerType::get(context, 0);
  llvm::Type* i64 = llvm::Type::getInt64Ty(context);
  std::vector<llvm::Type*> params;
  if (function.kind == ir::Function::Kind::kKernel) {
    params = {pointer, pointer, i64, i64, i64, i64};
  } else {
    for (const ir::ValueId param : function.params) {
      const ir::Type& type = function.type(param);
      CHECK(type.IsScalar(), "@{}: parameter of type {}", function.name, ir::ToString(type));
      params.push_back(type.scalar == ir::Scalar::kPtr   ? pointer
                       : type.scalar == ir::Scalar::kF32 ? llvm::Type::getFloatTy(context)
                       : type.scalar == ir::Scalar::kIndex
                           ? i64
                           : llvm::Type::getIntNTy(context, static_cast<unsigned>(ir::Bits(type.scalar))));
    }
  }
  return llvm::FunctionType::get(llvm::Type::getVoidTy(context), params, false);
}

llvm::Function* Declare(llvm::Module& into, const ir::Function& function, const Target& machine,
                        const EmitOptions& options) {
  llvm::Function* declared =
      llvm::Function::Create(Signature(into.getContext(), function), llvm::GlobalValue::ExternalLinkage,
                             options.symbol_prefix + function.name, into);
  declared->setVisibility(llvm::GlobalValue::HiddenVisibility);
  declared->setDSOLocal(true);
  declared->setDoesNotThrow();
  // The tile was chosen for the register allocation of this function alone.
  declared->addFnAttr(llvm::Attribute::NoInline);
  // Loops must not become calls of memcpy or memset.
  declared->addFnAttr("no-builtins");
  declared->addFnAttr("target-cpu", machine.cpu);
  declared->addFnAttr("tune-cpu", machine.tune_cpu);
  if (*machine.features != '\0') declared->addFnAttr("target-features", machine.features);
  if (machine.vector_bits == 512) {
    // 16 lanes are one register, even if the tuning prefers narrower vectors for a higher clock rate.
    declared->addFnAttr("prefer-vector-width", "512");
    declared->addFnAttr("min-legal-vector-width", "512");
  }
  return declared;
}

}  // namespace

const Target& MachineOf(const Target& target, const EmitOptions& options) {
  const bool has_intrinsics = target.vector_bits > 128;
  return options.replace_intrinsics && has_intrinsics ? **FindTarget("avx2") : target;
}

Status EmitInto(llvm::Module& into, const ir::Module& module, const Target& target,
                const EmitOptions& options) {
  if (module.stage != ir::Stage::kLoop) {
    return Err("module {}: code generation needs the loop stage, the module is at the {} stage", module.name,
               ir::Name(module.stage));
  }
  const Target& machine = MachineOf(target, options);
  std::vector<llvm::Function*> functions;
  for (const ir::Function& function : module.functions) {
    const bool emitted = function.kind != ir::Function::Kind::kForward;
    if (emitted && !function.result_types.empty()) {
      return Err("@{} returns values; code generation does not support micro-kernels with results",
                 function.name);
    }
    functions.push_back(emitted ? Declare(into, function, machine, options) : nullptr);
  }
  for (size_t i = 0; i < functions.size(); ++i) {
    if (functions[i] == nullptr) continue;
    FunctionEmitter emitter(module, module.functions[i], target, options.replace_intrinsics, functions,
                            functions[i]);
    RETURN_IF_ERROR(emitter.Run());
  }
  std::string problems;
  llvm::raw_string_ostream stream(problems);
  CHECK(!llvm::verifyModule(into, &stream), "LLVM IR of module {}: {}", module.name, problems);
  return {};
}

}  // namespace ggufc::codegen
