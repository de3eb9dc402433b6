// The ways of making code that this machine can run.
#pragma once

#include <string>
#include <vector>

#include "codegen/target.h"

namespace ggufc::testing {

// One way of making code for one machine. Where this machine lacks the target's instructions only the replaced form
// runs.
struct Build {
  const codegen::Target* target;
  bool replace_intrinsics;
  std::string Name() const { return std::string(target->name()) + (replace_intrinsics ? "-replaced" : ""); }
};

std::vector<Build> AllBuilds();

}  // namespace ggufc::testing
