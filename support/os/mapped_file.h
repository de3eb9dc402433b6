// A file mapped read-only into memory. Move-only; unmaps itself. The bytes stay valid while it lives.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "support/result.h"

namespace ggufc {

// Identifies a file and its state. Equal identities mean equal contents, unless the clock was set back.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  uint64_t bytes = 0;
  int64_t modified = 0;  // last change of the contents, nanoseconds since 1970
  int64_t changed = 0;   // last change of contents or attributes; programs cannot set it
  uint32_t owner = 0;
  uint32_t mode = 0;  // permissions

  bool operator==(const FileIdentity&) const = default;
};
FileIdentity IdentityOf(const struct stat& info);

class MappedFile {
 public:
  // Errors name the path and the system's message. A directory or an empty file is an error too.
  static Result<MappedFile> Open(const std::string& path);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept { *this = std::move(other); }
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const uint8_t> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }
  const FileIdentity& identity() const { return identity_; }  // at Open
  // Lets the system reclaim the pages that lie wholly within `part` of bytes(). They are read again on access.
  void Release(std::span<const uint8_t> part) const;

 private:
  std::string path_;
  FileIdentity identity_;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace ggufc
