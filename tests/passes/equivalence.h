// Runs a module through the pipeline and interprets it on both sides of every pass.
#pragma once

#include "ir/interpreter.h"
#include "passes/pass.h"

namespace ggufc::passes {

// What the tolerances of a model are derived from.
struct Magnitudes {
  double layers = 1;
  double longest_dot = 1;  // terms of the longest sum of products
  double head_dim = 1;
};

struct EquivalenceInput {
  ir::Module module;
  ir::WeightSource weights;
  ir::InterpreterInput batch;
  PassContext context;
  Magnitudes magnitudes;
};

// Fails the current test where a pass fails, where the text of its result does not read back as the same text, or where
// the pass changes what the module computes by more than it may (equivalence.cpp has the bounds).
void ExpectEveryPassPreserves(EquivalenceInput input);

}  // namespace ggufc::passes
