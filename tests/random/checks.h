// What must hold of a program.
//
//   graph             it verifies, prints and reads back; the interpreter runs it
//   PASS, PASS: text  so does the module behind each pass, and its result is the same within what the pass may change
//                     (tests/passes/equivalence.h)
//   cuts              the loop stage gives the same bits for random work items in random order
//   target            and tiled for another target
//   code              generated code runs and gives the loop stage's bits: the batch in one thread, two, three; each
//                     sequence alone; in another order; cut at random; in chunks
//
// Passes and code are checked for one build of builds.h, which goes round with Program::turn, and `target` for another
// target, so that 20 programs have had every pair. Everything is compared with the bits of one loop-stage run, so all
// targets, batches and cuts are compared with one another.
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
  bool every_build = false;     // code for all builds, for each program
  std::string folder = "/tmp";  // for a file of weights, whose name does not stay
};

struct Outcome {
  enum class Kind {
    kAgrees,
    kRefused,    // the compiler says what of the program it cannot handle
    kDisagrees,  // or an interpreter failed, a pass left a malformed module, ...
  };
  Kind kind = Kind::kAgrees;
  std::string check;                              // kRefused, kDisagrees: see above
  std::string message;                            // kRefused, kDisagrees
  std::map<std::string, double> standard_errors;  // of the passes that have a tolerance
};

Outcome Check(const Program& program, const CheckOptions& options);

}  // namespace ggufc::programs
