// The float ops that some targets emulate: fma against the C library, f16 and bf16 conversion for all bit patterns.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>

#include "ir/core/builder.h"
#include "run_kernel.h"

namespace ggufc::testing {
namespace {

using ir::Builder;
using ir::Scalar;
using ir::Type;
using ir::ValueId;

constexpr uint32_t kFloatSeed = 41;

class FloatTest : public ::testing::TestWithParam<Variant> {};

// out[i] = a[i] * b[i] + c[i], 16 lanes per row; a row of the input holds a, b and c side by side.
Code FmaKernel(const Variant& variant, bool scalar) {
  return Code(KernelModule([&](Builder& b, const KernelParams& p) {
                b.For(p.r0, p.r1, 1, [&](ValueId row) {
                  const int64_t bytes = scalar ? 4 : 64;
                  const Type type = scalar ? ir::F32Type() : ir::F32x16();
                  ValueId v[3];
                  for (int i = 0; i < 3; ++i) {
                    v[i] = b.Load(type, p.in, b.Add(b.Mul(row, b.Index(3 * bytes)), b.Index(i * bytes)));
                  }
                  b.Store(b.Fma(v[0], v[1], v[2]), p.out, b.Mul(row, b.Index(bytes)));
                });
              }),
              variant);
}

float FromBits(uint32_t bits) { return std::bit_cast<float>(bits); }

struct Triple {
  float a, b, c;
};

void ExpectFma(const Code& code, const std::vector<Triple>& triples, const std::string& what) {
  const size_t rows = (triples.size() + 15) / 16;
  std::vector<float> in(rows * 48), out(rows * 16);
  for (size_t i = 0; i < triples.size(); ++i) {
    float* row = in.data() + i / 16 * 48 + i % 16;
    row[0] = triples[i].a, row[16] = triples[i].b, row[32] = triples[i].c;
  }
  code.RunKernel("k", {in.data(), out.data()}, static_cast<int64_t>(rows));
  for (size_t i = 0; i < triples.size(); ++i) {
    const auto [a, b, c] = triples[i];
    const float expected = std::fmaf(a, b, c);
    if (std::isnan(expected) && std::isnan(out[i])) continue;
    ASSERT_EQ(std::bit_cast<uint32_t>(out[i]), std::bit_cast<uint32_t>(expected))
        << what << ", seed " << kFloatSeed << ", case " << i << fmt::format(": fma({:a}, {:a}, {:a})", a, b, c);
  }
}

// A float whose exponent is near `exponent` and whose mantissa has few set (or few clear) bits at its ends. Products and
// sums of such floats are often midpoints between two floats or next to one.
float NearTie(std::mt19937& random, int exponent) {
  uint32_t mantissa = 0;
  for (int i = static_cast<int>(random() % 3); i >= 0; --i) {
    mantissa ^= uint32_t{1} << (random() % 2 == 0 ? random() % 4 : 22 - random() % 12);
  }
  if (random() % 4 == 0) mantissa = ~mantissa;
  const int biased = std::clamp(exponent + static_cast<int>(random() % 5) - 2 + 127, 0, 254);
  return FromBits((static_cast<uint32_t>(random()) & 0x80000000u) | static_cast<uint32_t>(biased) << 23 |
                  (mantissa & 0x7fffff));
}

TEST_P(FloatTest, FmaRoundsOnce) {
  const Code code = FmaKernel(GetParam(), false);
  std::mt19937 random(kFloatSeed);
  constexpr size_t kCases = 1 << 20;
  std::vector<Triple> triples(kCases);
  for (Triple& t : triples) {
    t = {FromBits(static_cast<uint32_t>(random())), FromBits(static_cast<uint32_t>(random())),
         FromBits(static_cast<uint32_t>(random()))};
  }
  ExpectFma(code, triples, "random bits");
  for (Triple& t : triples) {
    const int ea = static_cast<int>(random() % 60) - 30, eb = static_cast<int>(random() % 60) - 30;
    // The magnitude of c ranges from far above the product's to far below.
    t = {NearTie(random, ea), NearTie(random, eb),
         NearTie(random, ea + eb + static_cast<int>(random() % 80) - 54)};
  }
  ExpectFma(code, triples, "near ties");
  for (Triple& t : triples) {
    const int ea = -static_cast<int>(random() % 127), sum = -static_cast<int>(random() % 60) - 110;
    t = {NearTie(random, ea), NearTie(random, sum - ea),
         NearTie(random, -150 + static_cast<int>(random() % 60))};
  }
  ExpectFma(code, triples, "subnormal results");
  for (Triple& t : triples) {
    // c is -(a b) rounded, or a neighbour of it: only the low half of the product remains.
    const float a = NearTie(random, 3), b = NearTie(random, -5);
    t = {a, b,
         std::bit_cast<float>(std::bit_cast<uint32_t>(-(a * b)) + static_cast<uint32_t>(random() % 3) - 1)};
  }
  ExpectFma(code, triples, "cancellation");
}

TEST_P(FloatTest, FmaOfSpecialValues) {
  const float inf = std::numeric_limits<float>::infinity();
  const float values[] = {0.0f,
                          -0.0f,
                          1.0f,
                          -1.0f,
                          inf,
                          -inf,
                          std::nanf(""),
                          0x1p-149f,
                          -0x1p-149f,
                          0x1p-126f,
                          0x1.fffffep127f,
                          -0x1.fffffep127f,
                          0x1p103f,
                          -0x1p103f,
                          0x1p102f,
                          0x1.000002p0f,
                          0x1.fffffep-1f,
                          0x1p-75f,
                          0x1p-24f};
  std::vector<Triple> triples;
  for (const float a : values) {
    for (const float b : values) {
      for (const float c : values) triples.push_back({a, b, c});
    }
  }
  ExpectFma(FmaKernel(GetParam(), false), triples, "special values");
  const Code scalar = FmaKernel(GetParam(), true);
  for (const Triple& t : triples) {
    float out = 0;
    Triple in = t;
    scalar.RunKernel("k", {&in, &out}, 1);
    const float expected = std::fmaf(t.a, t.b, t.c);
    if (std::isnan(expected) && std::isnan(out)) continue;
    ASSERT_EQ(std::bit_cast<uint32_t>(out), std::bit_cast<uint32_t>(expected))
        << fmt::format("scalar fma({:a}, {:a}, {:a})", t.a, t.b, t.c);
  }
}

// `convert` to f32 of all 65,536 bit patterns of a 16-bit float type.
std::vector<uint32_t> ConvertAll(const Variant& variant, Scalar from, int lanes) {
  const Code code(KernelModule([&](Builder& b, const KernelParams& p) {
                    b.For(p.r0, p.r1, 1, [&](ValueId row) {
                      const Type half = lanes == 1 ? Type::MakeScalar(from) : Type::Vector(from, lanes);
                      const ValueId x = b.Load(half, p.in, b.Mul(row, b.Index(2 * lanes)));
                      b.Store(b.Convert(x, half.With(Scalar::kF32)), p.out, b.Mul(row, b.Index(4 * lanes)));
                    });
                  }),
                  variant);
  std::vector<uint16_t> in(65536);
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<uint16_t>(i);
  std::vector<uint32_t> out(in.size());
  code.RunKernel("k", {in.data(), out.data()}, static_cast<int64_t>(in.size()) / lanes);
  return out;
}

// The value of an f16 by the definition of IEEE binary16.
float HalfValue(uint32_t bits) {
  const uint32_t exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const float sign = bits >> 15 ? -1.0f : 1.0f;
  if (exponent == 31) return mantissa == 0 ? sign * std::numeric_limits<float>::infinity() : std::nanf("");
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -24);
  return sign * std::ldexp(static_cast<float>(mantissa + 1024), static_cast<int>(exponent) - 25);
}

TEST_P(FloatTest, EveryHalf) {
  for (const int lanes : {1, 16}) {
    const auto out = ConvertAll(GetParam(), Scalar::kF16, lanes);
    for (uint32_t i = 0; i < out.size(); ++i) {
      const float expected = HalfValue(i);
      if (std::isnan(expected)) {
        // A quiet NaN with the same sign and payload, as from vcvtph2ps.
        ASSERT_EQ(out[i], (i & 0x8000) << 16 | 0x7fc00000 | (i & 1023) << 13) << i << " x" << lanes;
      } else {
        ASSERT_EQ(out[i], std::bit_cast<uint32_t>(expected)) << i << " x" << lanes;
      }
    }
  }
}

TEST_P(FloatTest, EveryBrainFloat) {
  for (const int lanes : {1, 16}) {
    const auto out = ConvertAll(GetParam(), Scalar::kBF16, lanes);
    for (uint32_t i = 0; i < out.size(); ++i) ASSERT_EQ(out[i], i << 16) << i << " x" << lanes;
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, FloatTest, ::testing::ValuesIn(Variants()),
                         [](const auto& info) { return info.param.Name(); });

}  // namespace
}  // namespace ggufc::testing
