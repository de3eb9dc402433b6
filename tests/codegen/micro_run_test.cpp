// Integer and float tiles on every target give exactly the bits of the formula.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>

#include "micro_shapes.h"
#include "run_kernel.h"

namespace ggufc::testing {
namespace {

constexpr uint32_t kMicroRunSeed = 77;

class MicroRunTest : public ::testing::TestWithParam<Variant> {};

template <typename T>
void Put(std::vector<uint8_t>& bytes, int64_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof(T));
}

void CheckTile(const MicroShape& s, const Variant& variant) {
  std::mt19937 random(kMicroRunSeed);
  auto in_range = [&](int64_t lo, int64_t hi) {
    return lo + static_cast<int64_t>(random() % static_cast<uint64_t>(hi - lo + 1));
  };
  const int64_t most = s.pack == 2 ? 32767 : s.seven_bit_dot ? 63 : 127;
  std::vector<uint8_t> a(static_cast<size_t>(s.rows * s.row_stride())),
      w(static_cast<size_t>(s.panel_bytes()));
  std::vector<int64_t> q(static_cast<size_t>(s.rows * s.k)), weights(static_cast<size_t>(16 * s.k));
  for (int64_t& x : q) x = random() % 8 == 0 ? (random() % 2 == 0 ? most : -most) : in_range(-most, most);
  for (int64_t& x : weights) x = random() % 8 == 0 ? -128 : in_range(-128, 127);

  const int64_t blocks = s.k / 32;
  std::vector<float> a_scale(static_cast<size_t>(s.rows * blocks)), w_scale(static_cast<size_t>(16 * blocks));
  for (int row = 0; row < s.rows; ++row) {
    const int64_t base = row * s.row_stride();
    for (int64_t k = 0; k < s.k; ++k) {
      const int64_t value = q[static_cast<size_t>(row * s.k + k)];
      if (s.pack == 2) Put(a, base + 2 * k, static_cast<int16_t>(value));
      if (s.pack == 4) Put(a, base + k, static_cast<int8_t>(value));
    }
    for (int64_t block = 0; block < blocks; ++block) {
      float& scale = a_scale[static_cast<size_t>(row * blocks + block)];
      scale = static_cast<float>(random() % 100000) * 1e-7f;
      Put(a, base + s.scales_at() + 4 * block, scale);
      int64_t sum = 0;
      for (int64_t k = 0; k < 32; ++k) sum += q[static_cast<size_t>(row * s.k + block * 32 + k)];
      if (s.pack == 4) Put(a, base + s.compensations_at() + 4 * block, static_cast<int32_t>(-128 * sum));
    }
  }
  for (int64_t k = 0; k < s.k; ++k) {
    for (int64_t column = 0; column < 16; ++column) {
      const int64_t value = weights[static_cast<size_t>(column * s.k + k)];
      const int64_t at = (k / s.pack * 16 + column) * s.pack + k % s.pack;
      w[static_cast<size_t>(at)] = static_cast<uint8_t>(s.pack == 4 ? value + 128 : value);
    }
  }
  for (int64_t block = 0; block < blocks; ++block) {
    for (int64_t column = 0; column < 16; ++column) {
      // An f16 with exponent 2^-7 to 2^-4.
      const auto half = static_cast<uint16_t>((8 + random() % 4) << 10 | random() % 1024);
      Put(w, s.panel_scales_at() + (block * 16 + column) * 2, half);
      w_scale[static_cast<size_t>(block * 16 + column)] =
          std::ldexp(static_cast<float>(1024 + half % 1024), (half >> 10) - 25);
    }
  }

  std::vector<float> out(static_cast<size_t>(s.rows * 16), -1.0f);
  Code(MicroModule(s), variant).RunMicro<void*, void*, void*>("mk", a.data(), w.data(), out.data());
  for (int row = 0; row < s.rows; ++row) {
    for (int64_t column = 0; column < 16; ++column) {
      float expected = 0;
      for (int64_t block = 0; block < blocks; ++block) {
        int64_t dot = 0;
        for (int64_t k = block * 32; k < block * 32 + 32; ++k) {
          dot += q[static_cast<size_t>(row * s.k + k)] * weights[static_cast<size_t>(column * s.k + k)];
        }
        const float scale = w_scale[static_cast<size_t>(block * 16 + column)] *
                            a_scale[static_cast<size_t>(row * blocks + block)];
        expected = std::fmaf(static_cast<float>(static_cast<int32_t>(dot)), scale, expected);
      }
      const float got = out[static_cast<size_t>(row * 16 + column)];
      ASSERT_EQ(std::bit_cast<uint32_t>(got), std::bit_cast<uint32_t>(expected))
          << "seed " << kMicroRunSeed << ", pack " << s.pack << ", " << s.rows << " rows, row " << row << ", column "
          << column << ": " << got << ", expected " << expected;
    }
  }
}

TEST_P(MicroRunTest, IntegerTiles) {
  for (const int rows : {1, 5, 12}) {
    for (const bool sums_in_registers : {false, true}) {
      for (const int kind : {0, 1, 2}) {
        MicroShape shape;
        shape.rows = rows;
        shape.k = 160;
        shape.pack = kind == 0 ? 2 : 4;
        shape.seven_bit_dot = kind == 2;
        shape.sums_in_registers = sums_in_registers;
        CheckTile(shape, GetParam());
      }
    }
  }
}

TEST_P(MicroRunTest, FloatTiles) {
  constexpr int64_t kK = 100;
  for (const ir::Scalar weight : {ir::Scalar::kF32, ir::Scalar::kBF16}) {
    for (const int rows : {1, 6, 12}) {
      std::mt19937 random(kMicroRunSeed);
      auto value = [&] {
        return std::bit_cast<float>(
            std::bit_cast<uint32_t>(static_cast<float>(random() % 2000) * 0.01f - 10.0f) & 0xffff0000u);
      };
      std::vector<float> a(static_cast<size_t>(rows * kK)), w(16 * kK), out(static_cast<size_t>(rows * 16));
      for (float& x : a) x = value() * 1.1f;
      for (float& x : w) x = value();
      std::vector<uint16_t> brain(w.size());
      for (size_t i = 0; i < w.size(); ++i)
        brain[i] = static_cast<uint16_t>(std::bit_cast<uint32_t>(w[i]) >> 16);
      void* weights = weight == ir::Scalar::kF32 ? static_cast<void*>(w.data()) : brain.data();
      Code(FloatMicroModule(rows, kK, weight), GetParam())
          .RunMicro<void*, void*, void*>("mk", a.data(), weights, out.data());
      for (int64_t i = 0; i < rows * 16; ++i) {
        float expected = 0;
        for (int64_t k = 0; k < kK; ++k) {
          expected = std::fmaf(a[static_cast<size_t>(i / 16 * kK + k)],
                               w[static_cast<size_t>(k * 16 + i % 16)], expected);
        }
        ASSERT_EQ(std::bit_cast<uint32_t>(out[static_cast<size_t>(i)]), std::bit_cast<uint32_t>(expected))
            << ir::Name(weight) << ", " << rows << " rows, element " << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, MicroRunTest, ::testing::ValuesIn(Variants()),
                         [](const auto& info) { return info.param.Name(); });

}  // namespace
}  // namespace ggufc::testing
