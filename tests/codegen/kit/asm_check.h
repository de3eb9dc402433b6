// Extracts the innermost loops of a function from assembly text (AT&T syntax, from PrintAssembly).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ggufc::testing {

struct AsmLoop {
  std::vector<std::string>
      instructions;        // "vpaddd %ymm0, %ymm1, %ymm1", in order, from the label to the jump back
  int stack_accesses = 0;  // memory operands relative to the stack or frame pointer
  int alignment = 0;       // log2 of the alignment of its label, 0 if it has none

  // The number of instructions whose text contains all of `parts`.
  int Count(std::initializer_list<std::string_view> parts) const;
  std::string Text() const;
};

// The loops of function `name` that contain no other loop, in order. Empty if there is no such function.
std::vector<AsmLoop> InnermostLoops(std::string_view assembly, std::string_view name);

// All instructions of the function, as one loop.
AsmLoop WholeFunction(std::string_view assembly, std::string_view name);

}  // namespace ggufc::testing
