// Images made by hand for tests, right or wrong: the writer of the tests, which shares nothing but the
// structs with the real one.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/store/image_format.h"

namespace ggufc::runtime {

// Exactly as many bytes as asked for, at an address that an image may have, so that AddressSanitizer sees
// each read behind them.
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
  std::vector<uint8_t> bytes;  // the whole file; the header and the table come in by Finish

  explicit TestImage(uint8_t fingerprint = 7) { header.fingerprint.fill(fingerprint); }

  // `gap`: bytes to leave free before the section, a multiple of kSectionAlign. Returns its index.
  size_t Add(SectionKind kind, uint64_t id, std::span<const uint8_t> content, uint64_t gap = 0);
  // A section of kTables and its hashes.
  void AddTables(std::span<const uint8_t> content);

  // The file, after its header has been given sizes and hash, or, with `adjust` false, the hash only.
  std::vector<uint8_t> Finish(bool adjust = true);

 private:
  static constexpr uint64_t kFirstOffset = 8192;  // behind a full table
};

// Bytes that look random and are the same for the same seed.
std::vector<uint8_t> RandomBytes(size_t count, uint64_t seed);

}  // namespace ggufc::runtime
