#include "frontend/gguf/tensor_data.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <random>

#include "frontend/gguf/gguf_writer.h"
#include "support/float_formats.h"
#include "test_files.h"
#include "test_paths.h"

namespace ggufc::frontend {
namespace {

using ::testing::HasSubstr;

// The value of an f16 by the definition of IEEE 754.
double HalfByDefinition(uint16_t half) {
  const int exponent = (half >> 10) & 0x1f;
  const int mantissa = half & 0x3ff;
  const double sign = (half & 0x8000) != 0 ? -1.0 : 1.0;
  if (exponent == 0x1f) return mantissa == 0 ? sign * std::numeric_limits<double>::infinity() : NAN;
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024 + mantissa, exponent - 25);
}

TEST(FloatFormats, EveryHalf) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const double expected = HalfByDefinition(half);
    const float value = F16ToF32(half);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(value)) << bits;
      EXPECT_TRUE(std::isnan(F16ToF32(F32ToF16(value)))) << bits;
      continue;
    }
    ASSERT_EQ(value, expected) << bits;
    ASSERT_EQ(std::signbit(value), std::signbit(expected)) << bits;
    ASSERT_EQ(F32ToF16(value), half) << bits;
  }
}

// A float between two neighbouring halves rounds to the nearer one, a midpoint to the even one.
TEST(FloatFormats, HalfRounding) {
  for (uint32_t bits = 0; bits < 0x7bff; ++bits) {
    const float low = F16ToF32(static_cast<uint16_t>(bits));
    const float high = F16ToF32(static_cast<uint16_t>(bits + 1));
    const float middle = low + (high - low) / 2;  // exact: 12 significant bits
    const uint32_t even = bits % 2 == 0 ? bits : bits + 1;
    ASSERT_EQ(F32ToF16(middle), even) << bits;
    ASSERT_EQ(F32ToF16(std::nextafter(middle, 0.0f)), bits) << bits;
    ASSERT_EQ(F32ToF16(std::nextafter(middle, 1e9f)), bits + 1) << bits;
    ASSERT_EQ(F32ToF16(-std::nextafter(middle, 1e9f)), (bits + 1) | 0x8000u) << bits;
  }
  EXPECT_EQ(F32ToF16(65519.996f), 0x7bff);
  EXPECT_EQ(F32ToF16(65520.0f), 0x7c00);
  EXPECT_EQ(F32ToF16(-1e30f), 0xfc00);
}

TEST(FloatFormats, Bf16) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto bf16 = static_cast<uint16_t>(bits);
    const float value = BF16ToF32(bf16);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(BF16ToF32(F32ToBF16(value)))) << bits;
    } else {
      ASSERT_EQ(F32ToBF16(value), bf16) << bits;
    }
  }
  EXPECT_EQ(F32ToBF16(std::bit_cast<float>(0x3f808000u)), 0x3f80);  // a tie rounds to even
  EXPECT_EQ(F32ToBF16(std::bit_cast<float>(0x3f818000u)), 0x3f82);
  EXPECT_EQ(F32ToBF16(std::bit_cast<float>(0x3f808001u)), 0x3f81);
  EXPECT_EQ(F32ToBF16(std::numeric_limits<float>::max()), 0x7f80);
}

Tensor View(GgmlType type, std::vector<uint64_t> shape, const std::vector<uint8_t>& data) {
  Tensor tensor;
  tensor.name = "t";
  tensor.type = type;
  tensor.rank = static_cast<uint32_t>(shape.size());
  std::copy(shape.begin(), shape.end(), tensor.dims.begin());
  tensor.data = data;
  return tensor;
}

TEST(TensorData, EncodedRowsDecodeWithinTheBound) {
  constexpr uint64_t kColumns = 96;
  constexpr uint64_t kRows = 3;
  constexpr uint32_t kSeed = 7;
  std::mt19937 random(kSeed);
  std::normal_distribution<float> normal;
  std::vector<float> values(kColumns * kRows);
  for (float& v : values) v = normal(random);
  for (const GgmlType type : {GgmlType::F32, GgmlType::F16, GgmlType::BF16, GgmlType::Q8_0}) {
    SCOPED_TRACE(::testing::Message() << Traits(type).name << ", seed " << kSeed);
    std::vector<uint8_t> data(values.size() / Traits(type).block_size * Traits(type).block_bytes);
    EncodeRow(type, values, data.data());
    const Tensor tensor = View(type, {kColumns, kRows}, data);
    std::vector<float> row(kColumns);
    for (uint64_t r = 0; r < kRows; ++r) {
      DequantizeRow(tensor, r, row.data());
      for (uint64_t c = 0; c < kColumns; ++c) {
        const float x = values[r * kColumns + c];
        double bound = 0;
        if (type == GgmlType::F16) bound = std::max(std::fabs(x) * 0x1p-11, 0x1p-25);
        if (type == GgmlType::BF16) bound = std::fabs(x) * 0x1p-8;
        if (type == GgmlType::Q8_0) {
          double largest = 0;
          for (uint64_t i = c / 32 * 32; i < c / 32 * 32 + 32; ++i) {
            largest = std::max(largest, std::fabs(static_cast<double>(values[r * kColumns + i])));
          }
          // Half a step, plus the rounding of the scale to f16 times 127 steps, plus a margin for f32 arithmetic.
          bound = largest / 127 * (0.5 + 127 * 0x1p-11 + 1e-4);
        }
        EXPECT_LE(std::fabs(static_cast<double>(row[c]) - x), bound) << "row " << r << ", column " << c;
      }
    }
  }
}

