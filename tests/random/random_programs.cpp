// random_programs: compiles random programs in every way and compares results. See --help.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "checks.h"
#include "error_bound.h"
#include "generate.h"
#include "isolate.h"
#include "reduce.h"
#include "support/check.h"

namespace ggufc::programs {
namespace {

constexpr const char* kDescription =
    R"(Generates random programs (models of random shape and random graphs of ops), compiles each, and compares the results of
the interpreter before and after every pass, at every stage, and of generated code.

Program K of seed S is always the same. The checks of each program:

  * after every pass the module verifies, and its printed text parses to the same module;
  * for one target, the interpreter's results before and after every pass agree: within a tolerance derived from the
    arithmetic, or to the bit for passes that do not change arithmetic;
  * the loop stage gives the same bits in random work items, and tiled for another target;
  * generated code for one target gives the same bits: with one, two and three threads, for the whole batch, each sequence
    alone, shuffled, in chunks and in random work items.

K selects the targets. With N builds on this machine (native ones, and VNNI and AVX-512 with their intrinsics replaced), N
programs cover code for every build, and 4 N programs cover every pair of targets. --every-build checks code for all builds
for every program, at about a third of the speed.

A program that the compiler refuses with an error is not a disagreement; the reasons are counted and printed at the end. A
crash or a hang is a disagreement. A program that disagrees is printed with its seed, then reduced while the same check
fails and printed again; --program runs such a text.

Standard error gets a line of progress per minute. The last line is "N programs, M disagreements". Exit status: 0 without a
disagreement, 1 otherwise, 2 for a wrong command line.)";

struct Options {
  uint64_t count = 100, seed = 1, start = 0;
  double seconds = 0;
  bool verbose = false, code = true, every_build = false, reduce = true;
  std::string program;  // path of a program's text
};

// A folder that exists as long as this object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    path_ = (std::filesystem::temp_directory_path() / "random_programs-XXXXXX").string();
    CHECK(mkdtemp(path_.data()) != nullptr, "{}: cannot create the folder", path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

constexpr double kProgressSeconds = 60;

class Run {
 public:
  explicit Run(const Options& options) : options_(options) {
    checks_.code = options.code;
    checks_.every_build = options.every_build;
    checks_.folder = folder_.path();
  }

  int Go() {
    const Result<bool> ran = options_.program.empty() ? FromSeed() : FromFile();
    if (!ran) {
      fmt::print(stderr, "random_programs: {}\n", ran.error().message);
      return 1;
    }
    Summary();
    return disagreements_ == 0 ? 0 : 1;
  }

 private:
  Result<bool> FromSeed() {
    for (uint64_t index = options_.start; index < options_.start + options_.count; ++index) {
      if (options_.seconds > 0 && Elapsed() >= options_.seconds) break;
      One(Generate(options_.seed, index), fmt::format("program {} of seed {}", index, options_.seed),
          fmt::format("random_programs --seed {} --start {} --count 1", options_.seed, index));
    }
    return true;
  }

  Result<bool> FromFile() {
    std::ifstream file(options_.program, std::ios::binary);
    if (!file) return Err("{}: cannot open", options_.program);
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    ASSIGN_OR_RETURN(const Program program, ParseProgram(text, options_.program));
    One(program, options_.program, fmt::format("random_programs --program {}", options_.program));
    return true;
  }

  double Elapsed() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

  void One(const Program& program, const std::string& name, const std::string& command) {
    const double before = Elapsed();
    const Outcome outcome = RunIsolated([&] { return Check(program, checks_); });
    ++programs_;
    for (const auto& [pass, errors] : outcome.standard_errors) {
      largest_[pass] = std::max(largest_[pass], errors);
    }
    if (outcome.kind == Outcome::Kind::kRefused) {
      ++refused_;
      ++reasons_[Reason(outcome.message)];
    }
    if (options_.verbose) {
      constexpr const char* kKinds[] = {"agrees", "refused", "DISAGREES"};
      fmt::print("{}: {} ops, {} tokens, {:.0f} ms: {} {}\n", name, OpCount(program),
                 program.batch.ids.size(), 1000 * (Elapsed() - before),
                 kKinds[static_cast<int>(outcome.kind)], outcome.message);
    }
    if (outcome.kind == Outcome::Kind::kDisagrees) ++disagreements_;
    Progress();
    if (outcome.kind != Outcome::Kind::kDisagrees) return;
    fmt::print("\n{}: {}: {}\nreproduce: {}\n{}", name, outcome.check, outcome.message, command,
               ToText(program));
    fflush(stdout);
    if (options_.reduce) ReduceAndPrint(program, outcome);
  }

  // One line per minute: thousands of programs take an hour.
  void Progress() {
    if (Elapsed() < next_progress_) return;
    next_progress_ = Elapsed() + kProgressSeconds;
    fmt::print(stderr, "random_programs: {} of {}, {} disagreements, {:.0f} min\n", programs_, options_.count,
               disagreements_, Elapsed() / 60);
  }

  void ReduceAndPrint(const Program& program, const Outcome& outcome) {
    Outcome last = outcome;
    const Reduction reduction = Reduce(program, [&](const Program& smaller) {
      Outcome now = RunIsolated([&] { return Check(smaller, checks_); });
      if (now.kind != outcome.kind || now.check != outcome.check) return false;
      last = std::move(now);
      return true;
    });
    fmt::print("\nreduced from {} ops to {} in {} tries: {}: {}\n{}\n", OpCount(program),
               OpCount(reduction.program), reduction.tries, last.check, last.message,
               ToText(reduction.program));
    fflush(stdout);
  }

  // The message without names and numbers, so that equal reasons of different programs are counted together.
  static std::string Reason(const std::string& message) {
    std::string reason;
    for (size_t i = 0; i < message.size(); ++i) {
      const char c = message[i];
      if (c == '@') {
        reason += "@...";
        while (i + 1 < message.size() &&
               std::string_view(" ,:").find(message[i + 1]) == std::string_view::npos)
          ++i;
      } else if (c >= '0' && c <= '9') {
        if (!reason.ends_with('#')) reason += '#';
      } else {
        reason += c;
      }
    }
    return reason;
  }

  void Summary() const {
    for (const auto& [reason, count] : reasons_) fmt::print("refused {:6}: {}\n", count, reason);
    for (const auto& [pass, errors] : largest_) {
      fmt::print("{}: at most {:.2f} standard errors ({} are allowed)\n", pass, errors,
                 passes::kMaxStandardErrors);
    }
    fmt::print("refused {} of {} programs ({:.1f} %), {:.0f} programs per minute\n", refused_, programs_,
               100.0 * static_cast<double>(refused_) / static_cast<double>(std::max<int64_t>(programs_, 1)),
               60 * static_cast<double>(programs_) / std::max(Elapsed(), 1e-3));
    fmt::print("{} programs, {} disagreements\n", programs_, disagreements_);
  }

  const Options options_;
  const TemporaryFolder folder_;
  CheckOptions checks_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  double next_progress_ = kProgressSeconds;
  int64_t programs_ = 0, refused_ = 0, disagreements_ = 0;
  std::map<std::string, int64_t> reasons_;
  std::map<std::string, double> largest_;  // standard errors by pass, for passes with a tolerance
};

}  // namespace
}  // namespace ggufc::programs

int main(int argc, char** argv) {
  ggufc::programs::Options options;
  CLI::App app(ggufc::programs::kDescription, "random_programs");
  app.add_option("--count", options.count, "number of programs (default 100)");
  app.add_option("--seed", options.seed, "seed of all programs (default 1)");
  app.add_option("--start", options.start, "number of the first program (default 0)");
  app.add_option("--time", options.seconds, "seconds after which no new program starts (default: no limit)");
  app.add_option("--program", options.program,
                 "check the program in this file instead, in the form that a reduction prints");
  app.add_flag("--every-build", options.every_build,
               "check code for all builds of this machine for each program");
  app.add_flag("!--no-code", options.code, "check passes and interpreters only, which is ten times as fast");
  app.add_flag("!--no-reduce", options.reduce, "do not reduce programs that disagree");
  app.add_flag("-v,--verbose", options.verbose, "print one line per program");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return ggufc::programs::Run(options).Go();
}
