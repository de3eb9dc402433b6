#include "runtime/store/chunked_table.h"

#include <algorithm>
#include <utility>

#include "runtime/exec/memory.h"
#include "runtime/store/image_format.h"
#include "support/hash.h"

namespace ggufc::runtime {

std::vector<uint64_t> HashChunks(std::span<const uint8_t> table) {
  std::vector<uint64_t> hashes;
  hashes.reserve(ChunksOf(table.size(), kTableChunkBytes));
  for (size_t begin = 0; begin < table.size(); begin += kTableChunkBytes) {
    hashes.push_back(Hash64(table.subspan(begin, std::min<size_t>(kTableChunkBytes, table.size() - begin))));
  }
  return hashes;
}

ChunkedTable::ChunkedTable(std::span<const uint8_t> table, std::span<const uint64_t> hashes, std::string name)
    : table_(table),
      hashes_(hashes),
      name_(std::move(name)),
      checked_(std::make_unique<std::atomic<uint8_t>[]>(hashes.size())) {}

Status ChunkedTable::Check(int64_t offset, int64_t bytes) const {
  const auto size = static_cast<int64_t>(table_.size());
  if (offset < 0 || bytes < 0 || offset > size || bytes > size - offset) {
    return Err(ErrorKind::kBadFile, "{}: {} bytes at offset {} lie outside its {} bytes", name_, bytes,
               offset, size);
  }
  if (bytes == 0) return {};
  const auto first = static_cast<size_t>(offset) / kTableChunkBytes;
  const auto last = static_cast<size_t>(offset + bytes - 1) / kTableChunkBytes;
  for (size_t chunk = first; chunk <= last; ++chunk) {
    // Relaxed is enough: the flag is about bytes that never change, and publishes none. Two threads may both find it
    // unset; then both compare.
    if (checked_[chunk].load(std::memory_order_relaxed) != 0) continue;
    RETURN_IF_ERROR(CheckChunk(chunk));
    checked_[chunk].store(1, std::memory_order_relaxed);
  }
  return {};
}

Status ChunkedTable::CheckAll() const {
  for (size_t chunk = 0; chunk < hashes_.size(); ++chunk) RETURN_IF_ERROR(CheckChunk(chunk));
  return {};
}

Status ChunkedTable::CheckChunk(size_t chunk) const {
  const size_t begin = chunk * kTableChunkBytes;
  const auto bytes = table_.subspan(begin, std::min<size_t>(kTableChunkBytes, table_.size() - begin));
  RETURN_IF_ERROR(WithContext(name_, PopulatePages(bytes)));
  if (const uint64_t hash = Hash64(bytes); hash != hashes_[chunk]) {
    return Err(ErrorKind::kBadFile,
               "{}: the hash of bytes {} to {} is {:016x}, expected {:016x}; the file is damaged", name_,
               begin, begin + bytes.size(), hash, hashes_[chunk]);
  }
  return {};
}

}  // namespace ggufc::runtime
