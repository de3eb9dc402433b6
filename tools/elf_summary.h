// What an ELF file of an ahead-of-time model is, without running or linking it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "support/result.h"

namespace ggufc::tools {

enum class ElfKind { kObject, kShared, kExecutable };

struct ElfSummary {
  ElfKind kind = ElfKind::kObject;
  // The NAMEs of the models in it: it defines a global function NAME_open. Empty where the symbols have been stripped.
  std::vector<std::string> models;
  bool runs_itself = false;  // made by --emit exe: it defines ggufc_main
};

bool IsElf(std::span<const uint8_t> bytes);

// `bytes` is the whole file, and may be anything. Errors say what does not hold, without the file's name.
Result<ElfSummary> SummarizeElf(std::span<const uint8_t> bytes);

}  // namespace ggufc::tools
