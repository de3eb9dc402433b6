// One kernel, @k(in, out: ptr), that uses every loop op on scalars, vectors and partial vectors. All results are finite
// vectors of 16 f32, so that generated code and interpreter can be compared bit for bit.
#pragma once

#include <cstdint>

#include "ir/core/builder.h"
#include "ir/core/module.h"

namespace ggufc::testing {

// Bytes that the kernel reads per row: 1 KiB of arbitrary integers, then 1 KiB of f32 of moderate magnitude.
inline constexpr int64_t kSinkIntBytes = 1024;
inline constexpr int64_t kSinkRowBytes = 2048;

// The number of vectors of 16 f32 that the kernel writes per row; rows are stored one after another.
int64_t SinkResults();

ir::Module KitchenSink();

}  // namespace ggufc::testing
