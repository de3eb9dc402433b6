#include "ir/interpret/interpreter.h"

#include "ir/interpret/interpret_loop.h"
#include "ir/interpret/interpret_tensor.h"
#include "ir/verify/verifier.h"

namespace ggufc::ir {
namespace {

// Maximum tokens per batch: far above the batches of tests, far below a size that overflows.
constexpr int64_t kMaxTokens = int64_t{1} << 20;

Status CheckInput(const InterpreterInput& input) {
  int64_t tokens = 0;
  if (input.lengths.empty()) return Err("the batch has no sequences");
  for (size_t i = 0; i < input.lengths.size(); ++i) {
    if (input.lengths[i] <= 0)
      return Err("sequence {}: length {}, expected more than 0", i, input.lengths[i]);
    tokens += input.lengths[i];
    if (tokens > kMaxTokens) return Err("sequence {}: more than {} tokens in the batch", i, kMaxTokens);
  }
  if (tokens != static_cast<int64_t>(input.ids.size())) {
    return Err("{} ids, but the sequences have {} tokens in all", input.ids.size(), tokens);
  }
  return {};
}

}  // namespace

Result<InterpreterOutput> Interpret(const Module& module, const WeightSource& weights,
                                    const InterpreterInput& input) {
  RETURN_IF_ERROR(Verify(module));
  RETURN_IF_ERROR(CheckInput(input));
  if (module.stage == Stage::kLoop) return InterpretLoops(module, weights, input);
  return InterpretTensors(module, weights, input);
}

}  // namespace ggufc::ir
