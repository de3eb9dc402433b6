// Anonymous memory for what is big and lives long: packed weights, the arena, scratch. Pages are zero at
// first and taken from the system when first touched; allocations of a huge page or more start at one and ask
// for huge pages, because a forward pass streams 100 MB of weights and would otherwise walk 26,000 page table
// entries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "support/result.h"

namespace ggufc::runtime {

// Move-only; gives the memory back when it goes.
class PageMemory {
 public:
  // At least page aligned. 0 bytes are fine (data() is null then). The error says how much was asked for and
  // for what.
  static Result<PageMemory> Allocate(int64_t bytes, std::string_view purpose);

  PageMemory() = default;
  PageMemory(PageMemory&& other) noexcept { *this = std::move(other); }
  PageMemory& operator=(PageMemory&& other) noexcept;
  ~PageMemory();

  uint8_t* data() const { return data_; }
  int64_t size() const { return size_; }  // as asked for
  std::span<uint8_t> bytes() const { return {data_, static_cast<size_t>(size_)}; }

 private:
  uint8_t* data_ = nullptr;
  int64_t size_ = 0;
  size_t mapped_ = 0;
};

// Maps all pages of `bytes`, which lie in a mapped file. It is the system that touches them, so what the file cannot give
// (a disk error, a file that has become shorter) is an error here, not a signal. As fast as faults, of which each maps
// 16 pages: 117 MB in 0.2 ms where the page cache has large folios, in 8.5 ms where it has single pages, either way.
// Systems older than Linux 5.14 do not know the call; there the pages come by faults.
Status PopulatePages(std::span<const uint8_t> bytes);

}  // namespace ggufc::runtime
