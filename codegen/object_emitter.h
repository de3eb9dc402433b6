// Loop-stage IR to machine code: a relocatable ELF object (x86-64, position independent, no undefined
// symbols), or the LLVM IR and assembly that it is made of. Equal inputs give equal bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codegen/emit/emitter.h"
#include "codegen/target.h"
#include "ir/core/module.h"
#include "support/result.h"

namespace ggufc::codegen {

// `module` passes ir::Verify and is at the loop stage.
Result<std::vector<uint8_t>> EmitObject(const ir::Module& module, const Target& target,
                                        const EmitOptions& options = {});

// LLVM IR as it goes into instruction selection.
Result<std::string> PrintLlvm(const ir::Module& module, const Target& target,
                              const EmitOptions& options = {});

// The assembly of the object's code, AT&T syntax.
Result<std::string> PrintAssembly(const ir::Module& module, const Target& target,
                                  const EmitOptions& options = {});

}  // namespace ggufc::codegen
