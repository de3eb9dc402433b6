// Layouts against their definition in weight_layout.h, element by element.
#include "ir/core/weight_layout.h"

#include <cmath>
#include <cstring>

#include "ir/interpret/random_weights.h"
#include "ir_test_util.h"
#include "support/float_formats.h"

namespace ggufc::ir {
namespace {

template <typename T>
T At(const std::vector<uint8_t>& bytes, size_t offset) {
  T value;
  EXPECT_LE(offset + sizeof(T), bytes.size());
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

Weight MakeWeight(Type type, int64_t pack = 0, int64_t unit = 0) {
  Weight weight;
  weight.name = "w";
  weight.type = type;
  weight.pack = pack;
  weight.unit = unit;
  return weight;
}

std::vector<float> Ramp(size_t n) {
  std::vector<float> values(n);
  for (size_t i = 0; i < n; ++i) values[i] = static_cast<float>(static_cast<int>(i * 37 % 255) - 127);
  return values;
}

TEST(FloatBits, HalfPrecisionRoundTripsAndRounds) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = F16ToF32(static_cast<uint16_t>(bits));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(F16ToF32(F32ToF16(value))));
    } else {
      EXPECT_EQ(F32ToF16(value), bits);
    }
  }
  EXPECT_EQ(F16ToF32(0x3c00), 1.0f);
  EXPECT_EQ(F16ToF32(0x0001), 0x1p-24f);
  EXPECT_EQ(F16ToF32(0x7bff), 65504.0f);
  EXPECT_EQ(F32ToF16(65519.0f), 0x7bff);
  EXPECT_EQ(F32ToF16(65520.0f), 0x7c00);
  EXPECT_EQ(F32ToF16(1.0f + 0x1p-11f), 0x3c00);      // a tie, to even
  EXPECT_EQ(F32ToF16(1.0f + 3 * 0x1p-11f), 0x3c02);  // a tie, to even
  EXPECT_EQ(F32ToF16(0x1p-25f), 0);                  // a tie, to even
  EXPECT_EQ(F32ToBF16(1.0f + 0x1p-8f), 0x3f80);      // a tie, to even
  EXPECT_EQ(F32ToBF16(1.0f + 3 * 0x1p-8f), 0x3f82);  // a tie, to even
  EXPECT_EQ(BF16ToF32(0xc0a0), -5.0f);
}

// Like runtime/exec/weight_packer.h. Rounding 0.5 x 0.7 x 0.408 after each factor would give another float.
TEST(WeightLayout, ChainedScalesRoundOnce) {
  const Module module = MustParse(R"(module @m stage graph
    weight @g : f32[3]
    weight @a = scale(@g) : f32[3] {factor=0.7}
    weight @b = scale(@a) : f32[3] {factor=0.4082482904638631})");
  const std::vector<float> values = {3, 0.5f, -0.3f};
  const auto tensor = [&](const Module& m, WeightId id) -> Result<std::vector<uint8_t>> {
    return Encode(m.weight(id).type, values);
  };
  const Result<std::vector<uint8_t>> bytes = DerivedBytes(module, {2}, tensor);
  ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
  bool differs = false;
  for (size_t i = 0; i < values.size(); ++i) {
    const float once = static_cast<float>(values[i] * (0.4082482904638631 * 0.7));
    EXPECT_EQ(At<float>(*bytes, 4 * i), once);
    differs |= static_cast<float>(static_cast<float>(values[i] * 0.7) * 0.4082482904638631) != once;
  }
  EXPECT_TRUE(differs) << "one rounding and two give equal results for these values";
}

TEST(WeightLayout, EncodeAndDequantizeAgree) {
  const std::vector<float> values = Ramp(3 * 64);
  for (const Scalar scalar : {Scalar::kF32, Scalar::kF16, Scalar::kBF16, Scalar::kQ8_0}) {
    const Type type = Type::Tensor(scalar, 3, 64);
    const std::vector<uint8_t> bytes = Encode(type, values);
    ASSERT_EQ(static_cast<int64_t>(bytes.size()), FileBytes(type));
    const std::vector<double> back = Dequantize(type, bytes);
    for (size_t i = 0; i < values.size(); ++i) {
      // Whole numbers of 7 bits are exact in all formats but q8_0. There the scale, max / 127, is rounded to 11 bits and
      // each quotient is off by at most half a step.
      const double limit = scalar == Scalar::kQ8_0 ? 0.5 + 128 * 0x1p-11 : 0;
      EXPECT_NEAR(back[i], values[i], limit) << Name(scalar) << " " << i;
    }
  }
}

