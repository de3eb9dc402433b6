// What an ELF file of an ahead-of-time model is, without running or linking it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "support/result.h"

namespace ggufc::tools {

inline constexpr size_t kMaxModelName =
    64;  // of a NAME, in characters; driver::CheckArtifactName allows as many
inline constexpr size_t kMaxModels = 64;  // that are told of

enum class ElfKind { kObject, kShared, kExecutable };

struct ElfSummary {
  ElfKind kind = ElfKind::kObject;
  // The NAMEs of the models in it: it defines a global function NAME_open. C identifiers of at most kMaxModelName
  // characters; symbols with other names are none of ours. Empty where the symbols have been stripped.
  std::vector<std::string> models;
  bool has_more = false;     // than kMaxModels: those are left out
  bool runs_itself = false;  // made by --emit exe: it defines ggufc_main
};

bool IsElf(std::span<const uint8_t> bytes);

// `bytes` is the whole file, and may be anything. Errors say what does not hold, without the file's name.
Result<ElfSummary> SummarizeElf(std::span<const uint8_t> bytes);

}  // namespace ggufc::tools
