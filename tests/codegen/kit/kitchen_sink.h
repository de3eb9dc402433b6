// One kernel, @k(in, out: ptr), that uses every loop op and every form of lanes; for tests that want all of
// them at once. All its results are finite f32 vectors of 16, so that interpreter and machine can be compared
// bit for bit.
#pragma once

#include <cstdint>

#include "ir/core/builder.h"
#include "ir/core/module.h"

namespace ggufc::testing {

// Bytes that the kernel reads at `in` for one row: 1 KiB of any integers, then 1 KiB of f32 of moderate size.
inline constexpr int64_t kSinkIntBytes = 1024;
inline constexpr int64_t kSinkRowBytes = 2048;

// Vectors of 16 f32 that it writes for one row; rows lie one after another.
int64_t SinkResults();

ir::Module KitchenSink();

}  // namespace ggufc::testing
