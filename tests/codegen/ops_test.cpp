// Every loop op on every target, on special and random values, gives exactly the bits of its definition in ops.def.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "ir/core/builder.h"
#include "run_kernel.h"

namespace ggufc::testing {
namespace {

using ir::Builder;
using ir::OpKind;
using ir::Scalar;
using ir::Type;
using ir::ValueId;

constexpr uint32_t kOpsSeed = 20250117;

template <typename T>
std::vector<T> SpecialValues() {
  using Limits = std::numeric_limits<T>;
  if constexpr (std::is_floating_point_v<T>) {
    return {0.0f,
            -0.0f,
            1.0f,
            -1.0f,
            0.5f,
            1.5f,
            3.0f,
            Limits::min(),
            -Limits::min(),
            Limits::denorm_min(),
            -Limits::denorm_min(),
            Limits::max(),
            Limits::lowest(),
            Limits::infinity(),
            -Limits::infinity(),
            Limits::quiet_NaN(),
            1e-20f,
            16777217.0f,
            8388609.0f};
  } else {
    return {0,  1, static_cast<T>(-1), 2, 3, Limits::min(), Limits::max(), static_cast<T>(Limits::max() - 1),
            100};
  }
}

// Random data: about half special values, half random bits.
template <typename T>
std::vector<T> Data(size_t count, std::mt19937& random) {
  const auto special = SpecialValues<T>();
  std::vector<T> data(count);
  for (T& value : data) {
    if (random() % 2 == 0) {
      value = special[random() % special.size()];
    } else {
      uint64_t bits = random();
      bits = bits << 32 | random();
      std::memcpy(&value, &bits, sizeof(T));
    }
  }
  return data;
}

template <typename T>
bool SameBits(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    // The bits of a NaN result depend on the processor.
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  }
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

template <typename T>
constexpr Scalar kScalar = std::is_same_v<T, float>     ? Scalar::kF32
                           : std::is_same_v<T, int32_t> ? Scalar::kI32
                           : std::is_same_v<T, int16_t> ? Scalar::kI16
                           : std::is_same_v<T, int8_t>  ? Scalar::kI8
                           : std::is_same_v<T, uint8_t> ? Scalar::kU8
                           : std::is_same_v<T, int64_t> ? Scalar::kIndex
                                                        : Scalar::kF16;

class OpsTest : public ::testing::TestWithParam<Variant> {
 protected:
  std::mt19937 random_{kOpsSeed};

  // Runs the op that `emit` makes on many rows. A row has `operands` operands of `in_lanes` lanes of In, side by side in
  // memory. Its `out_lanes` results are compared with those of `expect`, which gets pointers to the row's operands.
  template <typename In, typename Out>
  void Check(const std::string& what, int operands, int in_lanes, int out_lanes,
             const std::function<ValueId(Builder&, const std::vector<ValueId>&)>& emit,
             const std::function<void(const std::vector<const In*>&, Out*)>& expect) {
    constexpr int64_t kRows = 500;
    auto type = [](Scalar scalar, int lanes) {
      return lanes == 1 ? Type::MakeScalar(scalar) : Type::Vector(scalar, lanes);
    };
    const int64_t in_bytes = in_lanes * static_cast<int64_t>(sizeof(In));
    const int64_t out_bytes = out_lanes * static_cast<int64_t>(sizeof(Out));
    const ir::Module module = KernelModule([&](Builder& b, const KernelParams& p) {
      b.For(p.r0, p.r1, 1, [&](ValueId row) {
        std::vector<ValueId> values;
        const ValueId base = b.Mul(row, b.Index(in_bytes * operands));
        for (int i = 0; i < operands; ++i) {
          values.push_back(b.Load(type(kScalar<In>, in_lanes), p.in, b.Add(base, b.Index(i * in_bytes))));
        }
        b.Store(emit(b, values), p.out, b.Mul(row, b.Index(out_bytes)));
      });
    });
    const Code code(module, GetParam());
    auto in = Data<In>(static_cast<size_t>(kRows * operands * in_lanes), random_);
    std::vector<Out> out(static_cast<size_t>(kRows * out_lanes));
    code.RunKernel("k", {in.data(), out.data()}, kRows);
    std::vector<Out> expected(static_cast<size_t>(out_lanes));
    for (int64_t row = 0; row < kRows; ++row) {
      std::vector<const In*> pointers;
      for (int i = 0; i < operands; ++i) pointers.push_back(in.data() + (row * operands + i) * in_lanes);
      expect(pointers, expected.data());
      for (int lane = 0; lane < out_lanes; ++lane) {
        const Out got = out[static_cast<size_t>(row * out_lanes + lane)];
        std::string operands_text;
        for (const In* operand : pointers)
          operands_text += fmt::format(" {}", operand[lane * in_lanes / out_lanes]);
        ASSERT_TRUE(SameBits(got, expected[static_cast<size_t>(lane)]))
            << what << ", seed " << kOpsSeed << ", row " << row << ", lane " << lane << ":" << operands_text
            << " gives " << fmt::format("{}", got) << ", expected "
            << fmt::format("{}", expected[static_cast<size_t>(lane)]);
      }
    }
  }

