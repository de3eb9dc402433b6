// Finds loops in assembly text (AT&T syntax, from codegen::PrintAssembly).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ggufc::roofline {

// Instructions [first, last) from a label to the jump back to it.
struct AsmLoop {
  size_t first = 0, last = 0;
  bool Contains(const AsmLoop& other) const { return first <= other.first && other.last <= last; }
};

struct AsmFunction {
  std::vector<std::string> instructions;  // "vpaddd %ymm0, %ymm1, %ymm1"
  std::vector<AsmLoop> loops;             // in the order of their jumps
};

// The function of that name; empty if there is none.
AsmFunction FindFunction(std::string_view assembly, std::string_view name);

}  // namespace ggufc::roofline
