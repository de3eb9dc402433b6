#include "runtime/exec/weight_packer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "runtime/exec/rope_table.h"
#include "support/check.h"

namespace ggufc::runtime {
namespace {

constexpr int64_t kPanelRows = 16;
constexpr int64_t kAlignment = 64;
constexpr int64_t kBlock = 32;               // elements of a q8_0 block
constexpr int64_t kBlockBytes = 2 + kBlock;  // f16 scale, then the weights

constexpr int64_t RoundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

int64_t ElementBytes(WeightType type) {
  switch (type) {
    case WeightType::kF32:
      return 4;
    case WeightType::kF16:
    case WeightType::kBF16:
      return 2;
    case WeightType::kQ8_0:
      break;
  }
  CHECK(false, "type {} is not an element type", static_cast<int>(type));
  return 0;
}

int64_t RowBytes(const PackSource& source) {
  if (source.type != WeightType::kQ8_0) return source.columns * ElementBytes(source.type);
  return source.columns / kBlock * kBlockBytes;
}

template <typename T>
T Load(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

float FloatFromHalf(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = (half >> 10) & 31;
  const uint32_t mantissa = half & 1023;
  if (exponent == 0) {
    const float value = static_cast<float>(mantissa) * 0x1p-24f;
    return sign != 0 ? -value : value;
  }
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000 | mantissa << 13);
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

float LoadFloat(const PackSource& source, int64_t index) {
  const uint8_t* const at = source.data + index * ElementBytes(source.type);
  if (source.type == WeightType::kF32) return Load<float>(at);
  const auto bits = Load<uint16_t>(at);
  if (source.type == WeightType::kF16) return FloatFromHalf(bits);
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

// ---- vectors --------------------------------------------------------------------------------------------

int64_t VectorElements(const PackJob& job) {
  int64_t elements = 0;
  for (const PackSource& source : job.sources) elements += source.rows * source.columns;
  return elements;
}

void PackVector(const PackJob& job, uint8_t* destination) {
  uint8_t* const end = destination + PackedBytes(job);
  for (const PackSource& source : job.sources) {
    for (int64_t i = 0; i < source.rows * source.columns; ++i, destination += sizeof(float)) {
      const float value = static_cast<float>(static_cast<double>(LoadFloat(source, i)) * job.factor);
      std::memcpy(destination, &value, sizeof(value));
    }
  }
  std::memset(destination, 0, static_cast<size_t>(end - destination));
}

// ---- panels ---------------------------------------------------------------------------------------------

// The rows of all sources of a job, in the order given by its granule.
class MergedRows {
 public:
  explicit MergedRows(const PackJob& job) : sources_(job.sources), granule_(job.granule) {
    CHECK(!sources_.empty(), "a panel job has no sources");
    const PackSource& first = sources_[0];
    for (const PackSource& source : sources_) {
      CHECK(source.type == first.type && source.columns == first.columns,
            "sources of type {} with {} columns and type {} with {}", static_cast<int>(source.type),
            source.columns, static_cast<int>(first.type), first.columns);
      CHECK(source.rows >= 0 && source.columns >= 0, "a source is {} x {}", source.rows, source.columns);
      CHECK(granule_ == 0 || source.rows == first.rows, "interleaved sources have {} and {} rows", first.rows,
            source.rows);
      count_ += granule_ == 0 ? source.rows : RoundUp(source.rows, granule_);
    }
    CHECK(first.type != WeightType::kQ8_0 || first.columns % kBlock == 0, "q8_0 with {} columns",
          first.columns);
    row_bytes_ = RowBytes(first);
  }

  int64_t count() const { return count_; }

  // The data of a row; null for a row of zeros.
  const uint8_t* Row(int64_t index) const {
    size_t which = 0;
    if (granule_ == 0) {
      while (index >= sources_[which].rows) index -= sources_[which++].rows;
    } else {
      const auto ways = static_cast<int64_t>(sources_.size());
      const int64_t turn = index / granule_;
      which = static_cast<size_t>(turn % ways);
      index = turn / ways * granule_ + index % granule_;
      if (index >= sources_[which].rows) return nullptr;
    }
    return sources_[which].data + index * row_bytes_;
  }

 private:
  std::span<const PackSource> sources_;
  int64_t granule_;
  int64_t count_ = 0;
  int64_t row_bytes_ = 0;
};

int64_t PanelBytes(const PackJob& job) {
  const PackSource& source = job.sources[0];
  const int64_t k = source.columns;
  if (source.type == WeightType::kQ8_0) {
    CHECK(job.pack == 2 || job.pack == 4, "q8_0 with pack {}", job.pack);
    return RoundUp(k * kPanelRows + k / kBlock * kPanelRows * 2, kAlignment);
  }
  CHECK(job.pack == 1, "floats with pack {}", job.pack);
  return RoundUp(k * kPanelRows * ElementBytes(source.type), kAlignment);
}

int64_t UnitRows(const PackJob& job, int64_t rows) {
  CHECK(job.unit >= 0, "unit {}", job.unit);
  return job.unit == 0 ? rows : job.unit;
}

int64_t PanelCount(const PackJob& job) {
  const int64_t rows = MergedRows(job).count();
  if (rows == 0) return 0;
  const int64_t unit = UnitRows(job, rows);
  return rows / unit * (RoundUp(unit, kPanelRows) / kPanelRows) +
         RoundUp(rows % unit, kPanelRows) / kPanelRows;
}

using PanelRows = std::array<const uint8_t*, kPanelRows>;

// to[g][row] = from[row][g] ^ flip, for `groups` groups of sizeof(T) bytes. The row loop has a fixed length, so that
// the compiler unrolls it.
template <typename T>
void Transpose(const PanelRows& from, int64_t groups, T flip, uint8_t* to) {
  for (int64_t g = 0; g < groups; ++g) {
    std::array<T, kPanelRows> line = {};
    for (size_t row = 0; row < kPanelRows; ++row) {
      line[row] = static_cast<T>(Load<T>(from[row] + g * static_cast<int64_t>(sizeof(T))) ^ flip);
    }
    std::memcpy(to, line.data(), sizeof(line));
    to += sizeof(line);
  }
}

// The data of zero rows, as long as the longest piece of a row that is read at a time.
constexpr int64_t kPieceBytes = 128;
constexpr std::array<uint8_t, kPieceBytes> kZeros{};

PanelRows Pieces(const PanelRows& rows, int64_t offset) {
  PanelRows pieces;
  for (size_t row = 0; row < kPanelRows; ++row) {
    pieces[row] = rows[row] == nullptr ? kZeros.data() : rows[row] + offset;
  }
  return pieces;
}

void PackQ8Panel(const PanelRows& rows, int64_t columns, int64_t pack, uint8_t* destination) {
  uint8_t* scales = destination + columns * kPanelRows;
  for (int64_t block = 0; block < columns / kBlock; ++block) {
    PanelRows pieces = Pieces(rows, block * kBlockBytes);
    Transpose<uint16_t>(pieces, 1, 0, scales);
    scales += kPanelRows * sizeof(uint16_t);
    for (const uint8_t*& piece : pieces) piece += 2;
    if (pack == 2) {
      Transpose<uint16_t>(pieces, kBlock / 2, 0, destination);
    } else {
      Transpose<uint32_t>(pieces, kBlock / 4, 0x80808080, destination);  // w + 128 flips the top bit
    }
    destination += kBlock * kPanelRows;
  }
}

template <typename T>
void PackFloatPanel(const PanelRows& rows, int64_t columns, uint8_t* destination) {
  constexpr int64_t kPiece = kPieceBytes / static_cast<int64_t>(sizeof(T));
  for (int64_t k = 0; k < columns; k += kPiece) {
    const int64_t count = std::min(kPiece, columns - k);
    Transpose<T>(Pieces(rows, k * static_cast<int64_t>(sizeof(T))), count, 0, destination);
    destination += count * kPanelRows * static_cast<int64_t>(sizeof(T));
  }
}

void PackPanel(const PanelRows& rows, const PackSource& source, int64_t pack, uint8_t* destination) {
  switch (source.type) {
    case WeightType::kQ8_0:
      return PackQ8Panel(rows, source.columns, pack, destination);
    case WeightType::kF32:
      return PackFloatPanel<uint32_t>(rows, source.columns, destination);
    case WeightType::kF16:
    case WeightType::kBF16:
      return PackFloatPanel<uint16_t>(rows, source.columns, destination);
  }
}

void PackPanels(const PackJob& job, uint8_t* destination) {
  const MergedRows merged(job);
  const PackSource& source = job.sources[0];
  const int64_t panel_bytes = PanelBytes(job);
  const int64_t used = source.type == WeightType::kQ8_0
                           ? source.columns * kPanelRows + source.columns / kBlock * kPanelRows * 2
                           : source.columns * kPanelRows * ElementBytes(source.type);
  const int64_t unit = UnitRows(job, merged.count());
  for (int64_t unit_begin = 0; unit_begin < merged.count(); unit_begin += unit) {
    const int64_t unit_end = std::min(unit_begin + unit, merged.count());
    for (int64_t panel = unit_begin; panel < unit_end; panel += kPanelRows) {
      PanelRows rows;
      for (int64_t i = 0; i < kPanelRows; ++i) {
        rows[static_cast<size_t>(i)] = panel + i < unit_end ? merged.Row(panel + i) : nullptr;
      }
      PackPanel(rows, source, job.pack, destination);
      std::memset(destination + used, 0, static_cast<size_t>(panel_bytes - used));
      destination += panel_bytes;
    }
  }
}

}  // namespace

int64_t PackedBytes(const PackJob& job) {
  switch (job.kind) {
    case PackJob::Kind::kVector:
      return RoundUp(VectorElements(job), kPanelRows) * static_cast<int64_t>(sizeof(float));
    case PackJob::Kind::kPanels:
      return PanelCount(job) * PanelBytes(job);
    case PackJob::Kind::kRopeTable:
      return job.positions * job.head_dim * static_cast<int64_t>(sizeof(float));
  }
  return 0;
}

void Pack(const PackJob& job, uint8_t* destination) {
  switch (job.kind) {
    case PackJob::Kind::kVector:
      return PackVector(job, destination);
    case PackJob::Kind::kPanels:
      return PackPanels(job, destination);
    case PackJob::Kind::kRopeTable:
      return MakeRopeTable(job.positions, job.head_dim, job.theta, destination);
  }
}

void PackAll(std::span<const PackJob> jobs, uint8_t* blob, ThreadPool& pool) {
  pool.ForEach(static_cast<int64_t>(jobs.size()), [&](int64_t item, int) {
    const PackJob& job = jobs[static_cast<size_t>(item)];
    Pack(job, blob + job.offset);
  });
}

}  // namespace ggufc::runtime
