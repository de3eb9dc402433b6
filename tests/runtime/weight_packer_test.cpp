// Compares the packer with loops that compute the place of each element from the description of the layout.
#include "runtime/exec/weight_packer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

namespace ggufc::runtime {
namespace {

int64_t ElementBytes(WeightType type) { return type == WeightType::kF32 ? 4 : 2; }

// A tensor with random bytes, at an odd address.
struct Tensor {
  Tensor(WeightType type, int64_t rows, int64_t columns, uint64_t seed) {
    const int64_t row_bytes = type == WeightType::kQ8_0 ? columns / 32 * 34 : columns * ElementBytes(type);
    bytes.resize(static_cast<size_t>(rows * row_bytes + 1));
    std::mt19937_64 random(seed);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    source = {bytes.data() + 1, type, rows, columns};
  }
  std::vector<uint8_t> bytes;
  PackSource source;
};

std::string Name(WeightType type) {
  switch (type) {
    case WeightType::kF32:
      return "f32";
    case WeightType::kF16:
      return "f16";
    case WeightType::kBF16:
      return "bf16";
    case WeightType::kQ8_0:
      return "q8_0";
  }
  return "?";
}

// One weight of a source: the int8 of q8_0, the bits of a float type. Row -1 is a zero row.
uint32_t WeightBits(const PackSource& source, int64_t row, int64_t k) {
  if (row < 0) return 0;
  if (source.type == WeightType::kQ8_0) {
    return source.data[(row * (source.columns / 32) + k / 32) * 34 + 2 + k % 32];
  }
  const int64_t size = ElementBytes(source.type);
  uint32_t bits = 0;
  for (int64_t i = 0; i < size; ++i) {
    bits |= static_cast<uint32_t>(source.data[(row * source.columns + k) * size + i]) << (8 * i);
  }
  return bits;
}

struct RowOf {
  const PackSource* source;
  int64_t row;  // -1: a zero row
};

std::vector<RowOf> ReferenceRows(const PackJob& job) {
  std::vector<RowOf> rows;
  if (job.granule == 0) {
    for (const PackSource& source : job.sources) {
      for (int64_t row = 0; row < source.rows; ++row) rows.push_back({&source, row});
    }
    return rows;
  }
  for (int64_t begin = 0; begin < job.sources[0].rows; begin += job.granule) {
    for (const PackSource& source : job.sources) {
      for (int64_t row = begin; row < begin + job.granule; ++row) {
        rows.push_back({&source, row < source.rows ? row : -1});
      }
    }
  }
  return rows;
}

std::vector<uint8_t> ReferencePanels(const PackJob& job) {
  const PackSource& first = job.sources[0];
  const std::vector<RowOf> rows = ReferenceRows(job);
  // The rows with the padding that makes each unit begin at a panel.
  std::vector<RowOf> padded;
  const size_t unit = job.unit == 0 ? rows.size() : static_cast<size_t>(job.unit);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (i % unit == 0) {
      while (padded.size() % 16 != 0) padded.push_back({&first, -1});
    }
    padded.push_back(rows[i]);
  }
  while (padded.size() % 16 != 0) padded.push_back({&first, -1});

