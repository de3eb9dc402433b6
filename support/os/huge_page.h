#pragma once

#include <cstddef>

namespace ggufc {

// Bytes that one entry of a page table can map where the system has them together: a page directory's, on x86-64.
inline constexpr size_t kHugePage = size_t{2} << 20;

}  // namespace ggufc
