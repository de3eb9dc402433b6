// Extracts the innermost loops of a function from assembly text (AT&T syntax, from PrintAssembly).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ggufc::testing {

struct AsmLoop {
  std::vector<std::string>
      instructions;          // "vpaddd %ymm0, %ymm1, %ymm1", in order, from the label to the jump back
  int stack_accesses = 0;    // operands in memory that are relative to the stack or frame pointer
  int indexed_operands = 0;  // of vector instructions: operands in memory with an index register
  int vector_moves = 0;      // from one vector register to another
  int alignment = 0;         // log2 of what its label is aligned to, 0: not

  // The number of instructions whose text contains all of `parts`.
  int Count(std::initializer_list<std::string_view> parts) const;
  std::string Text() const;
};

// Whether its operand in memory has an index register: "(%rdi,%rax,4)".
bool HasIndexRegister(std::string_view instruction);

// The loops of function `name` that contain no other loop, in order. Empty when there is no such function.
std::vector<AsmLoop> InnermostLoops(std::string_view assembly, std::string_view name);

// The instructions that lie in any loop of the function, each once, as one loop.
AsmLoop AllLoops(std::string_view assembly, std::string_view name);

// All instructions of the function, as one loop.
AsmLoop WholeFunction(std::string_view assembly, std::string_view name);

}  // namespace ggufc::testing
