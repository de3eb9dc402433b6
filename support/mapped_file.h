// A file mapped read-only into memory. Move-only; unmaps itself. The bytes stay valid while it lives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "support/result.h"

namespace ggufc {

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
  // Lets the system take back the pages that lie wholly within `part` of bytes(). They are read again when touched.
  void Release(std::span<const uint8_t> part) const;

 private:
  std::string path_;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace ggufc
