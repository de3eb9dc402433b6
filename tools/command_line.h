// What the subcommands share: flags, help, exit statuses, and how they talk to the user. Results go to stdout
// (output_file.h); everything here that prints a message prints to stderr.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/compile.h"
#include "support/result.h"
#include "tools/commands.h"

namespace ggufc::tools {

enum ExitStatus : int { kGood = 0, kWrongInput = 1, kUsage = 2 };

// "ggufc: MESSAGE" on stderr; returns kWrongInput.
int Fail(const Error& error);
void Warn(std::string_view message);
void PrintToStderr(std::string_view text);

// One line on stderr that changes in place; nothing when stderr is not a terminal.
class Progress {
 public:
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void Show(std::string_view line);  // at most ten times a second
  void Clear();

 private:
  bool enabled_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point last_{};
};

struct CommandHelp {
  const char* name;      // "embed"
  const char* usage;     // "MODEL [TEXT...] [options]"
  const char* about;     // what it does; ends without a newline
  const char* examples;  // behind the options
};

// The flags of one subcommand. CLI11 does the work; arguments behind the declared positional ones are texts,
// which are taken as they are: CLI11 would read a text in square brackets as a list.
class CommandLine {
 public:
  explicit CommandLine(const CommandHelp& help);

  CLI::App& app() { return app_; }
  void TakeTexts() { app_.allow_extras(); }
  const std::vector<std::string>& texts() const { return texts_; }

  // Nothing when the command can go on; otherwise its exit status, with help or a message already printed.
  std::optional<int> Parse(const Arguments& arguments);
  // A usage error found after parsing; returns kUsage.
  int UsageError(std::string_view message) const;

 private:
  Status TakeExtras();

  CLI::App app_;
  std::string name_;
  std::vector<std::string> texts_;
};

// Flags that say how a model is compiled.
struct ModelFlags {
  std::string model;
  std::string target = "native";
  std::string activations = "i16";
  int64_t dims = 0;
  bool no_normalize = false;

  void AddModel(CLI::App& app);
  void AddTarget(CLI::App& app);  // and --activations
  void AddDims(CLI::App& app);    // and --no-normalize

  Result<compiler::CompileOptions> Options() const;
};

void AddThreads(CLI::App& app, int& threads);
// A check for CLI11 options: the value is one of `names`.
CLI::Validator OneOf(std::vector<std::string> names);

// Opens the model and prints its warnings.
Result<std::unique_ptr<compiler::Model>> OpenModel(const std::string& path);
// Compiles and loads for this machine.
Result<std::unique_ptr<compiler::Engine>> MakeEngine(const compiler::Model& model,
                                                     const compiler::CompileOptions& options, int threads,
                                                     bool profile);
// Puts the model's path before messages that do not name it.
Error NameModel(const compiler::Model& model, Error error);

}  // namespace ggufc::tools