TEST(WeightLayout, FileSizes) {
  EXPECT_EQ(FileBytes(Type::Tensor(Scalar::kQ8_0, 5, 64)), 5 * 2 * 34);
  EXPECT_EQ(FileBytes(Type::Tensor(Scalar::kBF16, 5, 7)), 70);
  EXPECT_EQ(FileBytes(Type::Tensor(Scalar::kF32, 5)), 20);
}

// 40 rows in units of 20: each unit has two panels, the second with 4 rows.
TEST(WeightLayout, PacksQuantisedPanels) {
  constexpr int64_t kRows = 40, kColumns = 64, kUnit = 20;
  const Type type = Type::Tensor(Scalar::kQ8_0, kRows, kColumns);
  const std::vector<uint8_t> bytes = Encode(type, Ramp(kRows * kColumns));
  for (const int64_t pack : {2, 4}) {
    const std::vector<uint8_t> packed = PackedBytes(MakeWeight(type, pack, kUnit), bytes);
    const size_t panel_bytes = (kColumns * 16 + kColumns / 32 * 32 + 63) / 64 * 64;
    ASSERT_EQ(packed.size(), 4 * panel_bytes);
    for (int64_t panel = 0; panel < 4; ++panel) {
      for (int64_t c = 0; c < 16; ++c) {
        const int64_t in_unit = panel % 2 * 16 + c;
        const bool padding = in_unit >= kUnit;
        const int64_t row = panel / 2 * kUnit + in_unit;
        for (int64_t k = 0; k < kColumns; ++k) {
          const auto w = padding ? int8_t{0} : At<int8_t>(bytes, (row * 2 + k / 32) * 34 + 2 + k % 32);
          const size_t at = panel * panel_bytes + k / pack * 16 * pack + c * pack + k % pack;
          if (pack == 2) {
            EXPECT_EQ(At<int8_t>(packed, at), w) << panel << " " << c << " " << k;
          } else {
            EXPECT_EQ(At<uint8_t>(packed, at), w + 128) << panel << " " << c << " " << k;
          }
        }
        for (int64_t b = 0; b < 2; ++b) {
          const uint16_t scale = padding ? uint16_t{0} : At<uint16_t>(bytes, (row * 2 + b) * 34);
          EXPECT_EQ(At<uint16_t>(packed, panel * panel_bytes + kColumns * 16 + (b * 16 + c) * 2), scale);
        }
      }
    }
  }
}

TEST(WeightLayout, PacksFloatPanels) {
  const std::vector<float> values = Ramp(18 * 5);
  const Type type = Type::Tensor(Scalar::kF16, 18, 5);
  const std::vector<uint8_t> packed = PackedBytes(MakeWeight(type, 1, 18), Encode(type, values));
  const size_t panel_bytes = (5 * 16 * 2 + 63) / 64 * 64;
  ASSERT_EQ(packed.size(), 2 * panel_bytes);
  for (size_t row = 0; row < 32; ++row) {
    for (size_t k = 0; k < 5; ++k) {
      const uint16_t half = At<uint16_t>(packed, row / 16 * panel_bytes + (k * 16 + row % 16) * 2);
      EXPECT_EQ(F16ToF32(half), row < 18 ? values[row * 5 + k] : 0.0f) << row << " " << k;
    }
  }
}

TEST(WeightLayout, VectorsArePaddedAndTablesUnchanged) {
  const Type vector = Type::Tensor(Scalar::kF32, 20);
  const std::vector<uint8_t> packed = PackedBytes(MakeWeight(vector), Encode(vector, Ramp(20)));
  ASSERT_EQ(packed.size(), 32 * sizeof(float));
  for (size_t i = 0; i < 32; ++i) EXPECT_EQ(At<float>(packed, 4 * i), i < 20 ? Ramp(20)[i] : 0.0f);
  const Type table = Type::Tensor(Scalar::kF32, 3, 5);
  EXPECT_EQ(PackedBytes(MakeWeight(table), Encode(table, Ramp(15))), Encode(table, Ramp(15)));
}

