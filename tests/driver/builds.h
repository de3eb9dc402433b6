// The ways of making code that this machine can run.
#pragma once

#include <string>
#include <vector>

#include "codegen/target.h"

namespace ggufc::testing {

// One way of making code for one machine. Where this machine lacks the target's instructions only the replaced form
// runs: the definitions of the intrinsics in place of the instructions.
struct Build {
  const codegen::Target* target;
  bool replace_intrinsics;
  std::string Name() const { return std::string(target->name()) + (replace_intrinsics ? "-replaced" : ""); }
};

// One build per target: with its instructions where this machine has them, else in the replaced form.
std::vector<Build> AllBuilds();
// Also the replaced forms of targets that this machine runs.
std::vector<Build> BuildsInEveryForm();

}  // namespace ggufc::testing
