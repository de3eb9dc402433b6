// A large table in a mapped file, of which a run needs a few rows. The table is not hashed when the file is opened.
// Instead each chunk of kTableChunkBytes (image_format.h) has a hash, which is compared when a row of the chunk is
// first used.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "support/result.h"

namespace ggufc::runtime {

inline constexpr uint64_t ChunksOf(uint64_t table_bytes, uint64_t chunk_bytes) {
  return (table_bytes + chunk_bytes - 1) / chunk_bytes;
}

// The Hash64 of each chunk; the last chunk may be shorter.
std::vector<uint64_t> HashChunks(std::span<const uint8_t> table);

// Move-only. All methods but assignment may be called from several threads at once.
class ChunkedTable {
 public:
  ChunkedTable() = default;
  // Both spans must outlive the table; there is one hash per chunk. `name` names the table and its file in errors.
  ChunkedTable(std::span<const uint8_t> table, std::span<const uint64_t> hashes, std::string name);

  std::span<const uint8_t> bytes() const { return table_; }

  // Compares the chunks that [offset, offset + bytes) overlaps with their hashes. A chunk that was equal once is not
  // compared again. Lock-free.
  Status Check(int64_t offset, int64_t bytes) const;
  // Compares all chunks.
  Status CheckAll() const;

 private:
  Status CheckChunk(size_t chunk) const;

  std::span<const uint8_t> table_;
  std::span<const uint64_t> hashes_;
  std::string name_;
  std::unique_ptr<std::atomic<uint8_t>[]> checked_;  // 1: equal to its hash
};

}  // namespace ggufc::runtime
