// Hand-written graphs that no importer makes. Every pass must preserve what they compute.
#pragma once

#include <gtest/gtest.h>

#include <string>

namespace ggufc::passes {

struct GraphCase {
  const char* name;
  const char* weights;
  const char* result;  // its type
  const char* body;
};

// Runs all passes, with 16-bit and 8-bit activations, and compares the results of the interpreter on both sides of
// each.
void ExpectEveryPassPreserves(const GraphCase& graph);

inline std::string GraphName(const testing::TestParamInfo<GraphCase>& info) { return info.param.name; }

}  // namespace ggufc::passes
