// XXH3-64 (xxHash 0.8, seed 0): the checksum of files that ggufc writes. It finds accidents, not forgeries.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

namespace ggufc {

uint64_t Hash64(std::span<const uint8_t> bytes);

// The same of bytes that come in parts: Hash64 of their concatenation. Move-only.
class Hash64Stream {
 public:
  Hash64Stream();
  Hash64Stream(Hash64Stream&&) noexcept;
  Hash64Stream& operator=(Hash64Stream&&) noexcept;
  ~Hash64Stream();

  void Update(std::span<const uint8_t> bytes);
  // Of everything so far; more may follow.
  uint64_t Digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ggufc