TEST(TensorData, Q8_0Block) {
  std::vector<float> values(32, 0.0f);
  values[0] = -127.0f * 0.5f;
  values[1] = 1.0f;
  values[2] = 0.25f;  // half a step: away from zero
  values[3] = -0.25f;
  values[4] = 63.5f;
  std::vector<uint8_t> data(34);
  EncodeRow(GgmlType::Q8_0, values, data.data());
  EXPECT_EQ(data[0] | data[1] << 8, 0x3800);  // 0.5
  EXPECT_EQ(static_cast<int8_t>(data[2]), -127);
  EXPECT_EQ(static_cast<int8_t>(data[3]), 2);
  EXPECT_EQ(static_cast<int8_t>(data[4]), 1);
  EXPECT_EQ(static_cast<int8_t>(data[5]), -1);
  EXPECT_EQ(static_cast<int8_t>(data[6]), 127);
  EncodeRow(GgmlType::Q8_0, std::vector<float>(32, 0.0f), data.data());
  EXPECT_EQ(data, std::vector<uint8_t>(34, 0));
  // All 256 codes, including -128, which this encoder does not write.
  for (int code = 0; code < 256; ++code) {
    std::fill(data.begin() + 2, data.end(), static_cast<uint8_t>(code));
    data[0] = 0x00;
    data[1] = 0xb8;  // -0.5
    float row[32];
    DequantizeRow(View(GgmlType::Q8_0, {32}, data), 0, row);
    EXPECT_EQ(row[31], -0.5f * static_cast<float>(static_cast<int8_t>(code)));
  }
}

TEST(TensorData, CheckFiniteNamesTheElement) {
  struct Case {
    GgmlType type;
    uint64_t at;  // byte
    std::vector<uint8_t> bytes;
    const char* message;  // null: finite
  };
  constexpr uint64_t kColumns = 64;
  constexpr uint64_t kRows = 50;
  const Case cases[] = {
      {GgmlType::F32,
       4 * (64 * 49 + 63),
       {0, 0, 0x80, 0x7f},
       "the value at element 3199 (row 49, column 63)"},
      {GgmlType::F32, 4 * 65, {1, 0, 0x80, 0xff}, "the value at element 65 (row 1, column 1)"},
      {GgmlType::F32, 0, {0xff, 0xff, 0x7f, 0x7f}, nullptr},
      {GgmlType::F16, 2 * 64, {0, 0xfc}, "the value at element 64 (row 1, column 0)"},
      {GgmlType::F16, 2 * 64, {0xff, 0xfb}, nullptr},
      {GgmlType::BF16, 2 * 3199, {0xc0, 0x7f}, "the value at element 3199 (row 49, column 63)"},
      {GgmlType::BF16, 2 * 3199, {0x7f, 0x7f}, nullptr},
      {GgmlType::Q8_0, 34 * 99, {0, 0x7e}, "the scale of the block at element 3168 (row 49, column 32)"},
      {GgmlType::Q8_0, 34 * 99 + 2, {0xff, 0xff}, nullptr},  // not a scale
  };
  const TempDirectory directory;
  const std::string path = directory.File("x.gguf");
  for (const Case& c : cases) {
    SCOPED_TRACE(::testing::Message() << Traits(c.type).name << " at byte " << c.at);
    Result<GgufWriter> writer = GgufWriter::Create(path);
    ASSERT_TRUE(writer);
    const std::vector<uint64_t> shape = {kColumns, kRows};
    ASSERT_TRUE(writer->AddTensor("blk.0.x", c.type, shape));
    std::vector<uint8_t> data(kColumns * kRows / Traits(c.type).block_size * Traits(c.type).block_bytes);
    std::copy(c.bytes.begin(), c.bytes.end(), data.begin() + static_cast<std::ptrdiff_t>(c.at));
    ASSERT_TRUE(writer->WriteTensorData("blk.0.x", data));
    ASSERT_TRUE(writer->Finish());
    const Result<GgufFile> file = GgufFile::Open(path);
    ASSERT_TRUE(file);
    const Status status = CheckFinite(*file, file->tensors()[0]);
    ASSERT_EQ(status.has_value(), c.message == nullptr);
    if (!status) {
      EXPECT_EQ(status.error().message, path + ": tensor 'blk.0.x': " + c.message + " is not finite");
    }
  }
}

TEST(TensorData, GoldenWeightsAgreeAcrossTypes) {
  // The files hold one model in four types: the coarser ones must be roundings of the f32 one.
  const auto open = [](const char* name) { return GgufFile::Open(DataPath(name)); };
  const Result<GgufFile> exact = open("tiny-f32.gguf");
  ASSERT_TRUE(exact);
  for (const char* name : {"tiny-f16.gguf", "tiny-bf16.gguf", "tiny-q8_0.gguf"}) {
    const Result<GgufFile> file = open(name);
    ASSERT_TRUE(file);
    ASSERT_EQ(file->tensors().size(), exact->tensors().size());
    for (const Tensor& tensor : exact->tensors()) {
      const Tensor* other = file->FindTensor(tensor.name);
      ASSERT_NE(other, nullptr) << tensor.name;
      ASSERT_TRUE(CheckFinite(*file, *other));
      std::vector<float> a(tensor.row_length());
      std::vector<float> b(tensor.row_length());
      DequantizeRow(tensor, tensor.rows() / 2, a.data());
      DequantizeRow(*other, tensor.rows() / 2, b.data());
      double largest = 0;
      for (const float x : a) largest = std::max(largest, std::fabs(static_cast<double>(x)));
      for (size_t i = 0; i < a.size(); ++i) {
        EXPECT_NEAR(a[i], b[i], largest / 127) << name << ", " << tensor.name << ", column " << i;
      }
    }
  }
}

}  // namespace
}  // namespace ggufc::frontend
