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
  std::fprintf(stderr, "requirement broken: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

void RequireMessage(std::string_view message, std::string_view start, size_t longest) {
  const auto fail = [&](const char* what) {
    std::fprintf(stderr, "message: %.*s\n", static_cast<int>(message.size()), message.data());
    Require(false, what);
  };
  if (message.empty() || message.size() > longest) fail("a message of a reasonable length");
  if (!message.starts_with(start)) fail("a message that begins with what it is about");
  for (size_t at = 0; at < message.size();) {
    const Utf8Char c = DecodeUtf8(message.substr(at));
    if (c.code >= kInvalidByte) fail("a message in UTF-8");
    if (c.code < 0x20 || (c.code >= 0x7f && c.code < 0xa0)) fail("a message without control characters");
    at += c.bytes;
  }
}

MemoryFile::MemoryFile() : fd_(memfd_create("fuzz", MFD_CLOEXEC)) {
  Require(fd_ >= 0, "a file in memory");
  path_ = "/proc/self/fd/" + std::to_string(fd_);
}

MemoryFile::~MemoryFile() { close(fd_); }

void MemoryFile::Write(std::string_view bytes) {
  Require(ftruncate(fd_, 0) == 0, "an empty file in memory");
  const ssize_t written = pwrite(fd_, bytes.data(), bytes.size(), 0);
  Require(written == static_cast<ssize_t>(bytes.size()), "a file in memory that takes all bytes");
}

}  // namespace ggufc::fuzz
