// Hash64 with 32-byte vectors. Only for CPUs that have AVX2: support/hash.cpp asks.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ggufc {

uint64_t Hash64Avx2(const uint8_t* bytes, size_t count);

}  // namespace ggufc
