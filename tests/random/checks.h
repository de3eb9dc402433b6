// The checks of a program.
//
//   graph             it verifies, its printed text parses to the same module, and the interpreter runs it
//   PASS, PASS: text  the same holds after each pass, and the result differs by no more than the pass may change
//                     (tests/passes/equivalence.h)
//   cuts              the loop stage gives the same bits for random work items in random order
//   target            the loop stage for another target gives the same bits
//   code              generated code gives the bits of the loop stage: the batch in one, two and three threads; each
//                     sequence alone; sequences in another order; random work items; chunks
//
// Passes and code are checked for one build of builds.h, `target` for one other target. Program::turn selects both, so 20
// programs cover every pair. Everything is compared with the bits of one loop-stage run, so all targets, batches and work
// items are compared with one another.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "builds.h"
#include "passes/pipeline.h"
#include "program.h"

namespace ggufc::programs {

struct CheckOptions {
  std::span<const passes::PassInfo> passes = passes::AllPasses();
  std::vector<testing::Build> builds = testing::BuildsInEveryForm();
  bool code = true;             // false: interpreters only, which is ten times as fast
  bool every_build = false;     // check code for all builds
  std::string folder = "/tmp";  // for the file of weights, which is unlinked while in use
};

struct Outcome {
  enum class Kind {
    kAgrees,
    kRefused,    // the compiler reports that it cannot handle the program
    kDisagrees,  // different results, a failing interpreter, a malformed module after a pass, ...
  };
  Kind kind = Kind::kAgrees;
  std::string check;                              // kRefused, kDisagrees: the check, as listed above
  std::string message;                            // kRefused, kDisagrees
  std::map<std::string, double> standard_errors;  // by pass, for passes that have a tolerance
};

Outcome Check(const Program& program, const CheckOptions& options);

}  // namespace ggufc::programs
