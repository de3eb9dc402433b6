// Algorithm. The angle of position p + 1 is that of p rotated by f(i): one complex product per element. In double that
// would lose 2^-53 per position. In pairs of doubles (106 bits) 90 bits remain after 2048 positions. Frequencies are
// powers of r = theta^(-2/head_dim), which Newton's method finds from an approximation. The sine and cosine of one
// rotation are Taylor series. No step needs an exact library function or an argument reduction.
#include "runtime/exec/rope_table.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "support/check.h"

namespace ggufc::runtime {
namespace {

// hi + lo, |lo| <= ulp(hi) / 2. Algorithms of Dekker (1971) and Knuth, without fused multiply-add, which the baseline
// does not have.
struct Pair {
  double hi = 0, lo = 0;
};

inline Pair FastTwoSum(double a, double b) {  // |a| >= |b|
  const double sum = a + b;
  return {sum, b - (sum - a)};
}

inline Pair TwoSum(double a, double b) {
  const double sum = a + b;
  const double part = sum - a;
  return {sum, (a - (sum - part)) + (b - part)};
}

inline Pair TwoProduct(double a, double b) {
  constexpr double kSplit = 134217729.0;  // 2^27 + 1: halves of 26 bits, whose products are exact
  const double a_big = kSplit * a, b_big = kSplit * b;
  const double a_hi = a_big - (a_big - a), b_hi = b_big - (b_big - b);
  const double a_lo = a - a_hi, b_lo = b - b_hi;
  const double product = a * b;
  return {product, ((a_hi * b_hi - product) + a_hi * b_lo + a_lo * b_hi) + a_lo * b_lo};
}

inline Pair Add(Pair a, Pair b) {
  const Pair hi = TwoSum(a.hi, b.hi);
  const Pair lo = TwoSum(a.lo, b.lo);
  const Pair sum = FastTwoSum(hi.hi, hi.lo + lo.hi);
  return FastTwoSum(sum.hi, sum.lo + lo.lo);
}

inline Pair Multiply(Pair a, Pair b) {
  const Pair product = TwoProduct(a.hi, b.hi);
  return FastTwoSum(product.hi, product.lo + (a.hi * b.lo + a.lo * b.hi));
}

inline Pair Negate(Pair a) { return {-a.hi, -a.lo}; }

inline Pair Divide(Pair a, double b) {
  const double quotient = a.hi / b;
  const Pair back = TwoProduct(quotient, b);
  return FastTwoSum(quotient, ((a.hi - back.hi) - back.lo + a.lo) / b);
}

Pair Power(Pair base, int64_t exponent) {
  Pair result{1, 0};
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2 != 0) result = Multiply(result, base);
    base = Multiply(base, base);
  }
  return result;
}

// theta^(-1/n). Newton on theta * r^n = 1: r += r * (1 - theta * r^n) / n squares the guess's error of 2^-50.
Pair InverseRoot(double theta, int64_t n) {
  Pair r{std::pow(theta, -1.0 / static_cast<double>(n)), 0};
  for (int i = 0; i < 2; ++i) {
    const Pair error = Add({1, 0}, Negate(Multiply({theta, 0}, Power(r, n))));
    r = Add(r, Divide(Multiply(r, error), static_cast<double>(n)));
  }
  return r;
}

// Taylor series; 0 <= x <= 1, so 30 terms are below 2^-107.
void CosSin(Pair x, Pair& cosine, Pair& sine) {
  cosine = sine = {0, 0};
  Pair term{1, 0};
  for (int n = 0; n < 30; ++n) {
    Pair& sum = n % 2 == 0 ? cosine : sine;
    sum = Add(sum, n % 4 < 2 ? term : Negate(term));
    term = Divide(Multiply(term, x), n + 1);
  }
}

// Separate arrays of hi and lo, so that the compiler vectorises the loop over frequencies.
struct PairArray {
  explicit PairArray(size_t size) : hi(size), lo(size) {}
  Pair Get(size_t i) const { return {hi[i], lo[i]}; }
  void Set(size_t i, Pair value) {
    hi[i] = value.hi;
    lo[i] = value.lo;
  }
  std::vector<double> hi, lo;
};

// Rotates (c, s) by (turn_c, turn_s).
void Turn(size_t n, const double* __restrict turn_c_hi, const double* __restrict turn_c_lo,
          const double* __restrict turn_s_hi, const double* __restrict turn_s_lo, double* __restrict c_hi,
          double* __restrict c_lo, double* __restrict s_hi, double* __restrict s_lo) {
  for (size_t i = 0; i < n; ++i) {
    const Pair c{c_hi[i], c_lo[i]}, s{s_hi[i], s_lo[i]};
    const Pair turn_c{turn_c_hi[i], turn_c_lo[i]}, turn_s{turn_s_hi[i], turn_s_lo[i]};
    const Pair new_c = Add(Multiply(c, turn_c), Negate(Multiply(s, turn_s)));
    const Pair new_s = Add(Multiply(s, turn_c), Multiply(c, turn_s));
    c_hi[i] = new_c.hi;
    c_lo[i] = new_c.lo;
    s_hi[i] = new_s.hi;
    s_lo[i] = new_s.lo;
  }
}

}  // namespace

void MakeRopeTable(int64_t positions, int64_t head_dim, double theta, uint8_t* table) {
  CHECK(positions >= 0 && head_dim > 0 && head_dim % 2 == 0, "a rope table of {} x {}", positions, head_dim);
  CHECK(theta >= 1 && theta <= 1e100, "theta {}", theta);
  const auto half = static_cast<size_t>(head_dim / 2);
  PairArray turn_c(half), turn_s(half), c(half), s(half);
  const Pair ratio = InverseRoot(theta, head_dim / 2);
  Pair frequency{1, 0};
  for (size_t i = 0; i < half; ++i) {
    Pair cosine, sine;
    CosSin(frequency, cosine, sine);
    turn_c.Set(i, cosine);
    turn_s.Set(i, sine);
    c.Set(i, {1, 0});
    s.Set(i, {0, 0});
    frequency = Multiply(frequency, ratio);
  }
  std::vector<float> row(2 * half);
  for (int64_t p = 0; p < positions; ++p) {
    for (size_t i = 0; i < half; ++i) {
      row[i] = static_cast<float>(c.hi[i]);
      row[half + i] = static_cast<float>(s.hi[i]);
    }
    std::memcpy(table, row.data(), row.size() * sizeof(float));
    table += row.size() * sizeof(float);
    Turn(half, turn_c.hi.data(), turn_c.lo.data(), turn_s.hi.data(), turn_s.lo.data(), c.hi.data(),
         c.lo.data(), s.hi.data(), s.lo.data());
  }
}

}  // namespace ggufc::runtime
