// Modules that a pass refuses, with the message of its error.
#pragma once

#include <gtest/gtest.h>

#include <string>

namespace ggufc::passes {

struct Refusal {
  const char* name;
  const char* text;    // the module after "module @graph stage "
  const char* passes;  // separated by blanks; the last one fails
  const char* message;
};

// Runs the passes. All but the last must succeed; the error of the last must contain the message.
void ExpectRefusal(const Refusal& refusal);

inline std::string RefusalName(const testing::TestParamInfo<Refusal>& info) { return info.param.name; }

}  // namespace ggufc::passes
