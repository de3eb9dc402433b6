// What the programs and their subcommands share: flags, help, exit statuses, and how they talk to the user. Results go
// to stdout (support/os/output_file.h); everything here that prints a message prints to stderr.
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

// "ggufc: MESSAGE" on stderr; returns kWrongInput. A message is one line and prints safely, whatever the paths and names
// in it hold (support/text.h: Printable). What goes to PrintToStderr has been made so before.
int Fail(const Error& error, std::string_view program = "ggufc");
void Warn(std::string_view message, std::string_view program = "ggufc");
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
  const char* name;      // "embed"; empty for a program without subcommands
  const char* usage;     // "MODEL [TEXT...] [options]"
  const char* about;     // what it does; ends without a newline
  const char* examples;  // behind the options
  const char* program = "ggufc";

  // What is typed to run it.
  std::string Typed() const { return fmt::format("{}{}{}", program, *name == '\0' ? "" : " ", name); }
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
  std::string typed_;
  std::vector<std::string> texts_;
};

void AddThreads(CLI::App& app, int& threads);
// A check for CLI11 options: the value is one of `names`.
CLI::Validator OneOf(std::vector<std::string> names);
// The same: an integer within the limits.
CLI::Validator NumberFrom(int64_t least, int64_t most);

}  // namespace ggufc::tools