  std::vector<uint8_t> bytes;
  for (size_t panel = 0; panel < padded.size(); panel += 16) {
    for (int64_t k = 0; k < first.columns; k += job.pack) {
      for (size_t i = 0; i < 16; ++i) {
        for (int64_t j = 0; j < job.pack; ++j) {
          const RowOf& row = padded[panel + i];
          uint32_t bits = WeightBits(*row.source, row.row, k + j);
          if (first.type == WeightType::kQ8_0) {
            if (job.pack == 4) bits = static_cast<uint32_t>(static_cast<int8_t>(bits) + 128);
            bytes.push_back(static_cast<uint8_t>(bits));
          } else {
            for (int64_t b = 0; b < ElementBytes(first.type); ++b) {
              bytes.push_back(static_cast<uint8_t>(bits >> (8 * b)));
            }
          }
        }
      }
    }
    if (first.type == WeightType::kQ8_0) {
      for (int64_t block = 0; block < first.columns / 32; ++block) {
        for (size_t i = 0; i < 16; ++i) {
          const RowOf& row = padded[panel + i];
          for (int64_t b = 0; b < 2; ++b) {
            bytes.push_back(
                row.row < 0 ? 0 : row.source->data[(row.row * (first.columns / 32) + block) * 34 + b]);
          }
        }
      }
    }
    while (bytes.size() % 64 != 0) bytes.push_back(0);
  }
  return bytes;
}

// Packs to memory filled with a pattern. Guards before and after the result must not change.
std::vector<uint8_t> PackGuarded(const PackJob& job) {
  constexpr size_t kGuard = 64;
  const auto size = static_cast<size_t>(PackedBytes(job));
  std::vector<uint8_t> bytes(size + 2 * kGuard, 0xa5);
  Pack(job, bytes.data() + kGuard);
  for (size_t i = 0; i < kGuard; ++i) {
    EXPECT_EQ(bytes[i], 0xa5) << "before the result, byte " << i;
    EXPECT_EQ(bytes[kGuard + size + i], 0xa5) << "after the result, byte " << i;
  }
  return {bytes.begin() + kGuard, bytes.end() - kGuard};
}

void ExpectSame(const std::vector<uint8_t>& actual, const std::vector<uint8_t>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_EQ(actual[i], expected[i]) << "byte " << i << " of " << actual.size();
  }
}

TEST(WeightPackerTest, PanelsOfEveryTypePackUnitAndSize) {
  struct Format {
    WeightType type;
    int64_t pack;
    std::vector<int64_t> columns;
  };
  const Format formats[] = {
      {WeightType::kQ8_0, 2, {32, 96, 128}},   {WeightType::kQ8_0, 4, {32, 96, 128}},
      {WeightType::kF32, 1, {1, 31, 33, 64}},  {WeightType::kF16, 1, {1, 2, 63, 64, 65, 129}},
      {WeightType::kBF16, 1, {1, 3, 32, 130}},
  };
  for (const Format& format : formats) {
    for (const int64_t columns : format.columns) {
      for (const int64_t rows : {1, 15, 16, 17, 48, 100}) {
        for (const int64_t unit : {0, 1, 16, 20, 48, 1000}) {
          SCOPED_TRACE(fmt::format("{} pack {} rows {} columns {} unit {}", Name(format.type), format.pack,
                                   rows, columns, unit));
          const Tensor tensor(format.type, rows, columns, static_cast<uint64_t>(rows * 1000 + columns));
          PackJob job;
          job.sources = {tensor.source};
          job.pack = format.pack;
          job.unit = unit;
          ExpectSame(PackGuarded(job), ReferencePanels(job));
        }
      }
    }
  }
}

TEST(WeightPackerTest, ConcatAndInterleave) {
  for (const WeightType type : {WeightType::kQ8_0, WeightType::kF16, WeightType::kF32}) {
    for (const int64_t granule : {0, 1, 8, 16, 32, 50}) {
      for (const int64_t rows : {1, 16, 40, 96}) {
        for (const int64_t unit : {0, 32, 40, 64}) {
          SCOPED_TRACE(fmt::format("{} granule {} rows {} unit {}", Name(type), granule, rows, unit));
          const Tensor a(type, rows, 64, 1), b(type, rows, 64, 2), c(type, granule == 0 ? 7 : rows, 64, 3);
          PackJob job;
          job.sources = {a.source, b.source, c.source};
          job.granule = granule;
          job.pack = type == WeightType::kQ8_0 ? 4 : 1;
          job.unit = unit;
          ExpectSame(PackGuarded(job), ReferencePanels(job));
        }
      }
    }
  }
}

