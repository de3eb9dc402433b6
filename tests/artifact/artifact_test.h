// Compiles models ahead of time with the ggufc binary, links them by hand, and runs what came out.
#pragma once

#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "run_ggufc.h"

namespace ggufc::testing {

using Arguments = std::vector<std::string>;

class ArtifactTest : public CliTest {
 protected:
  // `ggufc compile MODEL -o File(out) MORE`, which must succeed.
  void Compile(const std::string& model, const std::string& out, const Arguments& more = {}) const;

  // `cc caller.o OBJECT libggufc_runtime.a -lm -lpthread`; returns the program. The object's model is called "model".
  std::string Link(const std::string& object) const;

  // The vectors that `ggufc embed` gives for caller.c's documents, as bytes.
  std::string Embed(const std::string& model, const Arguments& documents, const Arguments& more = {}) const;

  Outcome RunCompiler(Arguments arguments) const;
};

// Texts of one to some hundred tokens, and ids.
Arguments Documents();

// Runs the C compiler that models are linked with.
Outcome RunLinker(const Arguments& arguments);

}  // namespace ggufc::testing
