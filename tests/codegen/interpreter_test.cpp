// Generated code against the interpreter of the loop stage: equal to the last bit, on every target.
#include "ir/interpret/interpreter.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <random>

#include "ir/core/builder.h"
#include "kitchen_sink.h"
#include "run_kernel.h"

namespace ggufc::testing {
namespace {

constexpr uint32_t kInterpreterSeed = 5;
constexpr int64_t kRows = 40;

class InterpreterTest : public ::testing::TestWithParam<Variant> {};

std::vector<uint8_t> SinkInput() {
  std::mt19937 random(kInterpreterSeed);
  std::vector<uint8_t> bytes(kRows * kSinkRowBytes);
  for (int64_t at = 0; at < kRows * kSinkRowBytes; at += 4) {
    auto word = static_cast<uint32_t>(random());
    const bool is_float = at % kSinkRowBytes >= kSinkIntBytes;
    if (is_float) word = std::bit_cast<uint32_t>(static_cast<float>(static_cast<int32_t>(word)) * 0x1p-28f);
    std::memcpy(bytes.data() + at, &word, 4);
  }
  return bytes;
}

// Replaces forward by one call of the kernel: `in` is a weight, `out` the output, and each row a sequence of one token.
ir::Module WithForward(ir::Module module) {
  const ir::FunctionId kernel = *module.FindFunction("k");
  ir::Weight data;
  data.name = "data";
  data.type = ir::Type::Tensor(ir::Scalar::kF32, ir::Dim(kRows * kSinkRowBytes / 4));
  const ir::WeightId weight = module.AddWeight(std::move(data));
  ir::Function& forward = module.forward();
  forward.value(forward.params[5]).type =
      ir::Type::Tensor(ir::Scalar::kF32, ir::Symbol::kB, SinkResults() * 16);
  forward.block(forward.body).ops.clear();
  ir::Builder b(module, ir::FunctionId{0});
  b.SetBlock(forward.body);
  b.EmitCall(kernel, {b.Weight(weight), forward.params[5]});
  b.Return({});
  return module;
}

TEST_P(InterpreterTest, EveryOp) {
  const auto input = SinkInput();
  const auto columns = static_cast<size_t>(SinkResults() * 16);
  ir::WeightSource source;
  source.bytes = [&](const ir::Module&, ir::WeightId) -> Result<std::vector<uint8_t>> { return input; };
  ir::InterpreterInput batch;
  batch.ids.assign(kRows, 0);
  batch.lengths.assign(kRows, 1);
  const ir::Module module = WithForward(KitchenSink());
  const auto expected = ir::Interpret(module, source, batch);
  ASSERT_TRUE(expected) << expected.error().message;

  std::vector<float> out(kRows * columns);
  auto in = input;
  Code(module, GetParam()).RunKernel("k", {in.data(), out.data()}, kRows);
  ASSERT_EQ(expected->values.size(), out.size());
  for (size_t i = 0; i < out.size(); ++i) {
    const auto want = static_cast<float>(expected->values[i]);
    ASSERT_EQ(std::bit_cast<uint32_t>(out[i]), std::bit_cast<uint32_t>(want))
        << "seed " << kInterpreterSeed << ", row " << i / columns << ", result " << i % columns / 16 << ", lane "
        << i % 16 << ": " << out[i] << ", the interpreter gives " << want;
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, InterpreterTest, ::testing::ValuesIn(Variants()),
                         [](const auto& info) { return info.param.Name(); });

}  // namespace
}  // namespace ggufc::testing
