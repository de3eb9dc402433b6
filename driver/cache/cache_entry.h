// An entry of the cache: one image (runtime/store/image_format.h) with all that a compilation gives. The embedding table, the
// larger half of a model, is not copied: it stays in the model file, and the entry has the hashes of its chunks.
//
//   kEntry        what the entry is the result of, and what to tell the user about the model
//   kModel        ModelCard; table_offset counts from the start of the model file
//   kTokenizer    used in place
//   kProgram      arguments of kind kFile count from the start of the model file
//   kCode         the object that codegen::EmitObject gave
//   kTableHashes  of the table in the model file
//   kWeights      packed, used in place
//
// kEntry, little endian: char[8] "GGUFCENT"; u32 version; u32 warnings; then the key, the model's path, the target and
// each of the warnings as { u32 length; char[length] }.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "codegen/jit.h"
#include "driver/cache/cache_key.h"
#include "runtime/exec/program.h"
#include "runtime/store/image.h"
#include "runtime/store/model_card.h"
#include "runtime/text/tokenizer.h"
#include "support/os/mapped_file.h"
#include "support/os/output_file.h"
#include "support/result.h"

namespace ggufc::driver {

inline constexpr uint32_t kEntryVersion = 1;
inline constexpr uint32_t kMaxEntryWarnings = 64;
inline constexpr uint32_t kMaxEntryTextBytes = 1u << 16;

struct EntryInfo {
  std::string key;    // CacheKey::text
  std::string model;  // the path of the file that it was compiled from
  std::string target;
  std::vector<std::string> warnings;

  bool operator==(const EntryInfo&) const = default;
};

// Texts that are too long are cut, and warnings in excess left out.
std::vector<uint8_t> SerializeEntryInfo(const EntryInfo& info);
// Refuses what is too short or too long, of another version, above the limits. Names field, value and limit.
Result<EntryInfo> ParseEntryInfo(std::span<const uint8_t> bytes);

// What is written.
struct EntryParts {
  runtime::FingerprintBytes fingerprint = {};
  std::vector<uint8_t> info;       // SerializeEntryInfo
  std::vector<uint8_t> model;      // SerializeModelCard
  std::vector<uint8_t> tokenizer;  // Tokenizer::Serialize
  std::vector<uint8_t> program;    // SerializeProgram
  std::span<const uint8_t> code;
  std::span<const uint64_t> table_hashes;
  std::span<const uint8_t> weights;
};
uint64_t EntryBytes(const EntryParts& parts);
Status WriteEntry(OutputFile& file, const EntryParts& parts);

// What is read. The tokenizer, the weights and the hashes lie in the image.
struct CachedProgram {
  runtime::Image image;
  EntryInfo entry;
  runtime::ModelCard info;
  runtime::Tokenizer tokenizer;
  runtime::Program program;
  codegen::LoadedCode code;
  std::vector<runtime::KernelFn> kernels;
  std::span<const uint8_t> weights;
  std::span<const uint64_t> table_hashes;
  uint64_t code_bytes = 0;
};

// All of `file`, every byte of which is compared with a hash first. `model_bytes`: size of the model file. An entry with
// another key, or whose parts do not belong together, is an error too. The error is kBadFile or kMismatch where the entry
// was read and is wrong, and of another kind where it could not be read, or its code not be loaded.
Result<std::unique_ptr<CachedProgram>> ReadEntry(MappedFile file, const CacheKey& key, uint64_t model_bytes);
// What it is the result of, without reading the rest.
Result<EntryInfo> ReadEntryInfo(const runtime::Image& image);

// The embedding table in the model file.
inline std::span<const uint8_t> TableIn(std::span<const uint8_t> model, const runtime::ModelCard& info) {
  return model.subspan(static_cast<size_t>(info.table_offset),
                       static_cast<size_t>(info.vocab) * static_cast<size_t>(info.table_row_bytes));
}

}  // namespace ggufc::driver
