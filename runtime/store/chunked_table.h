// A table that lies in a mapped file and is too large to be compared with a hash when the file is opened: a run needs a few
// rows of it. Each chunk of kTableChunkBytes (image_format.h) has a hash of its own and is compared when a row of it is
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

// Hash64 of each chunk, the last one shorter.
std::vector<uint64_t> HashChunks(std::span<const uint8_t> table);

// Move-only. All methods but assignment may be called from any number of threads at a time.
class ChunkedTable {
 public:
  ChunkedTable() = default;
  // Both spans must outlive it; there is a hash for each chunk. `name` says in errors what it is and where.
  ChunkedTable(std::span<const uint8_t> table, std::span<const uint64_t> hashes, std::string name);

  std::span<const uint8_t> bytes() const { return table_; }

  // Compares the chunks that [offset, offset + bytes) touches, each once in the life of this object (a damaged one, each
  // time). Lock-free.
  Status Check(int64_t offset, int64_t bytes) const;
  // Compares all of them.
  Status CheckAll() const;

 private:
  Status CheckChunk(size_t chunk) const;

  std::span<const uint8_t> table_;
  std::span<const uint64_t> hashes_;
  std::string name_;
  std::unique_ptr<std::atomic<uint8_t>[]> checked_;  // 1: equal to its hash
};

}  // namespace ggufc::runtime
