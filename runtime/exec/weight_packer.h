// Turns weights as they lie in the model file into the bytes that generated code streams. Plain data in,
// bytes out: the same jobs run before a JIT-compiled model's first forward pass and when a model is compiled
// ahead of time.
//
// Layouts (K = in-features = columns of a source, n = out-features = rows):
//
//   vector       float[n], padded with zeros to a multiple of 16.
//   panels       of 16 rows of the weight, in order; `pack` consecutive k of the 16 rows lie together:
//                  q8_0, pack 2          [K/2][16 rows][2] int8, then [K/32][16] f16 scales
//                  q8_0, pack 4          [K/4][16 rows][4] uint8 = weight + 128, then [K/32][16] f16 scales
//                  f32, f16, bf16, pack 1   [K][16] elements
//                each panel's bytes rounded up to 64 and padded with zeros.
//   rope table   float[positions][head_dim], see rope_table.h.
//
// The rows of a panel job are those of its sources, one source after another, or with a granule: `granule`
// rows of each source in turn, the sources padded with zero rows to whole granules. Each `unit` of these rows
// is padded with zero rows to whole panels (the last unit may be shorter), so that a column unit of a kernel
// starts at a panel.
//
// Assumes what the frontend has checked: sources are whole, of one type and one K, and their sizes come from
// a file that holds them. Not so is a broken invariant.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/exec/thread_pool.h"

namespace ggufc::runtime {

enum class WeightType : uint8_t { kF32, kF16, kBF16, kQ8_0 };

// A tensor of the file: row-major, rows without padding. A vector has one row. Need not be aligned.
struct PackSource {
  const uint8_t* data = nullptr;
  WeightType type = WeightType::kF32;
  int64_t rows = 0;
  int64_t columns = 0;  // elements of a row; a multiple of 32 for q8_0
};

struct PackJob {
  enum class Kind : uint8_t { kVector, kPanels, kRopeTable };
  Kind kind = Kind::kPanels;
  int64_t offset = 0;  // of the result in the packed blob
  std::vector<PackSource> sources;

  double factor = 1;  // kVector: each value times this, rounded to float once

  int64_t granule = 0;  // kPanels: 0 for one source after another
  int64_t pack = 0;     // kPanels: 1, 2 or 4
  int64_t unit = 0;     // kPanels: 0 for all rows

  int64_t positions = 0, head_dim = 0;  // kRopeTable
  double theta = 0;
};

// Bytes of the result: a multiple of 64 except for rope tables.
int64_t PackedBytes(const PackJob& job);

// Writes PackedBytes(job) bytes, all of them. The destination need not be aligned or cleared.
void Pack(const PackJob& job, uint8_t* destination);

// All jobs into one blob, each at its offset; the results must not overlap.
void PackAll(std::span<const PackJob> jobs, uint8_t* blob, ThreadPool& pool);

}  // namespace ggufc::runtime
