#include "fuzz_target.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "support/utf8.h"

namespace ggufc::fuzz {

void Require(bool condition, std::string_view what) {
  if (condition) return;
  std::fprintf(stderr, "requirement failed: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

void RequireMessage(std::string_view message, std::string_view start, size_t longest) {
  const auto fail = [&](const char* what) {
    std::fprintf(stderr, "message: %.*s\n", static_cast<int>(message.size()), message.data());
    Require(false, what);
  };
  if (message.empty() || message.size() > longest) fail("an error message has a length within the limit");
  if (!message.starts_with(start)) fail("an error message begins with the name of its file or field");
  for (size_t at = 0; at < message.size();) {
    const Utf8Char c = DecodeUtf8(message.substr(at));
    if (c.code >= kInvalidByte) fail("an error message is UTF-8");
    if (c.code < 0x20 || (c.code >= 0x7f && c.code < 0xa0))
      fail("an error message has no control characters");
    at += c.bytes;
  }
}

MemoryFile::MemoryFile() : fd_(memfd_create("fuzz", MFD_CLOEXEC)) {
  Require(fd_ >= 0, "a file in memory can be created");
  path_ = "/proc/self/fd/" + std::to_string(fd_);
}

MemoryFile::~MemoryFile() { close(fd_); }

void MemoryFile::Write(std::string_view bytes) {
  Require(ftruncate(fd_, 0) == 0, "a file in memory can be truncated");
  const ssize_t written = pwrite(fd_, bytes.data(), bytes.size(), 0);
  Require(written == static_cast<ssize_t>(bytes.size()), "a file in memory can be written");
}

}  // namespace ggufc::fuzz
