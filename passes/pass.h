// A pass is a function Result<bool> Name(ir::Module&, const PassContext&). It returns whether it changed the module;
// its error names the op, kernel or weight that it cannot handle. passes.def lists all passes; pipeline.cpp calls them
// in order.
#pragma once

#include "ir/core/module.h"
#include "ir/core/target_info.h"
#include "support/result.h"

namespace ggufc::passes {

struct PassContext {
  ir::TargetInfo target;
  ir::Scalar activations = ir::Scalar::kQ16;  // how activations are quantised: kQ16, kQ8 or kQ7
  // Tokens of the longest sequence: rows of rope tables, keys that attention holds.
  int64_t context_length = 2048;
};

using PassFn = Result<bool> (*)(ir::Module&, const PassContext&);

struct PassInfo {
  const char* name;
  ir::Stage stage;  // of its input module
  PassFn run;
  const char* summary;
};

}  // namespace ggufc::passes
