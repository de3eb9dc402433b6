// XXH3 (xxHash 0.8, seed 0). The 64-bit hash is the checksum of files that ggufc writes; the 128-bit hash identifies
// contents. Both detect accidental damage, not forgery.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace ggufc {

uint64_t Hash64(std::span<const uint8_t> bytes);

// Hash64 of the concatenation of several parts. Move-only.
class Hash64Stream {
 public:
  Hash64Stream();
  Hash64Stream(Hash64Stream&&) noexcept;
  Hash64Stream& operator=(Hash64Stream&&) noexcept;
  ~Hash64Stream();

  void Update(std::span<const uint8_t> bytes);
  // The hash of all bytes so far. Update may be called again.
  uint64_t Digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct Hash128 {
  uint64_t high = 0, low = 0;

  bool operator==(const Hash128&) const = default;
  std::string Text() const;  // 32 hex digits
};

// The same with 128 bits.
class Hash128Stream {
 public:
  Hash128Stream();
  Hash128Stream(Hash128Stream&&) noexcept;
  Hash128Stream& operator=(Hash128Stream&&) noexcept;
  ~Hash128Stream();

  void Update(std::span<const uint8_t> bytes);
  Hash128 Digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Hash128 HashText128(std::string_view text);

}  // namespace ggufc
