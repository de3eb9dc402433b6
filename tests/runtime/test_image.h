// Writes valid and invalid images for tests. Shares only the structs of the format with the product's writer.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/store/image_format.h"

namespace ggufc::runtime {

// A buffer of exactly the requested size, aligned as an image, so that AddressSanitizer detects reads beyond its end.
class AlignedBytes {
 public:
  explicit AlignedBytes(std::span<const uint8_t> bytes);

  std::span<uint8_t> span() const { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(uint8_t* data) const { std::free(data); }
  };
  std::unique_ptr<uint8_t, Free> data_;
  size_t size_;
};

struct TestImage {
  ImageHeader header;
  std::vector<SectionEntry> entries;
  std::vector<uint8_t> bytes;  // the whole file; Finish writes the header and the table

  explicit TestImage(uint8_t fingerprint = 7) { header.fingerprint.fill(fingerprint); }

  // Adds a section and returns its index. `gap`: unused bytes before the section, a multiple of kSectionAlign.
  size_t Add(SectionKind kind, uint64_t id, std::span<const uint8_t> content, uint64_t gap = 0);
  // Adds kTables and its hashes.
  void AddTables(std::span<const uint8_t> content);

  // Writes the sizes and the hash to the header and returns the file. With `adjust` false, writes only the hash.
  std::vector<uint8_t> Finish(bool adjust = true);

 private:
  static constexpr uint64_t kFirstOffset = 8192;  // after a table of kMaxSections
};

// Pseudo-random bytes, determined by the seed.
std::vector<uint8_t> RandomBytes(size_t count, uint64_t seed);

}  // namespace ggufc::runtime
