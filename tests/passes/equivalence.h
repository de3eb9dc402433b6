// Runs a module through the pipeline and interprets it on both sides of every pass.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>

#include "ir/interpret/interpreter.h"
#include "passes/pass.h"
#include "passes/pipeline.h"

namespace ggufc::passes {

struct EquivalenceInput {
  ir::Module module;  // at the graph stage, verified
  ir::WeightSource weights;
  ir::InterpreterInput batch;
  PassContext context;
  std::span<const PassInfo> passes = AllPasses();
};

struct EquivalenceOutcome {
  struct Disagreement {
    std::string check;  // "fuse", or "fuse: text" if the printed result does not read back
    std::string message;
  };
  std::optional<Disagreement> disagreement;
  // The error of a pass that cannot handle the module. Later passes did not run.
  std::optional<std::string> refusal;
  // Without either: the module after the last pass and its result.
  ir::Module module;
  ir::InterpreterOutput output;
  // The change of the result by each pass with a tolerance, in standard errors (error_bound.h).
  std::map<std::string, double> standard_errors;
};

// A disagreement is an error of the interpreter, a malformed module after a pass, text that does not read back as the
// same text, or a change of the result above the pass's bound (equivalence.cpp).
EquivalenceOutcome CheckEveryPass(EquivalenceInput input);

// The outcome as a status: an error that names the pass, unless every pass ran and nothing disagreed.
Status Preserved(const EquivalenceOutcome& outcome);

}  // namespace ggufc::passes