TEST(WeightPackerTest, PlaceOfOneQ8Value) {
  // Row 17 is row 1 of panel 1; k = 37 is pair 18, second; block 1.
  Tensor tensor(WeightType::kQ8_0, 32, 64, 5);
  std::fill(tensor.bytes.begin(), tensor.bytes.end(), uint8_t{0});
  uint8_t* const block = tensor.bytes.data() + 1 + (17 * 2 + 1) * 34;
  block[0] = 0x34;
  block[1] = 0x12;
  block[2 + 5] = static_cast<uint8_t>(-3);
  PackJob job;
  job.sources = {tensor.source};
  job.pack = 2;
  std::vector<uint8_t> bytes = PackGuarded(job);
  constexpr size_t kPanel = 64 * 16 + 2 * 32;
  ASSERT_EQ(bytes.size(), 2 * kPanel);
  EXPECT_EQ(bytes[kPanel + 18 * 32 + 1 * 2 + 1], static_cast<uint8_t>(-3));
  EXPECT_EQ(bytes[kPanel + 64 * 16 + 32 + 2], 0x34);
  EXPECT_EQ(bytes[kPanel + 64 * 16 + 32 + 3], 0x12);
  EXPECT_EQ(std::count(bytes.begin(), bytes.end(), uint8_t{0}), static_cast<int64_t>(bytes.size()) - 3);
  job.pack = 4;  // quad 9, second
  bytes = PackGuarded(job);
  EXPECT_EQ(bytes[kPanel + 9 * 64 + 1 * 4 + 1], 125);
  EXPECT_EQ(bytes[kPanel + 9 * 64 + 1 * 4 + 0], 128);
}

TEST(WeightPackerTest, NoRowsPackToNoBytes) {
  const Tensor tensor(WeightType::kQ8_0, 0, 64, 1);
  PackJob job;
  job.sources = {tensor.source};
  job.pack = 2;
  EXPECT_EQ(PackedBytes(job), 0);
  EXPECT_TRUE(PackGuarded(job).empty());
}

double HalfValue(uint32_t bits) {
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  const int exponent = static_cast<int>(bits >> 10 & 31);
  const int mantissa = static_cast<int>(bits & 1023);
  if (exponent == 31) return mantissa != 0 ? NAN : sign * INFINITY;
  return sign * (exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25));
}

std::vector<float> PackFloats(const PackJob& job) {
  const std::vector<uint8_t> bytes = PackGuarded(job);
  std::vector<float> floats(bytes.size() / sizeof(float));
  std::memcpy(floats.data(), bytes.data(), bytes.size());
  return floats;
}

TEST(WeightPackerTest, VectorOfEveryHalf) {
  std::vector<uint16_t> halves(65536);
  for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>(i);
  PackJob job;
  job.kind = PackJob::Kind::kVector;
  job.sources = {{reinterpret_cast<const uint8_t*>(halves.data()), WeightType::kF16, 1, 65536}};
  const std::vector<float> values = PackFloats(job);
  ASSERT_EQ(values.size(), halves.size());
  for (size_t i = 0; i < halves.size(); ++i) {
    const double expected = HalfValue(halves[i]);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(values[i])) << i;
    } else {
      ASSERT_EQ(values[i], expected) << i;
      ASSERT_EQ(std::signbit(values[i]), std::signbit(expected)) << i;
    }
  }
}

TEST(WeightPackerTest, VectorIsScaledInDoubleAndPadded) {
  // A factor that is not a float, so that a product in float would differ.
  const double factor = 1.0 / 3.0;
  std::vector<float> in(35);
  std::mt19937 random(7);
  for (float& value : in) value = std::ldexp(static_cast<float>(random() % 100000), -10);
  PackJob job;
  job.kind = PackJob::Kind::kVector;
  job.factor = factor;
  job.sources = {{reinterpret_cast<const uint8_t*>(in.data()), WeightType::kF32, 1, 30},
                 {reinterpret_cast<const uint8_t*>(in.data() + 30), WeightType::kF32, 1, 5}};
  const std::vector<float> values = PackFloats(job);
  ASSERT_EQ(values.size(), 48u);
  int differs = 0;  // from a product in float
  for (size_t i = 0; i < in.size(); ++i) {
    EXPECT_EQ(values[i], static_cast<float>(static_cast<double>(in[i]) * factor)) << i;
    differs += values[i] != in[i] * static_cast<float>(factor);
  }
  EXPECT_GT(differs, 0);
  for (size_t i = in.size(); i < values.size(); ++i) EXPECT_EQ(values[i], 0) << i;
}