  template <typename T>
  void Binary(OpKind kind, const std::function<T(T, T)>& f, std::initializer_list<int> lane_counts) {
    for (const int lanes : lane_counts) {
      Check<T, T>(
          fmt::format("{} {} x{}", ir::Info(kind).name, ir::Name(kScalar<T>), lanes), 2, lanes, lanes,
          [&](Builder& b, const auto& v) { return b.Emit(kind, {v[0], v[1]}); },
          [&](const auto& in, T* out) {
            for (int i = 0; i < lanes; ++i) out[i] = f(in[0][i], in[1][i]);
          });
    }
  }

  template <typename In, typename Out>
  void Convert(const std::function<Out(In)>& f, std::initializer_list<int> lane_counts) {
    for (const int lanes : lane_counts) {
      const Type to = lanes == 1 ? Type::MakeScalar(kScalar<Out>) : Type::Vector(kScalar<Out>, lanes);
      Check<In, Out>(
          fmt::format("convert {} {} x{}", ir::Name(kScalar<In>), ir::Name(kScalar<Out>), lanes), 1, lanes,
          lanes, [&](Builder& b, const auto& v) { return b.Convert(v[0], to); },
          [&](const auto& in, Out* out) {
            for (int i = 0; i < lanes; ++i) out[i] = f(in[0][i]);
          });
    }
  }
};

// Wraparound without signed overflow in the test itself.
template <typename T>
T Wrap(uint64_t value) {
  return static_cast<T>(value);
}

TEST_P(OpsTest, FloatArithmetic) {
  Binary<float>(OpKind::kAdd, [](float a, float b) { return a + b; }, {1, 16});
  Binary<float>(OpKind::kSub, [](float a, float b) { return a - b; }, {1, 16});
  Binary<float>(OpKind::kMul, [](float a, float b) { return a * b; }, {1, 16});
  Binary<float>(OpKind::kDiv, [](float a, float b) { return a / b; }, {1, 16});
  Binary<float>(OpKind::kMin, [](float a, float b) { return a < b ? a : b; }, {1, 16});
  Binary<float>(OpKind::kMax, [](float a, float b) { return a > b ? a : b; }, {1, 16});
}

TEST_P(OpsTest, FloatUnary) {
  for (const int lanes : {1, 16}) {
    Check<float, float>(
        "sqrt", 1, lanes, lanes, [](Builder& b, const auto& v) { return b.Emit(OpKind::kSqrt, {v[0]}); },
        [&](const auto& in, float* out) {
          for (int i = 0; i < lanes; ++i) out[i] = std::sqrt(in[0][i]);
        });
    Check<float, float>(
        "abs", 1, lanes, lanes, [](Builder& b, const auto& v) { return b.Emit(OpKind::kAbs, {v[0]}); },
        [&](const auto& in, float* out) {
          for (int i = 0; i < lanes; ++i) out[i] = std::fabs(in[0][i]);
        });
    Check<int32_t, int32_t>(
        "abs", 1, lanes, lanes, [](Builder& b, const auto& v) { return b.Emit(OpKind::kAbs, {v[0]}); },
        [&](const auto& in, int32_t* out) {
          for (int i = 0; i < lanes; ++i) {
            const int64_t x = in[0][i];
            out[i] = Wrap<int32_t>(static_cast<uint64_t>(x < 0 ? -x : x));
          }
        });
  }
}

template <typename T>
uint64_t Wide(T value) {
  return static_cast<uint64_t>(static_cast<int64_t>(value));
}

TEST_P(OpsTest, IntegerArithmetic) {
  auto check = [&]<typename T>(T, std::initializer_list<int> lanes) {
    constexpr uint64_t kCountMask = sizeof(T) * 8 - 1;
    Binary<T>(OpKind::kAdd, [](T a, T b) { return Wrap<T>(Wide(a) + Wide(b)); }, lanes);
    Binary<T>(OpKind::kSub, [](T a, T b) { return Wrap<T>(Wide(a) - Wide(b)); }, lanes);
    Binary<T>(OpKind::kMul, [](T a, T b) { return Wrap<T>(Wide(a) * Wide(b)); }, lanes);
    Binary<T>(OpKind::kMin, [](T a, T b) { return std::min(a, b); }, lanes);
    Binary<T>(OpKind::kMax, [](T a, T b) { return std::max(a, b); }, lanes);
    Binary<T>(OpKind::kAnd, [](T a, T b) { return static_cast<T>(a & b); }, lanes);
    Binary<T>(OpKind::kOr, [](T a, T b) { return static_cast<T>(a | b); }, lanes);
    Binary<T>(OpKind::kXor, [](T a, T b) { return static_cast<T>(a ^ b); }, lanes);
    for (const int n : lanes) {
      const Type type = n == 1 ? Type::MakeScalar(kScalar<T>) : Type::Vector(kScalar<T>, n);
      auto shift = [&](OpKind kind, const std::function<T(T, T)>& f) {
        Check<T, T>(
            ir::Info(kind).name, 2, n, n,
            [&](Builder& b, const auto& v) {
              return b.Emit(
                  kind, {v[0], b.Emit(OpKind::kAnd, {v[1], b.Const(type, static_cast<double>(kCountMask))})});
            },
            [&](const auto& in, T* out) {
              for (int i = 0; i < n; ++i)
                out[i] = f(in[0][i], static_cast<T>(in[1][i] & static_cast<T>(kCountMask)));
            });
      };
      shift(OpKind::kShl, [](T a, T b) { return Wrap<T>(Wide(a) << b); });
      shift(OpKind::kShr, [](T a, T b) { return static_cast<T>(a >> b); });
    }
  };
  check(int32_t{}, {1, 16});
  check(int16_t{}, {16, 32});
  check(int64_t{}, {1});
}

TEST_P(OpsTest, IndexDivisionIsUnsigned) {
  for (const OpKind kind : {OpKind::kDiv, OpKind::kRem}) {
    Check<int64_t, int64_t>(
        ir::Info(kind).name, 2, 1, 1,
        [&](Builder& b, const auto& v) {
          return b.Emit(kind, {v[0], b.Emit(OpKind::kOr, {v[1], b.Index(1)})});
        },
        [&](const auto& in, int64_t* out) {
          const auto a = static_cast<uint64_t>(in[0][0]), b = static_cast<uint64_t>(in[1][0] | 1);
          out[0] = static_cast<int64_t>(kind == OpKind::kDiv ? a / b : a % b);
        });
  }
}

TEST_P(OpsTest, CompareAndSelect) {
  auto check = [&]<typename T, typename F>(T, OpKind kind, const F& f, int lanes) {
    Check<T, T>(
        fmt::format("{} {}", ir::Info(kind).name, ir::Name(kScalar<T>)), 4, lanes, lanes,
        [&](Builder& b, const auto& v) {
          return b.Emit(OpKind::kSelect, {b.Emit(kind, {v[0], v[1]}), v[2], v[3]});
        },
        [&](const auto& in, T* out) {
          for (int i = 0; i < lanes; ++i) out[i] = f(in[0][i], in[1][i]) ? in[2][i] : in[3][i];
        });
  };
  auto all = [&]<typename T>(T, int lanes) {
    check(T{}, OpKind::kCmpLt, [](T a, T b) { return a < b; }, lanes);
    check(T{}, OpKind::kCmpLe, [](T a, T b) { return a <= b; }, lanes);
    check(T{}, OpKind::kCmpEq, [](T a, T b) { return a == b; }, lanes);
  };
  for (const int lanes : {1, 16}) {
    all(float{}, lanes);
    all(int32_t{}, lanes);
  }
  all(int64_t{}, 1);
}

TEST_P(OpsTest, ScalarConditionSelectsWholeVectors) {
  Check<float, float>(
      "select", 2, 16, 16,
      [](Builder& b, const auto& v) {
        const ValueId sum = b.Emit(OpKind::kReduceMax, {v[0]});
        return b.Emit(OpKind::kSelect, {b.Emit(OpKind::kCmpLt, {sum, b.F32(1e30)}), v[0], v[1]});
      },
      [](const auto& in, float* out) {
        float m[16];
        std::copy_n(in[0], 16, m);
        for (int h = 8; h >= 1; h /= 2)
          for (int i = 0; i < h; ++i) m[i] = m[i] > m[i + h] ? m[i] : m[i + h];
        for (int i = 0; i < 16; ++i) out[i] = m[0] < 1e30f ? in[0][i] : in[1][i];
      });
}

TEST_P(OpsTest, ReduceUsesTheFixedTree) {
  auto check = [&]<typename T, typename F>(T, OpKind kind, const F& f) {
    Check<T, T>(
        ir::Info(kind).name, 1, 16, 1, [&](Builder& b, const auto& v) { return b.Emit(kind, {v[0]}); },
        [&](const auto& in, T* out) {
          T m[16];
          std::copy_n(in[0], 16, m);
          for (int h = 8; h >= 1; h /= 2)
            for (int i = 0; i < h; ++i) m[i] = f(m[i], m[i + h]);
          out[0] = m[0];
        });
  };
  check(float{}, OpKind::kReduceAdd, [](float a, float b) { return a + b; });
  check(float{}, OpKind::kReduceMax, [](float a, float b) { return a > b ? a : b; });
  check(int32_t{}, OpKind::kReduceAdd, [](int32_t a, int32_t b) { return Wrap<int32_t>(Wide(a) + Wide(b)); });
  check(int32_t{}, OpKind::kReduceMax, [](int32_t a, int32_t b) { return std::max(a, b); });
}

TEST_P(OpsTest, SplatIotaConstBitcast) {
  Check<int32_t, int32_t>(
      "splat", 1, 1, 16, [](Builder& b, const auto& v) { return b.Splat(v[0]); },
      [](const auto& in, int32_t* out) { std::fill_n(out, 16, in[0][0]); });
  Check<int32_t, int32_t>(
      "iota", 1, 16, 16,
      [](Builder& b, const auto& v) { return b.Add(v[0], b.Emit(OpKind::kIota, {}, {}, ir::I32x16())); },
      [](const auto& in, int32_t* out) {
        for (int i = 0; i < 16; ++i) out[i] = Wrap<int32_t>(Wide(in[0][i]) + static_cast<uint64_t>(i));
      });
  Check<int32_t, int32_t>(
      "const as a bit pattern", 1, 16, 16,
      [](Builder& b, const auto& v) { return b.Emit(OpKind::kXor, {v[0], b.I32V(4294967295)}); },
      [](const auto& in, int32_t* out) {
        for (int i = 0; i < 16; ++i) out[i] = ~in[0][i];
      });
  Check<float, float>(
      "const", 1, 16, 16, [](Builder& b, const auto& v) { return b.Mul(v[0], b.F32V(0.1)); },
      [](const auto& in, float* out) {
        for (int i = 0; i < 16; ++i) out[i] = in[0][i] * 0.1f;
      });
  Check<float, int32_t>(
      "bitcast", 1, 16, 16, [](Builder& b, const auto& v) { return b.Bitcast(v[0], ir::I32x16()); },
      [](const auto& in, int32_t* out) { std::memcpy(out, in[0], 64); });
  Check<int32_t, float>(
      "bitcast", 1, 1, 1, [](Builder& b, const auto& v) { return b.Bitcast(v[0], ir::F32Type()); },
      [](const auto& in, float* out) { std::memcpy(out, in[0], 4); });
}

TEST_P(OpsTest, Conversions) {
  Convert<int8_t, int16_t>([](int8_t x) { return x; }, {16, 32});
  Convert<uint8_t, int16_t>([](uint8_t x) { return x; }, {16, 32});
  Convert<int8_t, int32_t>([](int8_t x) { return x; }, {1, 16});
  Convert<int16_t, int32_t>([](int16_t x) { return x; }, {1, 16});
  Convert<int32_t, float>([](int32_t x) { return static_cast<float>(x); }, {1, 16});
  Convert<int32_t, int16_t>([](int32_t x) { return Wrap<int16_t>(Wide(x)); }, {1, 16});
  Convert<int32_t, int8_t>([](int32_t x) { return Wrap<int8_t>(Wide(x)); }, {1, 16});
  Convert<int16_t, int8_t>([](int16_t x) { return Wrap<int8_t>(Wide(x)); }, {16, 32});
  Convert<int32_t, int64_t>([](int32_t x) { return x; }, {1});
  Convert<int64_t, int32_t>([](int64_t x) { return Wrap<int32_t>(Wide(x)); }, {1});
}

TEST_P(OpsTest, DotI16) {
  Check<int16_t, int32_t>(
      "dot_i16", 3, 32, 16,
      [](Builder& b, const auto& v) {
        return b.Emit(OpKind::kDotI16, {b.Bitcast(v[0], ir::I32x16()), v[1], v[2]});
      },
      [](const auto& in, int32_t* out) {
        std::memcpy(out, in[0], 64);
        for (int i = 0; i < 16; ++i) {
          uint64_t sum = Wide(out[i]);
          for (int j = 2 * i; j < 2 * i + 2; ++j) sum += Wide(in[1][j]) * Wide(in[2][j]);
          out[i] = Wrap<int32_t>(sum);
        }
      });
}

TEST_P(OpsTest, DotU8) {
  const Type u8 = Type::Vector(Scalar::kU8, 64);
  for (const bool seven : {false, true}) {
    const OpKind kind = seven ? OpKind::kDotU8S7 : OpKind::kDotU8S8;
    // dot_u8s7 needs |a| <= 63: take the upper seven bits, with -64 changed to -63.
    auto activation = [seven](int8_t a) { return seven ? std::max(a >> 1, -63) : a; };
    Check<int8_t, int32_t>(
        ir::Info(kind).name, 3, 64, 16,
        [&](Builder& b, const auto& v) {
          ValueId a = v[2];
          if (seven) {
            const Type i8 = Type::Vector(Scalar::kI8, 64);
            a = b.Max(b.Emit(OpKind::kShr, {a, b.Const(i8, 1)}), b.Const(i8, -63));
          }
          return b.Emit(kind, {b.Bitcast(v[0], ir::I32x16()), b.Bitcast(v[1], u8), a});
        },
        [&](const auto& in, int32_t* out) {
          std::memcpy(out, in[0], 64);
          for (int i = 0; i < 16; ++i) {
            uint64_t sum = Wide(out[i]);
            for (int j = 4 * i; j < 4 * i + 4; ++j) {
              sum += Wide(static_cast<uint8_t>(in[1][j])) * Wide(activation(in[2][j]));
            }
            out[i] = Wrap<int32_t>(sum);
          }
        });
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, OpsTest, ::testing::ValuesIn(Variants()),
                         [](const auto& info) { return info.param.Name(); });

}  // namespace
}  // namespace ggufc::testing
