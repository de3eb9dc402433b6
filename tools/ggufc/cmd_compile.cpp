// ggufc compile: a model becomes an object file, a shared library or an executable.
#include <sys/stat.h>

#include <filesystem>
#include <optional>

#include "codegen/target.h"
#include "driver/aot/artifact.h"
#include "support/os/output_file.h"
#include "support/text.h"
#include "tools/artifact/link_artifact.h"
#include "tools/ggufc/command_line.h"
#include "tools/io/report.h"

namespace ggufc::tools {
namespace {

namespace fs = std::filesystem;

constexpr CommandHelp kCompileHelp = {
    "compile", "MODEL -o OUT [options]",
    "Compiles MODEL ahead of time: into code that needs neither this program nor "
    "a compiler when it runs, takes\n"
    "text and gives the same vectors as `ggufc embed`, bit for bit.",
    R"(What is written (--emit):
  obj     OUT.o and OUT.h, for a program in C or in any language that calls C. It links OUT.o and
          libggufc_runtime.a, -lm and -lpthread, and calls NAME_open and the functions of ggufc.h.
  shared  OUT.so and OUT.h: the same with the runtime in it, to be linked or loaded with dlopen.
  exe     OUT, a program: texts or JSON lines in, vectors out. OUT --help says more.
  llvm    OUT.ll, LLVM IR for reading; - is standard output
  asm     OUT.s, assembly for reading; - is standard output

Weights (--weights):
  sidecar NAME.weights beside OUT. It is mapped and used in place; keep it beside the program or library
          (or in the working directory, or give its path to NAME_open or --weights). Code and weights know
          each other by fingerprint and refuse others.
  embed   in the object or program itself, which must stay below 2 GiB

Code of a 300M model takes 90 to 120 KB a target; the best that the CPU runs is chosen when the model is opened. Weights are
shared by targets that want them packed alike: by all with i16; with i8 and i7 there are two packings, and
--target leaves out the one that is not needed (117 MB of a 300M model in q8_0).

Linking runs ${CC:-cc}. libggufc_runtime.a is looked for in ../lib as seen from ggufc, or where the variable
GGUFC_RUNTIME_LIBRARY says it is. All files appear when all is done, weights first, code last. The same input
gives the same bytes. `ggufc verify` checks what was written.

Examples:
  ggufc compile model.gguf -o build/gemma          gemma.o, gemma.h, gemma.weights
  cc -Iinclude main.c build/gemma.o lib/libggufc_runtime.a -lm -lpthread
  ggufc compile model.gguf --emit exe -o gemma && ./gemma --prompt query "where do cats sleep?"
  ggufc compile model.gguf --emit shared --weights embed --dims 256 -o libgemma.so --name gemma
  ggufc compile model.gguf --emit asm --target avx512vnni -o - | less)"};

struct CompileFlags {
  ModelFlags model;
  std::string output;
  std::string emit = "obj";
  std::string targets = "all";
  std::string weights = "sidecar";
  std::string name;
};

Result<std::vector<const codegen::Target*>> ParseTargets(const std::string& list) {
  std::vector<const codegen::Target*> targets;
  size_t begin = 0;
  while (begin <= list.size()) {
    const size_t end = std::min(list.find(',', begin), list.size());
    const std::string_view name = std::string_view(list).substr(begin, end - begin);
    if (name == "all") {
      for (const codegen::Target& target : codegen::Targets()) targets.push_back(&target);
    } else {
      ASSIGN_OR_RETURN(const codegen::Target* target, codegen::FindTarget(name));
      targets.push_back(target);
    }
    begin = end + 1;
  }
  return targets;
}

// Where the parts go, from -o, --emit and --name.
struct Paths {
  std::string code;    // OUT.o, OUT.so, OUT, OUT.ll, OUT.s
  std::string header;  // empty where there is none
  std::string weights;
  std::string name;
};

Paths PathsOf(const CompileFlags& flags) {
  const char* suffix = flags.emit == "obj"      ? ".o"
                       : flags.emit == "shared" ? ".so"
                       : flags.emit == "llvm"   ? ".ll"
                       : flags.emit == "asm"    ? ".s"
                                                : "";
  std::string base = flags.output;
  if (base.size() > std::strlen(suffix) && base.ends_with(suffix))
    base.resize(base.size() - std::strlen(suffix));
  Paths paths;
  paths.code = flags.output == "-" ? flags.output : base + suffix;
  if (flags.emit == "obj" || flags.emit == "shared") paths.header = base + ".h";
  const fs::path path(base);
  paths.name = flags.name;
  if (paths.name.empty()) {
    // Text for reading has a name in it too, and standard output none to take it from.
    paths.name = flags.output == "-" ? "model" : driver::MakeArtifactName(path.filename().string());
  }
  paths.weights = (path.parent_path() / (paths.name + ".weights")).string();
  return paths;
}

Status WriteText(const std::string& path, const std::string& text) {
  ASSIGN_OR_RETURN(OutputFile file, OutputFile::Create(path));
  RETURN_IF_ERROR(file.Write(text));
  return file.Finish();
}

// Everything goes to temporary files first; then they are renamed, code last, so that nobody finds code whose weights or
// header are still those of another compilation.
Status WriteParts(const driver::Artifact& artifact, const CompileFlags& flags, const Paths& paths,
                  Progress& progress) {
  std::vector<OutputFile> files;
  const auto create = [&](const std::string& path, OutputFileOptions options = {}) -> Result<OutputFile> {
    ASSIGN_OR_RETURN(OutputFile file, OutputFile::Create(path, options));
    if (!file.seekable()) return Err("{}: cannot write there: it is no regular file", path);
    return file;
  };
  if (flags.weights == "sidecar") {
    ASSIGN_OR_RETURN(OutputFile file, create(paths.weights));
    RETURN_IF_ERROR(artifact.WriteWeights(file));
    RETURN_IF_ERROR(file.Flush());
    files.push_back(std::move(file));
  }
  if (!paths.header.empty()) {
    ASSIGN_OR_RETURN(OutputFile file, create(paths.header));
    RETURN_IF_ERROR(artifact.WriteHeader(file));
    RETURN_IF_ERROR(file.Flush());
    files.push_back(std::move(file));
  }
  if (flags.emit == "obj") {
    ASSIGN_OR_RETURN(OutputFile file, create(paths.code));
    RETURN_IF_ERROR(artifact.WriteObject(file));
    RETURN_IF_ERROR(file.Flush());
    files.push_back(std::move(file));
  } else {
    const bool shared = flags.emit == "shared";
    ASSIGN_OR_RETURN(OutputFile linked, create(paths.code, {.permissions = 0777}));
    // Input of the linker only: it is never finished, and so removed.
    ASSIGN_OR_RETURN(OutputFile object, create(paths.code + ".o"));
    RETURN_IF_ERROR(artifact.WriteObject(object));
    RETURN_IF_ERROR(object.Flush());
    progress.Show("linking ...");
    RETURN_IF_ERROR(LinkArtifact(shared ? Linked::kShared : Linked::kExecutable, object.temporary(),
                                 paths.name, fs::path(paths.code).filename().string(), linked));
    files.push_back(std::move(linked));
  }
  for (OutputFile& file : files) RETURN_IF_ERROR(file.Finish());
  return {};
}

std::string SizeOf(const std::string& path) {
  std::error_code error;
  const auto bytes = fs::file_size(path, error);
  return fmt::format("{} ({} bytes)", path, error ? "?" : Grouped(static_cast<int64_t>(bytes)));
}

Status Compile(const CompileFlags& flags, std::vector<const codegen::Target*> targets, const Paths& paths) {
  driver::ArtifactOptions options;
  ASSIGN_OR_RETURN(options.compile, flags.model.Options());
  options.name = paths.name;
  options.targets = std::move(targets);
  options.embed = flags.weights == "embed";
  options.main = flags.emit == "exe";
  Progress progress;
  options.progress = [&](std::string_view what) { progress.Show(fmt::format("{} ...", what)); };
  const bool text = flags.emit == "llvm" || flags.emit == "asm";
  const bool sidecar = !text && flags.weights == "sidecar";
  for (const std::string& path : {paths.code, paths.header, sidecar ? paths.weights : ""}) {
    RETURN_IF_ERROR(CheckNotAnInput(path, {flags.model.model}));
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<driver::SourceModel> model, OpenModel(flags.model.model));
  const auto named = [&](Status status) -> Status {
    if (!status) return tl::unexpected(NameModel(*model, status.error()));
    return {};
  };
  Result<std::unique_ptr<driver::Artifact>> artifact = driver::Artifact::Plan(*model, std::move(options));
  if (!artifact) return tl::unexpected(NameModel(*model, artifact.error()));
  if (text) {
    const Result<std::string> printed =
        flags.emit == "llvm" ? (*artifact)->PrintLlvm() : (*artifact)->PrintAssembly();
    progress.Clear();
    if (!printed) return tl::unexpected(NameModel(*model, printed.error()));
    return WriteText(paths.code, *printed);
  }
  RETURN_IF_ERROR(named((*artifact)->Compile()));
  RETURN_IF_ERROR(WriteParts(**artifact, flags, paths, progress));
  progress.Clear();
  std::string written;
  if (flags.weights == "sidecar") written += SizeOf(paths.weights) + ", ";
  if (!paths.header.empty()) written += paths.header + ", ";
  const std::string next = flags.emit == "exe" ? fmt::format("see {} --help", paths.code)
                                               : fmt::format("open it with {}_open", paths.name);
  PrintToStderr(Printable(fmt::format("ggufc: wrote {}{}; {}", written, SizeOf(paths.code), next)) + "\n");
  return {};
}

}  // namespace

int RunCompile(const Arguments& arguments) {
  CommandLine line(kCompileHelp);
  CompileFlags flags;
  flags.model.AddModel(line.app());
  line.app()
      .add_option("-o,--output", flags.output,
                  "where to write; the ending that --emit implies may be left out")
      ->required()
      ->type_name("OUT");
  line.app()
      .add_option("--emit", flags.emit, "obj (default), shared, exe, llvm or asm, see below")
      ->check(OneOf({"obj", "shared", "exe", "llvm", "asm"}))
      ->type_name("KIND");
  std::string known;
  for (const codegen::Target& target : codegen::Targets()) known += fmt::format("{}, ", target.name());
  line.app()
      .add_option(
          "--target", flags.targets,
          fmt::format("CPUs to make code for, separated by commas: {}\nnative (the best this machine has); "
                      "default: all",
                      known))
      ->type_name("NAME[,NAME...]");
  line.app()
      .add_option("--weights", flags.weights, "sidecar (default) or embed, see below")
      ->check(OneOf({"sidecar", "embed"}))
      ->type_name("WHERE");
  line.app()
      .add_option("--name", flags.name,
                  "NAME of NAME_open and NAME.weights, a C identifier (default: OUT without\nfolder and "
                  "ending, _ for what no "
                  "identifier has)")
      ->type_name("NAME");
  flags.model.AddDims(line.app());
  flags.model.AddActivations(line.app());
  if (const auto status = line.Parse(arguments)) return *status;
  if (!line.texts().empty()) return line.UsageError(fmt::format("what is {}?", Quoted(line.texts().front())));
  const bool text = flags.emit == "llvm" || flags.emit == "asm";
  if (flags.output == "-" && !text) {
    return line.UsageError("only --emit llvm and asm can go to standard output");
  }
  Result<std::vector<const codegen::Target*>> targets = ParseTargets(flags.targets);
  if (!targets) return line.UsageError(targets.error().message);
  const Paths paths = PathsOf(flags);
  if (const Status status = driver::CheckArtifactName(paths.name); !status) {
    return line.UsageError(status.error().message + (flags.name.empty() ? " (give it with --name)" : ""));
  }
  if (!text && flags.weights == "sidecar" && paths.weights == paths.code) {
    return line.UsageError(fmt::format("{} would be both code and weights", paths.code));
  }
  const Status status = Compile(flags, std::move(*targets), paths);
  return status ? kGood : Fail(status.error());
}

}  // namespace ggufc::tools
