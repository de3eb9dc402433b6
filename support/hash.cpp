#include "support/hash.h"

#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ggufc {

struct Hash64Stream::State {
  XXH3_state_t xxh3;
};

uint64_t Hash64(std::span<const uint8_t> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

Hash64Stream::Hash64Stream() : state_(std::make_unique<State>()) { XXH3_64bits_reset(&state_->xxh3); }
Hash64Stream::Hash64Stream(Hash64Stream&&) noexcept = default;
Hash64Stream& Hash64Stream::operator=(Hash64Stream&&) noexcept = default;
Hash64Stream::~Hash64Stream() = default;

void Hash64Stream::Update(std::span<const uint8_t> bytes) {
  XXH3_64bits_update(&state_->xxh3, bytes.data(), bytes.size());
}

uint64_t Hash64Stream::Digest() const { return XXH3_64bits_digest(&state_->xxh3); }

}  // namespace ggufc
