// Hash64 with 32-byte vectors. Requires AVX2; hash.cpp checks the CPU.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ggufc {

uint64_t Hash64Avx2(const uint8_t* bytes, size_t count);

}  // namespace ggufc
