// for, if, switch and calls.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/core/builder.h"
#include "run_kernel.h"

namespace ggufc::testing {
namespace {

using ir::Builder;
using ir::OpKind;
using ir::ValueId;
using ::testing::ElementsAre;

class ControlTest : public ::testing::TestWithParam<Variant> {};

TEST_P(ControlTest, LoopsCarryValues) {
  // in: lo, hi (index). out: the number of iterations, the sum of i, and two values that swap in each iteration.
  const ir::Module module = KernelModule([](Builder& b, const KernelParams& p) {
    const ValueId lo = b.Load(ir::IndexType(), p.in, b.Index(0)),
                  hi = b.Load(ir::IndexType(), p.in, b.Index(8));
    const auto results =
        b.For(lo, hi, 3, {b.Index(0), b.Index(0), b.Index(-1), b.Index(-2)},
              [&](ValueId i, const std::vector<ValueId>& c) {
                // The last two are swapped: both phis must read the old values.
                return std::vector<ValueId>{b.Add(c[0], b.Index(1)), b.Add(c[1], i), c[3], c[2]};
              });
    for (size_t k = 0; k < results.size(); ++k)
      b.Store(results[k], p.out, b.Index(static_cast<int64_t>(k) * 8));
  });
  const Code code(module, GetParam());
  for (const auto& [lo, hi] :
       {std::pair<int64_t, int64_t>{0, 0}, {5, 5}, {7, 2}, {0, 1}, {0, 3}, {0, 4}, {-10, 11}}) {
    int64_t turns = 0, sum = 0, a = -1, b = -2;
    for (int64_t i = lo; i < hi; i += 3) ++turns, sum += i, std::swap(a, b);
    int64_t in[] = {lo, hi}, out[4] = {};
    code.RunKernel("k", {in, out}, 1);
    EXPECT_THAT(out, ElementsAre(turns, sum, a, b)) << lo << " to " << hi;
  }
}

TEST_P(ControlTest, NestedLoopsWithBranches) {
  // An if counts the pairs (i, j) whose product is odd; a switch counts by j % 3.
  const ir::Module module = KernelModule([](Builder& b, const KernelParams& p) {
    b.For(p.r0, p.r1, 1, [&](ValueId i) {
      b.For(b.Index(0), i, 1, [&](ValueId j) {
        auto bump = [&](int64_t slot) {
          const ValueId at = b.Index(slot * 8);
          b.Store(b.Add(b.Load(ir::IndexType(), p.out, at), b.Index(1)), p.out, at);
        };
        const ValueId odd = b.Emit(OpKind::kAnd, {b.Mul(i, j), b.Index(1)});
        b.If(b.Emit(OpKind::kCmpEq, {odd, b.Index(1)}), [&] { bump(0); });
        const ValueId selector = b.Add(b.Emit(OpKind::kRem, {j, b.Index(3)}), b.Index(1));
        b.Switch(selector, 3, [&](int64_t n) {
          if (n == 2) {
            b.For(b.Index(0), b.Index(2), 1, [&](ValueId) { bump(n); });
          } else {
            bump(n);
          }
        });
      });
    });
  });
  int64_t expected[4] = {}, out[4] = {};
  for (int64_t i = 0; i < 20; ++i) {
    for (int64_t j = 0; j < i; ++j) {
      expected[0] += i * j % 2;
      expected[j % 3 + 1] += j % 3 == 1 ? 2 : 1;
    }
  }
  Code(module, GetParam()).RunKernel("k", {nullptr, out}, 20);
  EXPECT_THAT(out, ::testing::ElementsAreArray(expected));
}

TEST_P(ControlTest, SwitchWithManyCases) {
  // Like the switch over tile heights. LLVM makes a jump table of it.
  const ir::Module module = KernelModule([](Builder& b, const KernelParams& p) {
    b.Switch(b.Load(ir::IndexType(), p.in, b.Index(0)), 12, [&](int64_t n) {
      for (int64_t i = 0; i < n; ++i)
        b.Store(b.Load(ir::F32x16(), p.in, b.Index(i * 8)), p.out, b.Index(i * 64));
      b.Store(b.Index(n * 7), p.out, b.Index(0));
    });
  });
  const Code code(module, GetParam());
  for (int64_t n = 0; n <= 13; ++n) {
    std::vector<int64_t> in(32), out(128, -1);
    in[0] = n;
    code.RunKernel("k", {in.data(), out.data()}, 1);
    EXPECT_EQ(out[0], n >= 1 && n <= 12 ? n * 7 : -1) << "a selector out of range runs no case";
  }
}

TEST_P(ControlTest, CallsPassEveryKindOfParameter) {
  ir::FunctionId inner, outer;
  const ir::Module module = [&] {
    return KernelModule([&](Builder& b, const KernelParams& p) {
      using ir::F32Type, ir::I32Type, ir::IndexType, ir::PtrType;
      inner = AddMicro(b.module(), "inner", {PtrType(), I32Type(), F32Type(), IndexType()},
                       [](Builder& m, const std::vector<ValueId>& v) {
                         m.Store(v[1], v[0], m.Index(0));
                         m.Store(v[2], v[0], m.Index(4));
                         m.Store(v[3], v[0], m.Index(8));
                       });
      // Nine parameters, so the last ones are passed on the stack.
      outer = AddMicro(b.module(), "outer.9",
                       {PtrType(), IndexType(), IndexType(), IndexType(), IndexType(), IndexType(),
                        IndexType(), IndexType(), F32Type()},
                       [&](Builder& m, const std::vector<ValueId>& v) {
                         ValueId sum = v[1];
                         for (size_t i = 2; i < 8; ++i) sum = m.Add(m.Mul(sum, m.Index(10)), v[i]);
                         m.EmitCall(inner, {v[0], m.Const(I32Type(), -5), v[8], sum});
                       });
      b.For(p.r0, p.r1, 1, [&](ValueId row) {
        std::vector<ValueId> operands{b.PtrAdd(p.out, b.Mul(row, b.Index(16)))};
        for (int i = 1; i < 8; ++i) operands.push_back(b.Index(i));
        operands.push_back(b.F32(2.5));
        b.EmitCall(outer, operands);
      });
    });
  }();
  struct Record {
    int32_t i;
    float f;
    int64_t n;
  };
  std::vector<Record> out(5, Record{0, 0, 0});
  Code(module, GetParam()).RunKernel("k", {nullptr, out.data()}, 4);
  for (size_t row = 0; row < 5; ++row) {
    EXPECT_EQ(out[row].i, row < 4 ? -5 : 0);
    EXPECT_EQ(out[row].f, row < 4 ? 2.5f : 0.0f);
    EXPECT_EQ(out[row].n, row < 4 ? 1234567 : 0);
  }
}

TEST_P(ControlTest, KernelsReceiveTheirRange) {
  const ir::Module module = KernelModule([](Builder& b, const KernelParams& p) {
    const ValueId range[] = {p.r0, p.r1, p.c0, p.c1};
    for (int i = 0; i < 4; ++i) b.Store(range[i], p.out, b.Index(i * 8));
  });
  int64_t out[4] = {};
  Code(module, GetParam()).RunKernel("k", {nullptr, out}, 9, 4);
  EXPECT_THAT(out, ElementsAre(0, 9, 0, 4));
}

INSTANTIATE_TEST_SUITE_P(Targets, ControlTest, ::testing::ValuesIn(Variants()),
                         [](const auto& info) { return info.param.Name(); });

}  // namespace
}  // namespace ggufc::testing
