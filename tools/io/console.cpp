#include "tools/io/console.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "runtime/exec/thread_pool.h"
#include "support/os/output_file.h"
#include "support/text.h"

namespace ggufc::tools {
namespace {

class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(const CommandHelp& help) : help_(help) { column_width(30); }
  std::string make_help(const CLI::App* app, std::string, CLI::AppFormatMode mode) const override {
    return fmt::format("Usage: {} {}\n\n{}\n{}\n{}\n", help_.Typed(), help_.usage, help_.about,
                       make_groups(app, mode), help_.examples);
  }

  // Omits CLI11's notes on exclusive options. A wrong combination has its own message.
  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_type_size() == 0 ? "" : " " + option->get_type_name();
  }

 private:
  CommandHelp help_;
};

}  // namespace

void PrintToStderr(std::string_view text) {
  // An error of stderr itself cannot be reported.
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), stderr));
}

int Fail(const Error& error, std::string_view program) {
  PrintToStderr(Printable(fmt::format("{}: {}", program, error.message)) + "\n");
  return kWrongInput;
}

void Warn(std::string_view message, std::string_view program) {
  PrintToStderr(Printable(fmt::format("{}: warning: {}", program, message)) + "\n");
}

Progress::Progress() : enabled_(isatty(STDERR_FILENO) == 1) {}
Progress::~Progress() { Clear(); }

void Progress::Show(std::string_view line) {
  if (!enabled_) return;
  const auto now = std::chrono::steady_clock::now();
  if (shown_ && now - last_ < std::chrono::milliseconds(100)) return;
  PrintToStderr(fmt::format("\r{}\x1b[K", line));
  shown_ = true;
  last_ = now;
}

void Progress::Clear() {
  if (shown_) PrintToStderr("\r\x1b[K");
  shown_ = false;
}

CommandLine::CommandLine(const CommandHelp& help) : typed_(help.Typed()) {
  app_.formatter(std::make_shared<HelpFormatter>(help));
  app_.set_help_flag("-h,--help", "this text");
}

std::optional<int> CommandLine::Parse(const Arguments& arguments) {
  try {
    app_.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    const Status written = WriteToStdout(app_.help());
    return written ? kGood : Fail(written.error());
  } catch (const CLI::ConversionError& error) {
    // "Could not convert: --seed = 1x"
    std::string_view message = error.what();
    const size_t flag = message.find("--"), value = message.find(" = ");
    if (flag == message.npos || value == message.npos || value < flag) return UsageError(message);
    return UsageError(fmt::format("{}: '{}' is not a number, or is out of range",
                                  message.substr(flag, value - flag), message.substr(value + 3)));
  } catch (const CLI::Error& error) {
    return UsageError(error.what());
  }
  if (const Status status = TakeExtras(); !status) return UsageError(status.error().message);
  return std::nullopt;
}

// Sorts the arguments that CLI11 did not place: texts, unknown flags, and `--`, after which all arguments are texts.
Status CommandLine::TakeExtras() {
  bool all_texts = false;
  for (std::string& extra : app_.remaining()) {
    if (!all_texts && extra == "--") {
      all_texts = true;
    } else if (!all_texts && extra.size() > 1 && extra[0] == '-' && (extra[1] < '0' || extra[1] > '9')) {
      return Err("{} is not a flag of this command (write -- before texts that start with -)", extra);
    } else {
      texts_.push_back(std::move(extra));
    }
  }
  return {};
}

int CommandLine::UsageError(std::string_view message) const {
  PrintToStderr(fmt::format("{}: {}\nTry: {} --help\n", typed_, Printable(message), typed_));
  return kUsage;
}

CLI::Validator OneOf(std::vector<std::string> names) {
  return CLI::Validator(
      [names = std::move(names)](std::string& value) -> std::string {
        if (std::ranges::find(names, value) != names.end()) return {};
        return fmt::format("'{}' is none of {}", value, fmt::join(names, ", "));
      },
      "");
}

CLI::Validator NumberFrom(int64_t least, int64_t most) {
  return CLI::Validator(
      [least, most](std::string& value) -> std::string {
        int64_t number = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
        const bool is_number = error == std::errc() && end == value.data() + value.size();
        if (is_number && number >= least && number <= most) return {};
        return fmt::format("'{}' is not a number from {} to {}", value, least, most);
      },
      "");
}

void AddThreads(CLI::App& app, int& threads) {
  app.add_option("--threads", threads, "threads to compute with (default: all cores this process may use)")
      ->check(NumberFrom(1, runtime::ThreadPool::kMaxThreads))
      ->type_name("N");
}

}  // namespace ggufc::tools