TEST(WeightPackerTest, VectorOfBF16) {
  const uint16_t bits[] = {0x3f80, 0xc049, 0x0001, 0x8000};
  PackJob job;
  job.kind = PackJob::Kind::kVector;
  job.sources = {{reinterpret_cast<const uint8_t*>(bits), WeightType::kBF16, 1, 4}};
  const std::vector<float> values = PackFloats(job);
  ASSERT_EQ(values.size(), 16u);
  EXPECT_EQ(values[0], 1.0f);
  EXPECT_EQ(values[1], -3.140625f);
  EXPECT_EQ(values[2], std::ldexp(1.0f, -133));
  EXPECT_TRUE(values[3] == 0 && std::signbit(values[3]));
}

TEST(WeightPackerTest, PackAllWritesEachJobAtItsOffset) {
  const Tensor a(WeightType::kQ8_0, 48, 64, 11), b(WeightType::kF32, 1, 20, 12);
  std::vector<PackJob> jobs(3);
  jobs[0].sources = {a.source};
  jobs[0].pack = 2;
  jobs[1].kind = PackJob::Kind::kVector;
  jobs[1].sources = {b.source};
  jobs[2].kind = PackJob::Kind::kRopeTable;
  jobs[2].positions = 3;
  jobs[2].head_dim = 4;
  jobs[2].theta = 10;
  int64_t size = 0;
  for (PackJob& job : jobs) {
    job.offset = size;
    size += PackedBytes(job) + 64;  // a gap
  }
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    std::vector<uint8_t> blob(static_cast<size_t>(size), 0x5a);
    PackAll(jobs, blob.data(), pool);
    for (const PackJob& job : jobs) {
      const auto begin = blob.begin() + job.offset;
      ExpectSame({begin, begin + PackedBytes(job)}, PackGuarded(job));
      for (int i = 0; i < 64; ++i) EXPECT_EQ(begin[PackedBytes(job) + i], 0x5a);
    }
  }
}

TEST(RopeTableTest, NearestFloatsOfLongDouble) {
  struct Case {
    int64_t positions, head_dim;
    double theta;
  };
  for (const Case& c : {Case{2048, 256, 1e6}, Case{2048, 256, 10000}, Case{100, 2, 10000},
                        Case{600, 6, 500000}, Case{300, 34, 1.0}, Case{50, 64, 1e30}}) {
    PackJob job;
    job.kind = PackJob::Kind::kRopeTable;
    job.positions = c.positions;
    job.head_dim = c.head_dim;
    job.theta = c.theta;
    const std::vector<float> table = PackFloats(job);
    ASSERT_EQ(static_cast<int64_t>(table.size()), c.positions * c.head_dim);
    const int64_t half = c.head_dim / 2;
    for (int64_t p = 0; p < c.positions; ++p) {
      for (int64_t i = 0; i < half; ++i) {
        const long double angle =
            static_cast<long double>(p) *
            std::pow(static_cast<long double>(c.theta),
                     -2.0L * static_cast<long double>(i) / static_cast<long double>(c.head_dim));
        for (const bool sine : {false, true}) {
          const long double expected = sine ? std::sin(angle) : std::cos(angle);
          const float actual = table[static_cast<size_t>(p * c.head_dim + (sine ? half : 0) + i)];
          // Half a unit in the last place, and the error of the long double angle: 2048 * 2^-63.
          const long double ulp = std::nextafter(std::fabs(actual), INFINITY) - std::fabs(actual);
          ASSERT_LE(std::fabs(static_cast<long double>(actual) - expected), ulp * 0.500001L + 3e-16L)
              << (sine ? "sine" : "cosine") << " at position " << p << ", frequency " << i << ", head_dim "
              << c.head_dim << ", theta " << c.theta;
        }
      }
    }
  }
}

}  // namespace
}  // namespace ggufc::runtime
