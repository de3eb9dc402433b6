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
    std::string check;  // "fuse", or "fuse: text" where the text of its result is at fault
    std::string message;
  };
  std::optional<Disagreement> disagreement;
  // A pass says what in the module it cannot handle; nothing is known of the passes behind it.
  std::optional<std::string> refusal;
  // Otherwise the module after the last pass and what it computes.
  ir::Module module;
  ir::InterpreterOutput output;
  // How far each pass with a tolerance went, in standard errors (error_bound.h).
  std::map<std::string, double> standard_errors;
};

// A disagreement is: an interpreter's error, a pass that leaves a malformed module, text that does not read back as the
// same text, or a change of the result by more than the pass may make (equivalence.cpp has the bounds).
EquivalenceOutcome CheckEveryPass(EquivalenceInput input);

// The outcome as a test wants it: an error that names the pass unless every pass ran and nothing disagreed.
Status Preserved(const EquivalenceOutcome& outcome);

}  // namespace ggufc::passes
