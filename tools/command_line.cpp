#include "tools/command_line.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "codegen/target.h"
#include "runtime/thread_pool.h"
#include "tools/output_file.h"

namespace ggufc::tools {
namespace {

class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(const CommandHelp& help) : help_(help) { column_width(30); }
  std::string make_help(const CLI::App* app, std::string, CLI::AppFormatMode mode) const override {
    return fmt::format("Usage: ggufc {} {}\n\n{}\n{}\n{}\n", help_.name, help_.usage, help_.about,
                       make_groups(app, mode), help_.examples);
  }

  // Without CLI11's notes on what excludes what: a wrong combination gets a message of its own.
  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_type_size() == 0 ? "" : " " + option->get_type_name();
  }

 private:
  CommandHelp help_;
};

}  // namespace

void PrintToStderr(std::string_view text) {
  // When stderr is gone there is nobody to tell.
  static_cast<void>(std::fwrite(text.data(), 1, text.size(), stderr));
}

int Fail(const Error& error) {
  PrintToStderr(fmt::format("ggufc: {}\n", error.message));
  return kWrongInput;
}

void Warn(std::string_view message) { PrintToStderr(fmt::format("ggufc: warning: {}\n", message)); }

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

CommandLine::CommandLine(const CommandHelp& help) : name_(help.name) {
  app_.formatter(std::make_shared<HelpFormatter>(help));
  app_.set_help_flag("-h,--help", "this text");
}

std::optional<int> CommandLine::Parse(const Arguments& arguments) {
  try {
    app_.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    const Status written = WriteToStdout(app_.help());
    return written ? kGood : Fail(written.error());
  } catch (const CLI::Error& error) {
    return UsageError(error.what());
  }
  if (const Status status = TakeExtras(); !status) return UsageError(status.error().message);
  return std::nullopt;
}

// What CLI11 did not place: texts, unknown flags, and the `--` behind which everything is a text.
Status CommandLine::TakeExtras() {
  bool all_texts = false;
  for (std::string& extra : app_.remaining()) {
    if (!all_texts && extra == "--") {
      all_texts = true;
    } else if (!all_texts && extra.size() > 1 && extra[0] == '-' && (extra[1] < '0' || extra[1] > '9')) {
      return Err("{} is not a flag of this command (texts that start with - go behind --)", extra);
    } else {
      texts_.push_back(std::move(extra));
    }
  }
  return {};
}

int CommandLine::UsageError(std::string_view message) const {
  PrintToStderr(fmt::format("ggufc {}: {}\nTry: ggufc {} --help\n", name_, message, name_));
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

void ModelFlags::AddModel(CLI::App& app) {
  app.add_option("MODEL", model, "the model, a GGUF file")->required();
}

void ModelFlags::AddTarget(CLI::App& app) {
  std::vector<std::string> targets = {"native"};
  for (const codegen::Target& row : codegen::Targets()) targets.emplace_back(row.name());
  app.add_option("--target", target,
                 fmt::format("instructions to use: {};\nnative (default): the best this machine has",
                             fmt::join(targets, ", ")))
      ->check(OneOf(targets))
      ->type_name("NAME");
  app.add_option("--activations", activations,
                 "bits of activations in products with q8_0 weights: i16 (default, 1 - cos to\n"
                 "exact below 1e-7), i8 (fast with VNNI), i7 (fast with AVX2)")
      ->check(OneOf({"i16", "i8", "i7"}))
      ->type_name("MODE");
}

void ModelFlags::AddDims(CLI::App& app) {
  app.add_option("--dims", dims,
                 "keep the first N numbers of an embedding (this family is trained for\n768, 512, 256, 128)")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 30).description(""))
      ->type_name("N");
  app.add_flag("--no-normalize", no_normalize, "do not scale embeddings to length 1");
}

Result<compiler::CompileOptions> ModelFlags::Options() const {
  compiler::CompileOptions options;
  ASSIGN_OR_RETURN(options.target, codegen::FindTarget(target));
  ASSIGN_OR_RETURN(options.activations, compiler::ParseActivations(activations));
  options.dims = dims;
  options.normalize = !no_normalize;
  return options;
}

void AddThreads(CLI::App& app, int& threads) {
  app.add_option("--threads", threads, "threads to compute with (default: all cores this process may use)")
      ->check(CLI::Range(1, runtime::ThreadPool::kMaxThreads).description(""))
      ->type_name("N");
}

Result<std::unique_ptr<compiler::Model>> OpenModel(const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<compiler::Model> model, compiler::Model::Open(path));
  for (const std::string& warning : model->warnings()) Warn(fmt::format("{}: {}", path, warning));
  return model;
}

Result<std::unique_ptr<compiler::Engine>> MakeEngine(const compiler::Model& model,
                                                     const compiler::CompileOptions& options, int threads,
                                                     bool profile) {
  if (!codegen::HostRuns(*options.target)) {
    return Err("--target {}: this machine cannot run its code (the best it runs is {})",
               options.target->name(), codegen::NativeTarget().name());
  }
  Progress progress;
  progress.Show("compiling ...");
  Result<compiler::CompiledModel> compiled = compiler::Compile(model, options);
  if (!compiled) return tl::unexpected(NameModel(model, compiled.error()));
  runtime::ExecutorOptions executor;
  executor.threads = threads;
  executor.profile = profile;
  Result<std::unique_ptr<compiler::Engine>> engine =
      compiler::Engine::Load(model, std::move(*compiled), executor);
  if (!engine) return tl::unexpected(NameModel(model, engine.error()));
  return engine;
}

Error NameModel(const compiler::Model& model, Error error) {
  const std::string prefix = model.file().path() + ": ";
  if (!error.message.starts_with(prefix)) error.message.insert(0, prefix);
  return error;
}

}  // namespace ggufc::tools
