// The bounds on the change of a result by a pass, which error_bound.h derives from these roundings:
//
//   none      Passes that only reorder arithmetic: merge-linears, fuse, assign-layouts; parallelize, plan-memory and
//             simplify; quantize-activations on float weights.
//   folded    fold-scales and rope-tables round a gain or a table entry to f32 once.
//   rounded   tile changes the arithmetic from double to f32.
//   quantized quantize-activations changes a value of a block by up to half a step of amax / QMAX, and likewise the
//             operands of an attention with 16-bit dots. After it a difference of any size can flip a rounding, so
//             later passes have this bound too, except those with none.
#include "equivalence.h"

#include <string_view>

#include "error_bound.h"
#include "ir/text/parser.h"
#include "ir/text/printer.h"
#include "ir/verify/verifier.h"
#include "random_model.h"

namespace ggufc::passes {
namespace {

// Whether values are rounded to integers, so that a difference of any size can flip a rounding.
bool HasIntegers(const ir::Module& module) {
  bool found = false;
  for (const ir::Function& function : module.functions) {
    function.ForEachOp([&](ir::OpId, const ir::Op& op) {
      found |= op.kind == ir::OpKind::kQuantize || op.Int(ir::Attr::kDots) != 0;
    });
  }
  return found;
}

// The roundings of `pass`; nullopt if it must not change a bit.
std::optional<Noise> NoiseOf(std::string_view pass, bool quantized) {
  if (pass == "fold-scales") return Noise{.folded = true, .quantized = quantized};
  if (pass == "quantize-activations" && quantized) return Noise{.quantized = true};
  if (pass == "rope-tables") return Noise{.folded = true, .quantized = quantized};
  if (pass == "tile") return Noise{.roundoff = kF32Roundoff, .quantized = quantized};
  return std::nullopt;
}

Status ReadsBack(const ir::Module& module) {
  const std::string text = ir::Print(module);
  ASSIGN_OR_RETURN(const ir::Module again, ir::Parse(text, "printed"));
  if (ir::Print(again) != text) return Err("printed text reads back as different text:\n{}", text);
  return ir::Verify(again);
}

class Walk {
 public:
  explicit Walk(EquivalenceInput& input) : input_(input) {}

  EquivalenceOutcome Run() {
    if (Status status = Start(); !status) return Disagree("graph", std::move(status.error()));
    for (const PassInfo& pass : input_.passes) {
      const Result<bool> changed = pass.run(input_.module, input_.context);
      if (!changed) {
        outcome_.refusal = fmt::format("{}: {}", pass.name, changed.error().message);
        return std::move(outcome_);
      }
      if (Status status = After(pass.name); !status) return Disagree(pass.name, std::move(status.error()));
      if (Status status = ReadsBack(input_.module); !status) {
        return Disagree(std::string(pass.name) + ": text", std::move(status.error()));
      }
    }
    outcome_.module = std::move(input_.module);
    return std::move(outcome_);
  }

 private:
  EquivalenceOutcome Disagree(std::string check, Error error) {
    outcome_.disagreement = {std::move(check), std::move(error.message)};
    return std::move(outcome_);
  }

  Status Start() {
    RETURN_IF_ERROR(ir::Verify(input_.module));
    RETURN_IF_ERROR(ReadsBack(input_.module));
    ASSIGN_OR_RETURN(outcome_.output, ir::Interpret(input_.module, input_.weights, input_.batch));
    return {};
  }

  Status After(std::string_view pass) {
    ir::Module& module = input_.module;
    RETURN_IF_ERROR(WithContext("left a malformed module", ir::Verify(module)));
    if (module.stage == ir::Stage::kGraph) graph_ = module;
    ASSIGN_OR_RETURN(ir::InterpreterOutput after, ir::Interpret(module, input_.weights, input_.batch));
    const ir::InterpreterOutput before = std::exchange(outcome_.output, std::move(after));
    const std::optional<Noise> noise = NoiseOf(pass, HasIntegers(graph_));
    if (!noise) {
      const std::string difference = FirstDifference(outcome_.output, before);
      return difference.empty() ? Status() : Err("changes the result: {}", difference);
    }
    ASSIGN_OR_RETURN(const std::vector<double> errors,
                     StandardErrors(graph_, input_.weights, input_.batch, *noise));
    const double distance = InStandardErrors(outcome_.output, before, errors);
    outcome_.standard_errors[std::string(pass)] = distance;
    if (distance <= kMaxStandardErrors) return {};
    return Err("changes the result by {:.3g} standard errors (at most {}): {}", distance, kMaxStandardErrors,
               FirstDifference(outcome_.output, before));
  }

  EquivalenceInput& input_;
  ir::Module graph_;  // the last module at the graph stage, for the error bounds of later stages
  EquivalenceOutcome outcome_;
};

}  // namespace

EquivalenceOutcome CheckEveryPass(EquivalenceInput input) { return Walk(input).Run(); }

Status Preserved(const EquivalenceOutcome& outcome) {
  if (outcome.disagreement) return Err("{}: {}", outcome.disagreement->check, outcome.disagreement->message);
  if (outcome.refusal) return Err("{}", *outcome.refusal);
  return {};
}

}  // namespace ggufc::passes
