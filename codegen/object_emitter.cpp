#include "codegen/object_emitter.h"

#include <llvm/Support/raw_ostream.h>

#include "codegen/backend.h"

namespace ggufc::codegen {
namespace {

// The optimised LLVM module, ready for instruction selection.
Result<BackendModule> Prepare(const ir::Module& module, const Target& target, const EmitOptions& options) {
  BackendModule prepared = MakeBackendModule(module.name, MachineOf(target, options));
  RETURN_IF_ERROR(EmitInto(*prepared.module, module, target, options));
  Optimize(prepared);
  return prepared;
}

}  // namespace

Result<std::vector<uint8_t>> EmitObject(const ir::Module& module, const Target& target,
                                        const EmitOptions& options) {
  ASSIGN_OR_RETURN(BackendModule prepared, Prepare(module, target, options));
  const auto bytes = Generate(prepared, llvm::CodeGenFileType::ObjectFile);
  return std::vector<uint8_t>(bytes.begin(), bytes.end());
}

Result<std::string> PrintLlvm(const ir::Module& module, const Target& target, const EmitOptions& options) {
  ASSIGN_OR_RETURN(const BackendModule prepared, Prepare(module, target, options));
  std::string text;
  llvm::raw_string_ostream stream(text);
  prepared.module->print(stream, nullptr);
  return text;
}

Result<std::string> PrintAssembly(const ir::Module& module, const Target& target,
                                  const EmitOptions& options) {
  ASSIGN_OR_RETURN(BackendModule prepared, Prepare(module, target, options));
  const auto bytes = Generate(prepared, llvm::CodeGenFileType::AssemblyFile);
  return std::string(bytes.begin(), bytes.end());
}

}  // namespace ggufc::codegen
