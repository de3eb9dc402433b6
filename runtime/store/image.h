// An opened image (image_format.h): header and table of sections are checked when it is opened, a section's
// bytes when they are asked for, and the embedding table, of which a run needs a few rows, chunk by chunk
// when first used. Every truncated, swapped or damaged byte is found by one of these checks before anything
// depends on it.
//
// The file is mapped and must not change while it is open: pages that a shorter file no longer has raise
// SIGBUS when they are touched. Writers therefore make a new file and rename it over the old one.
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

// Move-only. All methods but assignment may be called from any number of threads at a time. Errors name the
// file, the section, what was found and what was expected.
class Image {
 public:
  // Base of an image in memory: what generated code assumes of weights.
  static constexpr size_t kMemoryAlign = 64;

  // Maps the file read-only. Reads the header, the table of sections and the table hashes.
  static Result<Image> Open(const std::string& path);
  static Result<Image> FromFile(MappedFile file);
  // The same of an image that lies in memory from a multiple of kMemoryAlign on; `bytes` must outlive the
  // image. `name` stands for the file's in errors.
  static Result<Image> FromMemory(std::span<const uint8_t> bytes, std::string name);

  const std::string& name() const { return name_; }
  const FingerprintBytes& fingerprint() const { return fingerprint_; }
  std::span<const SectionEntry> sections() const { return sections_; }

  bool Has(SectionKind kind, uint64_t id = 0) const { return Find(kind, id) != nullptr; }

  // The section's bytes, mapped and equal to their hash. That is compared at each call: 117 MB take 5 ms, or
  // 13 ms where their pages have to be mapped one by one (page cache in 4 KB pages; Zen 4). kTables is handed
  // out unread: see CheckTables. A section that is not there is an error.
  Result<std::span<const uint8_t>> Get(SectionKind kind, uint64_t id = 0) const;

  // See ChunkedTable::Check. Bytes are counted from the start of kTables.
  Status CheckTables(int64_t offset, int64_t bytes) const { return tables_.Check(offset, bytes); }

  // Everything: all sections, all chunks, and that what lies between sections is zero.
  Status CheckAll() const;

 private:
  static Result<Image> Parse(std::span<const uint8_t> bytes, std::string name);

  Status CheckEntries(uint64_t file_bytes) const;
  Status CheckEntry(size_t i, uint64_t end_before) const;
  Status AdoptTables();
  const SectionEntry* Find(SectionKind kind, uint64_t id) const;
  std::span<const uint8_t> BytesOf(const SectionEntry& section) const;
  Result<std::span<const uint8_t>> Checked(const SectionEntry& section) const;

  std::string name_;
  MappedFile file_;  // of Open
  std::span<const uint8_t> bytes_;
  FingerprintBytes fingerprint_ = {};
  std::vector<SectionEntry> sections_;
  ChunkedTable tables_;  // kTables, if there is one
};

}  // namespace ggufc::runtime
