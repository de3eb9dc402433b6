// The ELF file of an ahead-of-time model, as `ggufc verify` reads it before running its code.
#include "fuzz_target.h"
#include "tools/artifact/elf_summary.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ggufc;
  const std::span<const uint8_t> bytes(data, size);
  if (!tools::IsElf(bytes)) return 0;
  const Result<tools::ElfSummary> summary = tools::SummarizeElf(bytes);
  if (!summary) {
    fuzz::RequireMessage(summary.error().message);
    return 0;
  }
  for (const std::string& model : summary->models)
    fuzz::Require(!model.empty() && model.size() < size, "models have names");
  return 0;
}