TEST(WeightLayout, DerivedWeights) {
  const Module module = MustParse(R"(module @m stage graph
    weight @a : f32[3,2]
    weight @b : f32[3,2]
    weight @g : f32[2]
    weight @ab = concat(@a, @b) : f32[6,2]
    weight @mix = interleave(@a, @b) : f32[8,2] {granule=2}
    weight @half = scale(@g) : f32[2] {factor=0.1}
    weight @rope = rope_table : f32[3,4] {factor=100}
    func @forward(%i: i32[T]) -> (f32[B,2]) {
      %x = embed %i, @a {scale=1} : f32[T,2]
      %p = mean_pool %x : f32[B,2]
      return %p
    })");
  ASSERT_TRUE(Verify(module));
  const WeightSource source =
      NamedWeights({{"a", {1, 2, 3, 4, 5, 6}}, {"b", {11, 12, 13, 14, 15, 16}}, {"g", {3, 7}}});
  const auto floats = [&](const char* name) {
    const auto values = source.floats(module, *module.FindWeight(name));
    EXPECT_TRUE(values);
    return values ? *values : std::vector<double>();
  };
  EXPECT_EQ(floats("ab"), (std::vector<double>{1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16}));
  EXPECT_EQ(floats("mix"), (std::vector<double>{1, 2, 3, 4, 11, 12, 13, 14, 5, 6, 0, 0, 15, 16, 0, 0}));
  EXPECT_EQ(floats("half"), (std::vector<double>{static_cast<float>(3 * 0.1), static_cast<float>(7 * 0.1)}));
  const std::vector<double> rope = floats("rope");
  ASSERT_EQ(rope.size(), 12u);
  for (int p = 0; p < 3; ++p) {
    for (int i = 0; i < 2; ++i) {
      const double angle = p * (i == 0 ? 1 : 0.1);  // 100^(-2i/4)
      EXPECT_NEAR(rope[p * 4 + i], std::cos(angle), 0x1p-24);
      EXPECT_NEAR(rope[p * 4 + 2 + i], std::sin(angle), 0x1p-24);
    }
  }
}

TEST(WeightLayout, TensorOfTheWrongSizeIsAnError) {
  const Module module = MustParse("module @m stage graph\nweight @a : f32[3,2]\n");
  const WeightSource source = WeightsFromTensors(
      [](const Module&, WeightId) -> Result<std::vector<uint8_t>> { return std::vector<uint8_t>(23); });
  const auto floats = source.floats(module, WeightId{0});
  ASSERT_FALSE(floats);
  EXPECT_EQ(floats.error().message, "weight @a: 23 bytes, expected 24 for f32[3,2]");
}

TEST(WeightLayout, RefusesTooLargeWeights) {
  const Module module =
      MustParse("module @m stage graph\nweight @r = rope_table : f32[2147483648,256] {factor=2}\n");
  const auto floats = RandomWeights(1).floats(module, WeightId{0});
  ASSERT_FALSE(floats);
  EXPECT_EQ(floats.error().message, "weight @r: 2199023255552 bytes (at most 17179869184)");
}

TEST(RandomWeights, DependOnNameAndSeedOnly) {
  const Module one = MustParse("module @m stage graph\nweight @a : q8_0[64,128]\nweight @n : f32[512]\n");
  const Module two = MustParse("module @m stage graph\nweight @z : f32[4]\nweight @a : q8_0[64,128]\n");
  const auto a = RandomWeights(7).floats(one, WeightId{0}), b = RandomWeights(7).floats(two, WeightId{1});
  ASSERT_TRUE(a && b);
  EXPECT_EQ(*a, *b);
  EXPECT_NE(*a, *RandomWeights(8).floats(one, WeightId{0}));
  double squares = 0;
  for (const double x : *a) squares += x * x;
  // 8192 draws of variance 1/128: the sum is 64, with a standard deviation of 64 * sqrt(2 / 8192) = 1.
  EXPECT_NEAR(squares, 64, 5);
  const auto gains = RandomWeights(7).floats(one, WeightId{1});
  ASSERT_TRUE(gains);
  double sum = 0;
  for (const double x : *gains) sum += x;
  EXPECT_NEAR(sum / 512, 1, 5 * 0.1 / std::sqrt(512.0));
}

}  // namespace
}  // namespace ggufc::ir
