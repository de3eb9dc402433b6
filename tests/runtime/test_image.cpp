#include "test_image.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "support/hash.h"

namespace ggufc::runtime {

AlignedBytes::AlignedBytes(std::span<const uint8_t> bytes) : size_(bytes.size()) {
  void* data = nullptr;
  if (posix_memalign(&data, 64, std::max<size_t>(bytes.size(), 1)) != 0) std::abort();
  data_.reset(static_cast<uint8_t*>(data));
  if (!bytes.empty()) std::memcpy(data, bytes.data(), bytes.size());
}

size_t TestImage::Add(SectionKind kind, uint64_t id, std::span<const uint8_t> content, uint64_t gap) {
  const uint64_t offset = AlignSection(std::max(kFirstOffset, static_cast<uint64_t>(bytes.size()))) + gap;
  bytes.resize(offset);
  bytes.insert(bytes.end(), content.begin(), content.end());
  entries.push_back({.kind = static_cast<uint32_t>(kind),
                     .id = id,
                     .offset = offset,
                     .bytes = content.size(),
                     .hash = Hash64(content)});
  return entries.size() - 1;
}

void TestImage::AddTables(std::span<const uint8_t> content) {
  Add(SectionKind::kTables, 0, content);
  std::vector<uint64_t> hashes;
  for (size_t begin = 0; begin < content.size(); begin += kTableChunkBytes) {
    hashes.push_back(
        Hash64(content.subspan(begin, std::min<size_t>(kTableChunkBytes, content.size() - begin))));
  }
  Add(SectionKind::kTableHashes, 0,
      {reinterpret_cast<const uint8_t*>(hashes.data()), hashes.size() * sizeof(uint64_t)});
}

std::vector<uint8_t> TestImage::Finish(bool adjust) {
  if (adjust) {
    bytes.resize(AlignSection(bytes.size()));
    header.sections = static_cast<uint32_t>(entries.size());
    header.file_bytes = bytes.size();
  }
  header.hash = HashOfHeader(header, entries);
  std::memcpy(bytes.data(), &header, sizeof(header));
  std::memcpy(bytes.data() + sizeof(header), entries.data(), entries.size() * sizeof(SectionEntry));
  return bytes;
}

std::vector<uint8_t> RandomBytes(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<uint8_t> bytes(count);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

}  // namespace ggufc::runtime
