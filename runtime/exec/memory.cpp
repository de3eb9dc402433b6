#include "runtime/exec/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "support/os/huge_page.h"

namespace ggufc::runtime {
namespace {

constexpr size_t kPage = 4096;

size_t RoundUp(size_t value, size_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace

Result<PageMemory> PageMemory::Allocate(int64_t bytes, std::string_view purpose) {
  // The limit is far above any machine's memory and keeps the roundings below from overflowing.
  if (bytes < 0 || bytes > INT64_MAX / 4)
    return Err(ErrorKind::kOutOfMemory, "{}: cannot allocate {} bytes", purpose, bytes);
  PageMemory memory;
  if (bytes == 0) return memory;

  const bool huge = static_cast<size_t>(bytes) >= kHugePage;
  const size_t size = RoundUp(static_cast<size_t>(bytes), huge ? kHugePage : kPage);
  // mmap aligns to small pages only. One huge page more than needed is mapped, and the excess on both sides is
  // unmapped.
  const size_t reserve = huge ? size + kHugePage : size;
  void* const address = mmap(nullptr, reserve, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED)
    return Err(ErrorKind::kOutOfMemory, "{}: cannot allocate {} bytes: {}", purpose, bytes,
               std::strerror(errno));
  auto* data = static_cast<uint8_t*>(address);
  if (huge) {
    const uintptr_t start = reinterpret_cast<uintptr_t>(address);
    const size_t before = RoundUp(start, kHugePage) - start;
    const size_t after = reserve - before - size;
    if (before > 0) munmap(data, before);
    data += before;
    if (after > 0) munmap(data + size, after);
    madvise(data, size, MADV_HUGEPAGE);  // best effort: small pages work too
  }
  memory.data_ = data;
  memory.size_ = bytes;
  memory.mapped_ = size;
  return memory;
}

PageMemory& PageMemory::operator=(PageMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapped_, other.mapped_);
  return *this;
}

PageMemory::~PageMemory() {
  if (data_ != nullptr) munmap(data_, mapped_);
}

Status PopulatePages(std::span<const uint8_t> bytes) {
#ifdef MADV_POPULATE_READ
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t begin = reinterpret_cast<uintptr_t>(bytes.data()) / page * page;
  const uintptr_t end = reinterpret_cast<uintptr_t>(bytes.data() + bytes.size());
  // Best effort, for bytes that are not in the page cache yet: they are read as huge pages, which later map in a few
  // steps.
  if (end - begin >= kHugePage) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
  if (madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_READ) == 0) return {};
  if (errno == EFAULT)
    return Err(ErrorKind::kIo, "cannot read its pages: the file was cut short while open, or a disk error");
#endif
  return {};
}

}  // namespace ggufc::runtime
