// A cache entry: one image (runtime/store/image_format.h) with all results of a compilation. The embedding table, the larger
// half of a model, is not copied: it stays in the model file, and the entry has the hashes of its chunks.
//
//   kEntry        EntryInfo: the key and the warnings about the model
//   kModel        ModelCard; table_offset counts from the start of the model file
//   kTokenizer    used in place
//   kProgram      offsets of kFile arguments count from the start of the model file
//   kCode         the object from codegen::EmitObject
//   kTableHashes  hashes of the embedding table's chunks in the model file
//   kWeights      packed weights, used in place
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
  std::string model;  // path of the model file that was compiled
  std::string target;
  std::vector<std::string> warnings;

  bool operator==(const EntryInfo&) const = default;
};

// Truncates texts and drops warnings above the limits.
std::vector<uint8_t> SerializeEntryInfo(const EntryInfo& info);
// Errors: wrong size, another version, a value above its limit. The message names field, value and limit.
Result<EntryInfo> ParseEntryInfo(std::span<const uint8_t> bytes);

// The contents of an entry for writing.
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

// The contents of an entry that was read. `tokenizer`, `weights` and `table_hashes` are views of the image.
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

// Reads the whole entry after checking the hash of every byte. `model_bytes`: size of the model file. An entry with another
// key or with inconsistent parts is an error too. The error is kBadFile or kMismatch if the entry is invalid, and of another
// kind if it could not be read or its code could not be loaded.
Result<std::unique_ptr<CachedProgram>> ReadEntry(MappedFile file, const CacheKey& key, uint64_t model_bytes);
// Reads the kEntry section alone.
Result<EntryInfo> ReadEntryInfo(const runtime::Image& image);

// The embedding table in the model file.
inline std::span<const uint8_t> TableIn(std::span<const uint8_t> model, const runtime::ModelCard& info) {
  return model.subspan(static_cast<size_t>(info.table_offset),
                       static_cast<size_t>(info.vocab) * static_cast<size_t>(info.table_row_bytes));
}

}  // namespace ggufc::driver
