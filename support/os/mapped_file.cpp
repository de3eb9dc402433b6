#include "support/os/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace ggufc {

FileIdentity IdentityOf(const struct stat& info) {
  const auto nanoseconds = [](const timespec& time) {
    // Modulo 2^64, because times after 2262 overflow int64; the values are only compared.
    return static_cast<int64_t>(static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 +
                                static_cast<uint64_t>(time.tv_nsec));
  };
  return {.device = info.st_dev,
          .inode = info.st_ino,
          .bytes = static_cast<uint64_t>(info.st_size),
          .modified = nanoseconds(info.st_mtim),
          .changed = nanoseconds(info.st_ctim),
          .owner = info.st_uid,
          .mode = info.st_mode & 07777};
}

Result<MappedFile> MappedFile::Open(const std::string& path) {
  // O_NONBLOCK: opening a pipe must not wait for a writer. It has no effect on regular files.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return Err(ErrorKind::kIo, "{}: cannot open: {}", path, std::strerror(errno));
  struct stat info = {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    return Err(ErrorKind::kIo, "{}: not a regular file", path);
  }
  if (info.st_size == 0) {
    close(fd);
    return Err(ErrorKind::kBadFile, "{}: the file is empty", path);
  }
  MappedFile file;
  file.path_ = path;
  file.identity_ = IdentityOf(info);
  file.size_ = static_cast<size_t>(info.st_size);
  void* address = mmap(nullptr, file.size_, PROT_READ, MAP_PRIVATE, fd, 0);
  const int error = errno;
  close(fd);
  if (address == MAP_FAILED) {
    return Err(error == ENOMEM ? ErrorKind::kOutOfMemory : ErrorKind::kIo, "{}: cannot map {} bytes: {}",
               path, file.size_, std::strerror(error));
  }
  file.data_ = static_cast<const uint8_t*>(address);
  return file;
}

void MappedFile::Release(std::span<const uint8_t> part) const {
  const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(part.data()) + page - 1) / page * page;
  const uintptr_t end = reinterpret_cast<uintptr_t>(part.data() + part.size()) / page * page;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(identity_, other.identity_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<uint8_t*>(data_), size_);
}

}  // namespace ggufc
