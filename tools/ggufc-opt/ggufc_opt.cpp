// ggufc-opt: reads IR text, verifies it, runs the named passes, and prints the resulting IR, or runs it in the interpreter
// with random weights (equal for equal seeds, so that two stages of a model can be compared).
#include <algorithm>
#include <exception>
#include <iostream>
#include <iterator>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "ir/interpret/interpreter.h"
#include "ir/interpret/random_weights.h"
#include "ir/text/parser.h"
#include "ir/text/printer.h"
#include "ir/verify/verifier.h"
#include "passes/pipeline.h"
#include "support/os/interruption.h"
#include "support/os/mapped_file.h"
#include "support/os/output_file.h"
#include "support/result.h"
#include "tools/io/console.h"
#include "tools/io/number_list.h"

namespace ggufc::tools {
namespace {

constexpr const char* kProgram = "ggufc-opt";

constexpr CommandHelp kHelp = {
    "", "FILE [options]",
    "Reads the IR text FILE (- is standard input) and verifies it, runs passes on it, and prints the result, "
    "or the\nresult of its forward function for given token ids, with random weights.",
    R"(Examples:
  ggufc-opt --list-passes
  ggufc dump model.gguf --stage graph | ggufc-opt - --passes fold-scales,merge-linears
  ggufc-opt model.tir --interpret --ids 2,10,1 --ids 2,5,6,1

Exit status: 0 success, 1 wrong text, 2 wrong command line.)",
    kProgram};

struct Options {
  std::string file;
  std::vector<std::string> passes;
  std::string activations = "i16";
  bool verify = false;
  bool interpret = false;
  bool list_passes = false;
  std::vector<std::string> ids;
  uint64_t seed = 1;
};

Result<std::string> ReadText(const std::string& file) {
  if (file == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  ASSIGN_OR_RETURN(const MappedFile mapped, MappedFile::Open(file));
  return std::string(mapped.bytes().begin(), mapped.bytes().end());
}

// Adds one sequence from a list of ids such as "2,10,1".
Status AddSequence(std::string_view list, ir::InterpreterInput& input) {
  ASSIGN_OR_RETURN(const std::vector<int32_t> ids, WithContext("--ids", ParseIds(list)));
  input.ids.insert(input.ids.end(), ids.begin(), ids.end());
  input.lengths.push_back(static_cast<int32_t>(ids.size()));
  return {};
}

std::string Rows(const ir::InterpreterOutput& output) {
  std::string text;
  for (int64_t row = 0; row < output.rows; ++row) {
    for (int64_t column = 0; column < output.columns; ++column) {
      text += fmt::format("{}{:.9g}", column == 0 ? "" : " ", output.values[row * output.columns + column]);
    }
    text += '\n';
  }
  return text;
}

Status Process(const Options& options, const passes::PassContext& context,
               const ir::InterpreterInput& input) {
  ASSIGN_OR_RETURN(const std::string text, ReadText(options.file));
  const std::string name = options.file == "-" ? "stdin" : options.file;
  ASSIGN_OR_RETURN(ir::Module module, ir::Parse(text, name));
  RETURN_IF_ERROR(WithContext(name, ir::Verify(module)));
  for (const std::string& pass : options.passes) {
    RETURN_IF_ERROR(WithContext(name, passes::RunPass(*passes::FindPass(pass), module, context)));
  }
  if (options.interpret) {
    ASSIGN_OR_RETURN(const ir::InterpreterOutput output,
                     WithContext(name, ir::Interpret(module, ir::RandomWeights(options.seed), input)));
    return WriteToStdout(Rows(output));
  }
  return options.verify ? Status() : WriteToStdout(ir::Print(module));
}

int Finish(const Status& status) { return status ? kGood : Fail(status.error(), kProgram); }

int Run(const Arguments& arguments) {
  CommandLine line(kHelp);
  Options options;
  CLI::App& app = line.app();
  app.add_option("FILE", options.file, "IR text; - for standard input");
  app.add_option("--passes", options.passes, "passes to run, in this order")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAME[,NAME...]");
  app.add_option("--activations", options.activations,
                 "how activations are quantised where a pass decides it: i16 (default), i8, i7")
      ->check(OneOf({"i16", "i8", "i7"}))
      ->type_name("MODE");
  app.add_flag("--verify", options.verify, "only verify; print no IR");
  app.add_flag("--interpret", options.interpret, "print the result of forward, one line per sequence");
  app.add_option("--ids", options.ids, "token ids of one sequence, such as 2,10,1; repeat for each sequence")
      ->allow_extra_args(false)
      ->type_name("N,N,...");
  app.add_option("--seed", options.seed, "seed of the random weights (default 1)")->type_name("N");
  app.add_flag("--list-passes", options.list_passes, "print the passes, in pipeline order");
  if (const auto status = line.Parse(arguments)) return *status;

  if (options.list_passes) {
    std::string list;
    for (const passes::PassInfo& pass : passes::AllPasses()) {
      list += fmt::format("{:<22}{:<8}{}\n", pass.name, ir::Name(pass.stage), pass.summary);
    }
    return Finish(WriteToStdout(list));
  }
  if (options.file.empty()) return line.UsageError("FILE is required");
  for (const std::string& pass : options.passes) {
    if (passes::FindPass(pass) == nullptr)
      return line.UsageError(fmt::format("--passes: there is no pass {} (see --list-passes)", pass));
  }
  passes::PassContext context;
  context.activations = options.activations == "i16"  ? ir::Scalar::kQ16
                        : options.activations == "i8" ? ir::Scalar::kQ8
                                                      : ir::Scalar::kQ7;
  ir::InterpreterInput input;
  if (options.interpret && options.ids.empty()) return line.UsageError("--interpret needs --ids");
  for (const std::string& list : options.ids) {
    if (Status status = AddSequence(list, input); !status) return line.UsageError(status.error().message);
  }

  return Finish(Process(options, context, input));
}

}  // namespace
}  // namespace ggufc::tools

int main(int argc, char** argv) {
  using namespace ggufc;
  OpenStandardStreams();
  EndCleanlyOnSignals();
  try {
    return tools::Run({argv + std::min(argc, 1), argv + argc});
  } catch (const std::bad_alloc&) {
    return tools::Fail(Error{.message = "not enough memory"}, tools::kProgram);
  } catch (const std::exception& exception) {
    return tools::Fail(Error{.message = exception.what()}, tools::kProgram);
  }
}
