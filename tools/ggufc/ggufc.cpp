// ggufc: a compiler for text-embedding models. This file finds the subcommand; each has a file of its own.
#include <algorithm>
#include <exception>
#include <new>

#include "codegen/target.h"
#include "support/os/interruption.h"
#include "support/os/output_file.h"
#include "support/text.h"
#include "tools/ggufc/command_line.h"
#include "tools/ggufc/commands.h"

namespace ggufc::tools {
namespace {

struct Command {
  const char* name;
  const char* summary;
  int (*run)(const Arguments&);
};

// In the order of --help.
constexpr Command kCommands[] = {
    {"embed", "texts in, embeddings out", RunEmbed},
    {"cache", "what embed has kept of earlier compilations", RunCache},
    {"tokenize", "the token ids of texts", RunTokenize},
    {"inspect", "what is in a model file, and what will be compiled", RunInspect},
    {"bench", "how fast a model runs on this machine", RunBench},
    {"dump", "the program at any stage of its compilation, as text", RunDump},
    {"compile", "make an object, library or program that needs no compiler any more", RunCompile},
    {"verify", "check what compile has written, bit for bit", RunVerify},
    {"synth", "write a model with true shapes and random weights", RunSynth},
};

std::string Help() {
  std::string commands;
  for (const Command& command : kCommands)
    commands += fmt::format("  {:<10} {}\n", command.name, command.summary);
  return fmt::format(
      R"(ggufc compiles a text-embedding model (a GGUF file) into machine code for this CPU and runs it.

Usage: ggufc COMMAND MODEL.gguf ...        ggufc COMMAND --help        ggufc --version

Commands:
{}
Examples:
  ggufc embed model.gguf "The cat sleeps." "A cat is asleep."      one JSON line a text
  ggufc embed model.gguf --input docs.jsonl --prompt document --format npy --output docs.npy
  ggufc inspect model.gguf
  ggufc bench model.gguf --tokens 64,512
  ggufc synth -o random.gguf                                       no model at hand? Make one

Results go to standard output, everything else to standard error.
Exit status: 0 good, 1 the input is wrong, 2 the command line is wrong.
)",
      commands);
}

int Run(const Arguments& arguments) {
  if (arguments.empty()) {
    PrintToStderr(Help());
    return kUsage;
  }
  const std::string& name = arguments.front();
  const auto print = [](const std::string& text) {
    const Status status = WriteToStdout(text);
    return status ? static_cast<int>(kGood) : Fail(status.error());
  };
  if (name == "--help" || name == "-h" || (name == "help" && arguments.size() == 1)) return print(Help());
  if (name == "--version") {
    return print(fmt::format("ggufc {} (this CPU: {})\n", GGUFC_VERSION, codegen::NativeTarget().name()));
  }
  for (const Command& command : kCommands) {
    if (name == command.name) return command.run({arguments.begin() + 1, arguments.end()});
    if (name == "help" && arguments[1] == command.name) return command.run({"--help"});
  }
  std::string known;
  for (const Command& command : kCommands)
    known += fmt::format("{}{}", known.empty() ? "" : ", ", command.name);
  PrintToStderr(fmt::format("ggufc: {} is no command; there are {}\nTry: ggufc --help\n",
                            Quoted(name == "help" ? arguments[1] : name), known));
  return kUsage;
}

}  // namespace
}  // namespace ggufc::tools

int main(int argc, char** argv) {
  ggufc::OpenStandardStreams();
  ggufc::EndCleanlyOnSignals();
  try {
    return ggufc::tools::Run({argv + std::min(argc, 1), argv + argc});
  } catch (const std::bad_alloc&) {
    return ggufc::tools::Fail({"not enough memory"});
  } catch (const std::exception& exception) {
    return ggufc::tools::Fail({exception.what()});
  }
}
