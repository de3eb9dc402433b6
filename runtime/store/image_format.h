// The image format: one container for the weights of an ahead-of-time model (NAME.weights), for weights embedded in an
// object, and for cache entries. Images are mapped and used in place. Little endian, version 2:
//
//       0  ImageHeader
//      64  SectionEntry[sections], in the order of their offsets
//       .  the sections' bytes, each from a multiple of 4096
//
// Sections do not overlap and are not empty. The bytes between them are zero. The file's size is the end of the last
// section, rounded up to a multiple of 4096. No two sections have the same kind and id. The id is 0, except where
// SectionKind states another meaning.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "support/result.h"

namespace ggufc::runtime {

static_assert(std::endian::native == std::endian::little, "images are used in place, and are little endian");

enum class SectionKind : uint32_t {
  kModel = 1,      // ModelCard (runtime/store/model_card.h)
  kTokenizer = 2,  // Tokenizer::Serialize(), used in place
  kWeights = 3,    // packed weights; id: layout hash, which several targets may share
  kTables = 4,     // tensors that kernels read in place: Program arguments of kind kFile point into it
  // uint64: the Hash64 of each kTableChunkBytes of kTables, the last chunk shorter. A cache entry has no kTables; there
  // the hashes are those of the embedding table in the model file.
  kTableHashes = 5,
  kGolden = 6,   // SerializeGolden() (runtime/store/model_card.h)
  kProgram = 7,  // SerializeProgram() (runtime/store/program_format.h); id: layout hash of its weights
  kCode = 8,     // an object file; id: that of its kProgram
  kEntry = 9,    // in a cache entry: the inputs it was made from (driver/cache/cache_entry.h)
};

// "weights" for kWeights and so on; "unknown" for any other value.
const char* SectionName(SectionKind kind);

// A 128-bit hash over everything that determines the bits of the output (driver/fingerprint.h). Its text is 32 hex digits,
// the bytes in order.
using FingerprintBytes = std::array<uint8_t, 16>;
std::string FingerprintText(const FingerprintBytes& fingerprint);
Result<FingerprintBytes> ParseFingerprint(std::string_view text);

inline constexpr std::array<char, 8> kImageMagic = {'G', 'G', 'U', 'F', 'C', 'I', 'M', 'G'};
inline constexpr uint32_t kImageVersion = 2;
inline constexpr uint32_t kMaxSections = 64;
inline constexpr uint64_t kSectionAlign = 4096;
// Bytes that are read to check a row of a table at first use: as many as the kernel maps around a page fault anyway.
inline constexpr uint64_t kTableChunkBytes = 65536;

struct ImageHeader {
  std::array<char, 8> magic = kImageMagic;
  uint32_t version = kImageVersion;
  uint32_t sections = 0;  // 1 to kMaxSections
  FingerprintBytes fingerprint = {};
  uint64_t file_bytes = 0;
  uint64_t hash = 0;  // HashOfHeader()
  std::array<uint64_t, 2> zero = {};
};

struct SectionEntry {
  uint32_t kind = 0;  // SectionKind
  uint32_t zero = 0;
  uint64_t id = 0;
  uint64_t offset = 0;  // from the start of the file
  uint64_t bytes = 0;
  uint64_t hash = 0;  // Hash64 of the bytes
  std::array<uint64_t, 3> zeros = {};
};

static_assert(sizeof(ImageHeader) == 64 && std::has_unique_object_representations_v<ImageHeader>);
static_assert(sizeof(SectionEntry) == 64 && std::has_unique_object_representations_v<SectionEntry>);

inline constexpr uint64_t AlignSection(uint64_t offset) {
  return (offset + kSectionAlign - 1) / kSectionAlign * kSectionAlign;
}

// Hash64 of the header, its own `hash` taken as 0, followed by the table of sections.
uint64_t HashOfHeader(ImageHeader header, std::span<const SectionEntry> sections);

}  // namespace ggufc::runtime
