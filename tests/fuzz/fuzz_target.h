// Helpers of the fuzz targets. A target is one file with one function, LLVMFuzzerTestOneInput. In the preset `fuzz`
// (docs/fuzzing.md) it is linked with libFuzzer, in all others with driver.cpp, which runs a corpus and random changes of it.
//
// The code under test may refuse any input. A failure is a crash, a sanitizer's report, or a failed Require().
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace ggufc::fuzz {

// Ends the process if `condition` is false; `what` is the requirement.
void Require(bool condition, std::string_view what);

// Requires an error message of one line of printable UTF-8, at most `longest` bytes long, that begins with `start`.
void RequireMessage(std::string_view message, std::string_view start = {}, size_t longest = 4096);

// A file in memory with a path, for code that opens paths.
class MemoryFile {
 public:
  MemoryFile();
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  void Write(std::string_view bytes);
  const std::string& path() const { return path_; }

 private:
  int fd_;
  std::string path_;
};

inline std::string_view AsText(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Reads numbers and texts from the start of an input. Missing bytes are zero, missing texts empty.
class Pieces {
 public:
  Pieces(const uint8_t* data, size_t size) : rest_(AsText(data, size)) {}

  template <typename T>
  T Take() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    const std::string_view bytes = TakeText(sizeof(T));
    if (!bytes.empty()) __builtin_memcpy(&value, bytes.data(), bytes.size());
    return value;
  }
  // A number from 0 to limit - 1.
  uint32_t TakeBelow(uint32_t limit) {
    return limit <= 256 ? Take<uint8_t>() % limit : Take<uint32_t>() % limit;
  }
  template <typename T, size_t N>
  T TakeOneOf(const T (&choices)[N]) {
    return choices[TakeBelow(N)];
  }
  bool TakeBool() { return (Take<uint8_t>() & 1) != 0; }
  std::string_view TakeText(size_t bytes) {
    const std::string_view text = rest_.substr(0, bytes);
    rest_.remove_prefix(text.size());
    return text;
  }
  std::string_view TakeRest() { return TakeText(rest_.size()); }
  bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

}  // namespace ggufc::fuzz
