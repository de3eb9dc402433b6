// Packs weights of the model file into the bytes that generated code reads. The same jobs run before the first forward
// pass of a JIT-compiled model and when a model is compiled ahead of time.
//
// Layouts (K = in-features = columns of a source, n = out-features = rows):
//
//   vector       float[n], padded with zeros to a multiple of 16.
//   panels       of 16 rows of the weight, in order; `pack` consecutive k of each row are adjacent:
//                  q8_0, pack 2          [K/2][16 rows][2] int8, then [K/32][16] f16 scales
//                  q8_0, pack 4          [K/4][16 rows][4] uint8 = weight + 128, then [K/32][16] f16 scales
//                  f32, f16, bf16, pack 1   [K][16] elements
//                each panel's bytes rounded up to 64 and padded with zeros.
//   rope table   float[positions][head_dim], see rope_table.h.
//
// The rows of a panel job are the rows of its sources, one source after another. With a granule they are `granule` rows
// of each source in turn, the sources padded with zero rows to whole granules. Each group of `unit` rows is padded with
// zero rows to whole panels (the last group may be shorter), so that a column unit of a kernel starts at a panel.
//
// Assumes what the frontend has checked: all sources have one type and one K, and their data has the size of their
// shape. Anything else is a broken invariant.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/exec/thread_pool.h"

namespace ggufc::runtime {

enum class WeightType : uint8_t { kF32, kF16, kBF16, kQ8_0 };

// A tensor of the file: row-major, rows without padding. A vector has one row. The data may be unaligned.
struct PackSource {
  const uint8_t* data = nullptr;
  WeightType type = WeightType::kF32;
  int64_t rows = 0;
  int64_t columns = 0;  // elements per row; a multiple of 32 for q8_0
};

struct PackJob {
  enum class Kind : uint8_t { kVector, kPanels, kRopeTable };
  Kind kind = Kind::kPanels;
  int64_t offset = 0;  // of the result in the packed blob
  std::vector<PackSource> sources;

  double factor = 1;  // kVector: each value times this, rounded to float once

  int64_t granule = 0;  // kPanels: 0: one source after another
  int64_t pack = 0;     // kPanels: 1, 2 or 4
  int64_t unit = 0;     // kPanels: rows per unit; 0: all rows

  int64_t positions = 0, head_dim = 0;  // kRopeTable
  double theta = 0;
};

// Size of the result in bytes, a multiple of 64 except for rope tables.
int64_t PackedBytes(const PackJob& job);

// Writes all PackedBytes(job) bytes. The destination may be unaligned and need not be cleared.
void Pack(const PackJob& job, uint8_t* destination);

// Runs all jobs. Each writes its result at its offset in `blob`; the results must not overlap.
void PackAll(std::span<const PackJob> jobs, uint8_t* blob, ThreadPool& pool);

}  // namespace ggufc::runtime
