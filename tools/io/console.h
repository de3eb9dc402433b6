// Shared by the programs and their subcommands: flags, help, exit statuses and messages to the user. Results go to
// stdout (support/os/output_file.h); messages go to stderr.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/result.h"

namespace ggufc::tools {

using Arguments = std::vector<std::string>;

enum ExitStatus : int { kGood = 0, kWrongInput = 1, kUsage = 2 };

// Fail prints "ggufc: MESSAGE" to stderr and returns kWrongInput. Warn prints "ggufc: warning: MESSAGE". Both print one
// line and escape control characters of paths and names (support/text.h: Printable). PrintToStderr expects escaped
// text.
int Fail(const Error& error, std::string_view program = "ggufc");
void Warn(std::string_view message, std::string_view program = "ggufc");
void PrintToStderr(std::string_view text);

// A progress line on stderr that is rewritten in place. Prints nothing if stderr is not a terminal.
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
  const char* name;      // "embed"; empty for a program without subcommands
  const char* usage;     // "MODEL [TEXT...] [options]"
  const char* about;     // description, without a newline at the end
  const char* examples;  // printed after the options
  const char* program = "ggufc";

  // The words that run the command.
  std::string Typed() const { return fmt::format("{}{}{}", program, *name == '\0' ? "" : " ", name); }
};

// The command line of one subcommand, parsed by CLI11. Arguments after the declared positional ones are texts. CLI11
// does not parse them, because it would read a text in square brackets as a list.
class CommandLine {
 public:
  explicit CommandLine(const CommandHelp& help);

  CLI::App& app() { return app_; }
  void TakeTexts() { app_.allow_extras(); }
  const std::vector<std::string>& texts() const { return texts_; }

  // Returns nothing if the command can go on. Else prints help or a message and returns the exit status.
  std::optional<int> Parse(const Arguments& arguments);
  // Prints a usage error found after parsing; returns kUsage.
  int UsageError(std::string_view message) const;

 private:
  Status TakeExtras();

  CLI::App app_;
  std::string typed_;
  std::vector<std::string> texts_;
};

void AddThreads(CLI::App& app, int& threads);
// A validator for CLI11 options: the value must be one of `names`.
CLI::Validator OneOf(std::vector<std::string> names);
// A validator for CLI11 options: the value must be an integer in [least, most].
CLI::Validator NumberFrom(int64_t least, int64_t most);

}  // namespace ggufc::tools
