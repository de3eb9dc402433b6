// Compiles a loop-stage module and runs its code.
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
  // `module` is the pipeline's result for `build`'s target; its weights are in `file`, which must outlive the code. Ids are
  // below `vocab` and sequences have at most `context_length` tokens. An error of Plan means that the program builder does
  // not support the module; an error of a later step is a defect.
  static Result<Code> Plan(const ir::Module& module, const frontend::GgufFile& file, int64_t vocab,
                           int64_t context_length);
  Status Make(const ir::Module& module, const testing::Build& build);

  // Runs a batch; the result has the interpreter's form. Arena, scratch and output are first filled with NaN.
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
