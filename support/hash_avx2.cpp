// Compiled with -mavx2, which is why it includes nothing that has inline functions: the linker keeps one copy of such a
// function for the whole program, and the one from here would not run everywhere.
#include "support/hash_avx2.h"

#include "support/xxhash_inline.h"

namespace ggufc {

uint64_t Hash64Avx2(const uint8_t* bytes, size_t count) { return XXH3_64bits(bytes, count); }

}  // namespace ggufc
