// Compiles loop-stage IR to machine code: a relocatable ELF object (x86-64, position independent, no undefined symbols),
// or its LLVM IR or assembly. Equal inputs give equal bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codegen/emit/emitter.h"
#include "codegen/target.h"
#include "ir/core/module.h"
#include "support/result.h"

namespace ggufc::codegen {

// `module` must pass ir::Verify and be at the loop stage.
Result<std::vector<uint8_t>> EmitObject(const ir::Module& module, const Target& target,
                                        const EmitOptions& options = {});

// LLVM IR as the input of instruction selection.
Result<std::string> PrintLlvm(const ir::Module& module, const Target& target,
                              const EmitOptions& options = {});

// The assembly of the object, in AT&T syntax.
Result<std::string> PrintAssembly(const ir::Module& module, const Target& target,
                                  const EmitOptions& options = {});

}  // namespace ggufc::codegen
