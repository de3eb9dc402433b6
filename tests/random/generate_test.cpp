// The generator: reproducible and valid programs, moderate values, and every op of the graph stage.
#include "generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "checks.h"
#include "ir/interpret/random_weights.h"
#include "ir/text/printer.h"
#include "ir/verify/verifier.h"

namespace ggufc::programs {
namespace {

constexpr uint64_t kSeed = 7, kPrograms = 400;

TEST(GenerateTest, IndexDeterminesTheProgram) {
  std::set<std::string> texts;
  for (uint64_t index = 0; index < 50; ++index) {
    const std::string text = ToText(Generate(kSeed, index));
    EXPECT_EQ(ToText(Generate(kSeed, index)), text);
    texts.insert(text);
  }
  EXPECT_EQ(texts.size(), 50u);
}

TEST(GenerateTest, TextParsesToTheSameText) {
  for (uint64_t index = 0; index < kPrograms; ++index) {
    const std::string text = ToText(Generate(kSeed, index));
    const Result<Program> again = ParseProgram(text, "generated");
    ASSERT_TRUE(again.has_value()) << again.error().message << "\n" << text;
    EXPECT_EQ(ToText(*again), text);
  }
}

TEST(GenerateTest, AllOpsAndTypesOccur) {
  std::set<ir::OpKind> ops;
  std::set<ir::Weight::Def> definitions;
  std::set<ir::Scalar> types, modes;
  std::set<bool> dead;
  for (uint64_t index = 0; index < kPrograms; ++index) {
    const Program program = Generate(kSeed, index);
    modes.insert(program.activations);
    std::set<ir::ValueId> read;
    program.module.forward().ForEachOp([&](ir::OpId, const ir::Op& op) {
      ops.insert(op.kind);
      read.insert(op.operands.begin(), op.operands.end());
    });
    program.module.forward().ForEachOp([&](ir::OpId, const ir::Op& op) {
      dead.insert(!op.results.empty() && !read.contains(op.results[0]));
    });
    for (const ir::Weight& weight : program.module.weights) {
      definitions.insert(weight.def);
      types.insert(weight.type.scalar);
    }
  }
  constexpr int G = 1 << static_cast<int>(ir::Stage::kGraph);
#define OP(enumerator, spelling, ...)                                                          \
  if ((ir::Info(ir::OpKind::enumerator).stages & G) != 0) {                                    \
    EXPECT_TRUE(ops.contains(ir::OpKind::enumerator)) << "no program has the op " << spelling; \
  }
#include "ir/core/ops.def"
  EXPECT_EQ(definitions.size(), 5u) << "of tensor, concat, interleave, scale, rope table";
  EXPECT_EQ(types.size(), 4u) << "of f32, f16, bf16, q8_0";
  EXPECT_EQ(modes.size(), 3u) << "of q16, q8, q7";
  EXPECT_EQ(dead.size(), 2u) << "no program has dead code";
}

// With values of magnitude far from 1, f32 and double results differ without a defect of a pass.
TEST(GenerateTest, ValuesHaveModerateMagnitude) {
  constexpr double kMost = 1e5;
  for (uint64_t index = 0; index < kPrograms; ++index) {
    const Program program = Generate(kSeed, index);
    double largest = 0;
    bool numbers = true;
    ir::InterpreterInput input = program.batch;
    input.observe = [&](const ir::Op&, std::span<const double> values) {
      for (const double value : values) {
        numbers &= std::isfinite(value);
        largest = std::max(largest, std::fabs(value));
      }
    };
    const auto output = ir::Interpret(program.module, ir::RandomWeights(program.weights), input);
    ASSERT_TRUE(output.has_value()) << output.error().message << "\n" << ToText(program);
    EXPECT_TRUE(numbers && largest < kMost) << largest << "\n" << ToText(program);
  }
}

TEST(GenerateTest, CompilerRefusesFewPrograms) {
  int refused = 0;
  for (uint64_t index = 0; index < kPrograms; ++index) {
    const Program program = Generate(kSeed, index);
    ir::Module module = program.module;
    passes::PassContext context;
    context.activations = program.activations;
    context.context_length = program.context_length;
    refused += passes::RunPipeline(module, context).has_value() ? 0 : 1;
  }
  EXPECT_LE(refused, static_cast<int>(kPrograms) * 5 / 100);
}

struct BadText {
  const char* name;
  const char* from;  // replaced in valid text
  const char* to;
  const char* message;
};

constexpr BadText kBadTexts[] = {
    {"NoFirstLine", "// program ", "// ", "p: the first line is not '// program ...'"},
    {"UnknownField", "turn=", "torn=", "p: torn: unknown field"},
    {"NoNumber", "weights=", "weights=x", "is not a number"},
    {"Mode", "activations=q", "activations=r", "expected q16, q8 or q7"},
    {"NoLengths", "lengths=", "lengths= turn=", "p: "},
    {"OneIdMore", "ids=", "ids=1,", "lengths: their sum differs from the number of ids"},
    {"EmptySequence", "lengths=", "lengths=0,", "p: lengths: expected one or more numbers, each at least 1"},
    {"Context", "context=", "context=0 turn=", "lengths: a sequence is longer than context="},
    {"RowBlock", "row_block=", "row_block=99999", "p: row_block: expected 1 to 4096"},
    {"TileRows", "tile_rows=", "tile_rows=77", "p: tile_rows: expected 0 to 32"},
    {"Stage", "stage graph", "stage loop", "p: "},
    {"Module", "func @forward", "func @backward", "the first function must be @forward"},
};

TEST(ProgramTest, BadTextIsRefused) {
  const std::string good = ToText(Generate(kSeed, 1));
  ASSERT_TRUE(ParseProgram(good, "p").has_value());
  for (const BadText& bad : kBadTexts) {
    SCOPED_TRACE(bad.name);
    std::string text = good;
    const size_t at = text.find(bad.from);
    ASSERT_NE(at, std::string::npos);
    text.replace(at, std::string(bad.from).size(), bad.to);
    const Result<Program> program = ParseProgram(text, "p");
    ASSERT_FALSE(program.has_value());
    EXPECT_THAT(program.error().message, ::testing::HasSubstr(bad.message));
  }
}

}  // namespace
}  // namespace ggufc::programs
