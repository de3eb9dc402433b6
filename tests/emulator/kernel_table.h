// The table of generated code that is linked into emulator_program. make_cases writes its definition.
#pragma once

#include <span>
#include <string_view>

#include "runtime/exec/program.h"

namespace ggufc::emulator {

struct KernelEntry {
  std::string_view symbol;
  runtime::KernelFn function;
};

std::span<const KernelEntry> KernelTable();

}  // namespace ggufc::emulator
