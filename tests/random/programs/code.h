// A loop-stage module as running code.
#pragma once

#include <memory>
#include <vector>

#include "builds.h"
#include "codegen/jit.h"
#include "frontend/gguf/gguf_reader.h"
#include "ir/core/module.h"
#include "ir/interpret/interpreter.h"
#include "runtime/exec/executor.h"
#include "runtime/exec/memory.h"
#include "support/result.h"

namespace ggufc::programs {

class Code {
 public:
  // `module` has been through the pipeline for `build`'s target; its weights are in `file`, which outlives the code. Ids
  // are below `vocab` and sequences at most `context_length` long. An error of the first step, Plan, says what of a
  // valid module the program builder does not take; after that an error is a defect.
  static Result<Code> Plan(const ir::Module& module, const frontend::GgufFile& file, int64_t vocab,
                           int64_t context_length);
  Status Make(const ir::Module& module, const testing::Build& build);

  // Results as the interpreter gives them. Arena, scratch and output are filled with NaN before.
  Result<ir::InterpreterOutput> Run(const ir::InterpreterInput& batch,
                                    runtime::ExecutorOptions options) const;

 private:
  explicit Code(const frontend::GgufFile& file) : file_(&file) {}

  const frontend::GgufFile* file_;
  runtime::Program program_;
  runtime::PageMemory weights_;
  std::unique_ptr<codegen::LoadedCode> loaded_;
  std::vector<runtime::KernelFn> kernels_;
};

}  // namespace ggufc::programs
