// A reduction keeps the cause of a failure and removes the rest.
#include "reduce.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "checks.h"
#include "generate.h"
#include "ir/verify/verifier.h"
#include "isolate.h"
#include "sketch.h"
#include "support/check.h"

namespace ggufc::programs {
namespace {

using ir::OpKind;

// Whether an op of `kind` reads a result of an op of kind `of`.
bool Reads(const Program& program, OpKind kind, OpKind of) {
  const ir::Function& forward = program.module.forward();
  bool found = false;
  forward.ForEachOp([&](ir::OpId, const ir::Op& op) {
    if (op.kind != kind) return;
    for (const ir::ValueId operand : op.operands) {
      const ir::Op* defining = forward.DefiningOp(operand);
      found |= defining != nullptr && defining->kind == of;
    }
  });
  return found;
}

// The first `count` programs for which `fails` is true.
template <typename Fails>
std::vector<Program> Failing(size_t count, const Fails& fails) {
  std::vector<Program> failing;
  for (uint64_t index = 0; failing.size() < count && index < 2000; ++index) {
    Program program = Generate(11, index);
    if (fails(program)) failing.push_back(std::move(program));
  }
  EXPECT_EQ(failing.size(), count);
  return failing;
}

TEST(ReduceTest, KeepsThePairOfOpsThatFails) {
  const auto fails = [](const Program& program) {
    return Reads(program, OpKind::kRmsNorm, OpKind::kAttention);
  };
  const auto wide = [&](const Program& program) { return OpCount(program) > 20 && fails(program); };
  for (const Program& program : Failing(5, wide)) {
    const Reduction reduction = Reduce(program, fails);
    EXPECT_TRUE(fails(reduction.program));
    EXPECT_TRUE(ir::Verify(reduction.program.module).has_value());
    // embed, attention, norm, pool; and linears if heads and row have different widths.
    EXPECT_LE(OpCount(reduction.program), 6u) << ToText(reduction.program);
    EXPECT_EQ(reduction.program.batch.ids, std::vector<int32_t>{0});
    for (const ir::Weight& weight : reduction.program.module.weights) {
      EXPECT_LE(weight.type.columns(), 4) << ToText(reduction.program);
    }
  }
}

TEST(ReduceTest, KeepsTheNecessaryTokens) {
  const auto fails = [](const Program& program) {
    const auto& lengths = program.batch.lengths;
    return lengths.size() >= 2 && *std::max_element(lengths.begin(), lengths.end()) >= 11;
  };
  for (const Program& program : Failing(3, fails)) {
    std::vector<int32_t> lengths = Reduce(program, fails).program.batch.lengths;
    std::sort(lengths.begin(), lengths.end());
    EXPECT_EQ(lengths, (std::vector<int32_t>{1, 11}));
  }
}

TEST(ReduceTest, KeepsNecessaryDeadCode) {
  const auto fails = [](const Program& program) {
    const Sketch sketch = SketchOf(program.module);
    return std::any_of(sketch.ops.begin(), sketch.ops.end(),
                       [&](const auto& op) { return op.dead && op.kind == OpKind::kLinear; });
  };
  for (const Program& program : Failing(3, fails)) {
    const Reduction reduction = Reduce(program, fails);
    EXPECT_TRUE(fails(reduction.program));
    EXPECT_LE(OpCount(reduction.program), 3u) << ToText(reduction.program);  // embed, pool; the linear
  }
}

TEST(ReduceTest, StopsAtItsLimits) {
  int64_t calls = 0;
  const auto fails = [&](const Program&) { return ++calls, true; };
  const Reduction reduction = Reduce(Generate(11, 5), fails, {.tries = 7, .seconds = 1000});
  EXPECT_EQ(reduction.tries, 7);
  EXPECT_EQ(calls, 7);
}

// A deliberate mistake: linears skip a gelu that they read.
Result<bool> DropGelu(ir::Module& module, const passes::PassContext&) {
  ir::Function& forward = module.forward();
  bool changed = false;
  for (const ir::OpId id : forward.block(forward.body).ops) {
    ir::Op& op = forward.op(id);
    const ir::Op* x = op.kind == OpKind::kLinear ? forward.DefiningOp(op.operands[0]) : nullptr;
    if (x == nullptr || x->kind != OpKind::kGelu) continue;
    op.operands[0] = x->operands[0];
    changed = true;
  }
  return changed;
}

// A deliberate mistake that ends the process.
Result<bool> CrashOnGelu(ir::Module& module, const passes::PassContext&) {
  module.forward().ForEachOp(
      [](ir::OpId, const ir::Op& op) { CHECK(op.kind != OpKind::kGelu, "a deliberate mistake"); });
  return false;
}

class BrokenPassTest : public ::testing::Test {
 protected:
  // Checks and reduces like random_programs, with `broken` as the first pass.
  static void FindAndReduce(passes::PassFn broken, const std::string& check, size_t most_ops) {
    std::vector<passes::PassInfo> list = {{"broken", ir::Stage::kGraph, broken, "a mistake"}};
    list.insert(list.end(), passes::AllPasses().begin(), passes::AllPasses().end());
    CheckOptions options;
    options.passes = list;
    options.code = false;
    const auto fails = [&](const Program& program) {
      const Outcome outcome = RunIsolated([&] { return Check(program, options); });
      return outcome.kind == Outcome::Kind::kDisagrees && outcome.check.starts_with(check);
    };
    Program program;
    uint64_t index = 0;
    do {
      ASSERT_LT(index, 200u) << "no program failed";
      program = Generate(13, index++);
    } while (!fails(program));
    const Reduction reduction = Reduce(program, fails);
    EXPECT_TRUE(fails(reduction.program));
    EXPECT_LE(OpCount(reduction.program), most_ops) << ToText(reduction.program);
  }
};

TEST_F(BrokenPassTest, FindsAndReducesAWrongResult) { FindAndReduce(DropGelu, "broken", 4); }

TEST_F(BrokenPassTest, FindsAndReducesACrash) { FindAndReduce(CrashOnGelu, "crash: ", 3); }

}  // namespace
}  // namespace ggufc::programs
