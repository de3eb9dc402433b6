// Compiled with -mavx2. This file must not include headers with external inline functions: the linker keeps one copy of
// such a function per program, and a copy compiled here would need AVX2.
#include "support/hash_avx2.h"

#include "support/xxhash_inline.h"

namespace ggufc {

uint64_t Hash64Avx2(const uint8_t* bytes, size_t count) { return XXH3_64bits(bytes, count); }

}  // namespace ggufc
