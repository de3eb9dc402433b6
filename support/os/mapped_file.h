// A file mapped read-only into memory. Move-only; unmaps itself. The bytes stay valid while it lives.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "support/result.h"

namespace ggufc {

// Which file it is, and in what state: while the clock is not set back, equal identities mean equal contents.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t bytes = 0;
  int64_t modified = 0;  // nanoseconds since 1970, of the contents
  int64_t changed = 0;   // the same of contents or attributes, which no program can set
  uint32_t owner = 0;
  uint32_t mode = 0;  // permissions

  bool operator==(const FileIdentity&) const = default;
};
FileIdentity IdentityOf(const struct stat& info);

class MappedFile {
 public:
  // Errors name the path and say what the system said; a directory or an empty file is an error too.
  static Result<MappedFile> Open(const std::string& path);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept { *this = std::move(other); }
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const uint8_t> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }
  const FileIdentity& identity() const { return identity_; }  // when it was opened
  // Lets the system take back the pages that lie wholly within `part` of bytes(). They are read again when touched.
  void Release(std::span<const uint8_t> part) const;

 private:
  std::string path_;
  FileIdentity identity_;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace ggufc
