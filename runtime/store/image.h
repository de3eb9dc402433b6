// An open image (image_format.h). Open checks the header and the table of sections. Get checks the bytes of a section.
// The chunks of the embedding table, of which a run needs a few rows, are checked at first use. So each truncated,
// swapped or damaged byte is found before anything depends on it.
//
// The file is mapped and must not change while it is open: access to pages beyond the end of a shortened file raises
// SIGBUS. Writers therefore write a new file and rename it over the old one.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "runtime/store/chunked_table.h"
#include "runtime/store/image_format.h"
#include "support/os/mapped_file.h"
#include "support/result.h"

namespace ggufc::runtime {

// Move-only. All methods but assignment may be called from several threads at once. Errors name the file, the section,
// what was found and what was expected.
class Image {
 public:
  // Alignment of an image in memory: generated code assumes it of weights.
  static constexpr size_t kMemoryAlign = 64;

  // Maps the file read-only. Reads the header, the table of sections and the table hashes.
  static Result<Image> Open(const std::string& path);
  static Result<Image> FromFile(MappedFile file);
  // The same for an image in memory, aligned to kMemoryAlign. `bytes` must outlive the image. `name` is used in errors
  // instead of a path.
  static Result<Image> FromMemory(std::span<const uint8_t> bytes, std::string name);

  const std::string& name() const { return name_; }
  const FingerprintBytes& fingerprint() const { return fingerprint_; }
  std::span<const SectionEntry> sections() const { return sections_; }

  bool Has(SectionKind kind, uint64_t id = 0) const { return Find(kind, id) != nullptr; }

  // The section's bytes, mapped and compared with their hash in each call: 117 MB take 5 ms, or 13 ms if the page cache
  // has 4 KB pages, which are mapped one by one (Zen 4). kTables is returned unchecked: see CheckTables. A missing
  // section is an error.
  Result<std::span<const uint8_t>> Get(SectionKind kind, uint64_t id = 0) const;

  // See ChunkedTable::Check. Bytes are counted from the start of kTables.
  Status CheckTables(int64_t offset, int64_t bytes) const { return tables_.Check(offset, bytes); }

  // Checks all sections, all chunks, and that the bytes between sections are zero.
  Status CheckAll() const;

 private:
  static Result<Image> Parse(std::span<const uint8_t> bytes, std::string name);

  Status CheckEntries(uint64_t file_bytes) const;
  Status CheckEntry(size_t i, uint64_t end_before) const;
  Status InitTables();
  const SectionEntry* Find(SectionKind kind, uint64_t id) const;
  std::span<const uint8_t> BytesOf(const SectionEntry& section) const;
  Result<std::span<const uint8_t>> CheckedBytes(const SectionEntry& section) const;

  std::string name_;
  MappedFile file_;  // empty after FromMemory
  std::span<const uint8_t> bytes_;
  FingerprintBytes fingerprint_ = {};
  std::vector<SectionEntry> sections_;
  ChunkedTable tables_;  // kTables, if the image has it
};

}  // namespace ggufc::runtime
