#pragma once

#include <cstddef>

namespace ggufc {

// Bytes of a huge page: what one entry of a page directory maps on x86-64.
inline constexpr size_t kHugePage = size_t{2} << 20;

}  // namespace ggufc
