// A loop-stage module as the runtime takes it: the steps of its forward function, and the jobs that pack its weights.
#pragma once

#include <vector>

#include "frontend/gguf/gguf_reader.h"
#include "ir/core/module.h"
#include "runtime/exec/program.h"
#include "runtime/exec/weight_packer.h"
#include "support/result.h"

namespace ggufc::driver {

struct BuiltProgram {
  runtime::Program program;
  std::vector<runtime::PackJob> jobs;  // in the order in which a forward pass reads their results
};

// `module` has been through the whole pipeline and its kTensor weights are tensors of `file`. Job sources point into
// the file's mapping. `vocab` and `context_length` go into the program.
Result<BuiltProgram> BuildProgram(const ir::Module& module, const frontend::GgufFile& file, int64_t vocab,
                                  int64_t context_length);

}  // namespace ggufc::driver
