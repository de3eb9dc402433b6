// How much a pass may change a result, as |a - b| / |b| of a row; u = 2^-24 is f32's unit roundoff.
//
//   bits      Passes that only move arithmetic about: merge-linears, fuse, assign-layouts; parallelize, plan-memory and
//             simplify; quantize-activations on float weights.
//   folded    fold-scales and rope-tables round a gain or a table entry to f32 once: u relative to a query's (with
//             rope, also a key's) column. A score q.k changes by at most u |q| |k|, and |q| |k| is about sqrt(head_dim)
//             behind the norms of both; softmax doubles it. 8 for gains above 1 and for what follows.
//   rounded   tile goes from double to f32. A sum of n products is off by about sqrt(n) u; a layer has four linears in a
//             chain, and attention's exp turns an absolute error of a score into a relative one. Roundings are
//             independent, so their squares add up. 1 - cos is half the square: at most 1e-10.
//   quantized A block of 32 is off by at most half a step of amax / QMAX in every column and is at least amax long:
//             sqrt(32) / 2 / QMAX of its length. Four linears a layer and two dense modules, with independent errors.
//             Behind a quantize, a difference of any size can flip a rounding, so the later passes get this bound too,
//             unless they must not change a bit.
#include "equivalence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string_view>

#include "ir/parser.h"
#include "ir/printer.h"
#include "passes/pipeline.h"
#include "random_model.h"

namespace ggufc::passes {
namespace {

constexpr double kUnitRoundoff = 0x1p-24;

bool HasQuantize(const ir::Module& module) {
  bool found = false;
  for (const ir::Function& function : module.functions) {
    function.ForEachOp([&](ir::OpId, const ir::Op& op) { found |= op.kind == ir::OpKind::kQuantize; });
  }
  return found;
}

double Folded(const Magnitudes& m) { return 8 * m.layers * std::sqrt(m.head_dim) * kUnitRoundoff; }

double Rounded(const Magnitudes& m) {
  constexpr double kOneMinusCos = 1e-10;
  return std::min(std::sqrt((4 * m.layers + 2) * m.longest_dot) * kUnitRoundoff, std::sqrt(2 * kOneMinusCos));
}

double Quantized(const Magnitudes& m, ir::Scalar activations) {
  const double block = std::sqrt(static_cast<double>(ir::kQuantBlock)) / 2 / ir::QuantMax(activations);
  return std::sqrt(4 * m.layers + 2) * block;
}

// 0: not a bit.
double Tolerance(std::string_view pass, bool quantized, const EquivalenceInput& input) {
  const Magnitudes& m = input.magnitudes;
  if (pass == "fold-scales") return Folded(m);
  if (pass == "quantize-activations") return quantized ? Quantized(m, input.context.activations) : 0;
  if (pass == "rope-tables") return quantized ? Quantized(m, input.context.activations) : Folded(m);
  if (pass == "tile") return quantized ? Quantized(m, input.context.activations) : Rounded(m);
  return 0;
}

void ExpectReadsBack(const ir::Module& module) {
  const std::string text = ir::Print(module);
  const Result<ir::Module> again = ir::Parse(text, "printed");
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(ir::Print(*again), text);
}

}  // namespace

void ExpectEveryPassPreserves(EquivalenceInput input) {
  ir::Module& module = input.module;
  Result<ir::InterpreterOutput> before = ir::Interpret(module, input.weights, input.batch);
  ASSERT_TRUE(before.has_value()) << before.error().message;
  bool quantized = false;
  for (const PassInfo& pass : AllPasses()) {
    SCOPED_TRACE(pass.name);
    const Result<bool> changed = RunPass(pass, module, input.context);  // and verifies
    ASSERT_TRUE(changed.has_value()) << changed.error().message;
    quantized |= HasQuantize(module);
    ASSERT_NO_FATAL_FAILURE(ExpectReadsBack(module));
    Result<ir::InterpreterOutput> after = ir::Interpret(module, input.weights, input.batch);
    ASSERT_TRUE(after.has_value()) << after.error().message;
    const double tolerance = Tolerance(pass.name, quantized, input);
    if (tolerance == 0) {
      ASSERT_EQ(FirstDifference(*after, *before), "");
    } else {
      ASSERT_LE(RelativeError(*after, *before), tolerance);
    }
    before = std::move(after);
  }
}

}  // namespace ggufc::passes
