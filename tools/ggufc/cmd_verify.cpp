// ggufc verify: whether an artifact is what it was when it was made, and still computes what it did.
#include <dlfcn.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>

#include "codegen/jit.h"
#include "codegen/target.h"
#include "driver/compile.h"
#include "driver/fingerprint.h"
#include "runtime/api/code.h"
#include "runtime/store/image.h"
#include "runtime/store/model_card.h"
#include "runtime/text/tokenizer.h"
#include "support/os/mapped_file.h"
#include "support/os/output_file.h"
#include "support/text.h"
#include "tools/artifact/elf_summary.h"
#include "tools/ggufc/command_line.h"
#include "tools/io/report.h"

extern char** environ;

namespace ggufc::tools {
namespace {

namespace fs = std::filesystem;
using runtime::Image;
using runtime::ModelCard;

constexpr CommandHelp kVerifyHelp = {
    "verify", "ARTIFACT [MODEL.gguf] [options]",
    "Checks what `ggufc compile` has written. ARTIFACT is a file of weights "
    "(NAME.weights), an object, a shared\n"
    "library or an executable. All bytes of its weights are compared with their "
    "checksums. Code is then run: it\n"
    "computes the golden vectors that were stored when it was compiled, for every "
    "target that this CPU has, and\n"
    "all bits must be equal. With MODEL.gguf its fingerprint must be the "
    "artifact's: the same weights, compiled\n"
    "with the same options.",
    R"(Code in ARTIFACT is executed. Do not verify what you would not run.

Examples:
  ggufc verify gemma.weights model.gguf
  ggufc verify build/gemma.o
  ggufc verify libgemma.so --weights /var/lib/gemma.weights

Exit status: 0 all is equal, 1 something is not (the message says what), 2 the command line is wrong.)"};

struct VerifyFlags {
  std::string artifact;
  std::string model;
  std::string weights;
  std::string name;
};

// An embedded image begins at a page of the file, because it must be at a page in memory. Code cannot hold another
// "GGUFCIMG" there by accident whose header also has the right checksum.
Result<std::optional<Image>> FindEmbedded(std::span<const uint8_t> bytes, const std::string& path) {
  std::optional<Error> problem;
  for (uint64_t at = 0; at + sizeof(runtime::ImageHeader) <= bytes.size(); at += runtime::kSectionAlign) {
    runtime::ImageHeader header;
    std::memcpy(&header, bytes.data() + at, sizeof(header));
    if (header.magic != runtime::kImageMagic) continue;
    const uint64_t left = bytes.size() - at;
    Result<Image> image =
        Image::FromMemory(bytes.subspan(at, std::min<uint64_t>(left, header.file_bytes)), path);
    if (image) return std::optional<Image>(std::move(*image));
    if (!problem) problem = image.error();
  }
  if (problem) return tl::unexpected(*problem);
  return std::optional<Image>();
}

Result<std::string> ModelName(const ElfSummary& elf, const VerifyFlags& flags) {
  if (!flags.name.empty()) return flags.name;
  if (elf.models.size() == 1) return elf.models.front();
  if (elf.models.empty()) {
    return Err(
        "{}: it defines no NAME_open: no model of ggufc, or stripped of its symbols (--name says the NAME)",
        flags.artifact);
  }
  return Err("{}: it has several models: {}{} (--name says which one is meant)", flags.artifact,
             fmt::join(elf.models, ", "), elf.has_more ? " and more" : "");
}

Status CheckImage(const Image& image) {
  RETURN_IF_ERROR(image.CheckAll());
  ASSIGN_OR_RETURN(const auto model, image.Get(runtime::SectionKind::kModel));
  ASSIGN_OR_RETURN(const ModelCard info, WithContext(image.name(), runtime::ParseModelCard(model)));
  ASSIGN_OR_RETURN(const auto tokenizer, image.Get(runtime::SectionKind::kTokenizer));
  RETURN_IF_ERROR(WithContext(image.name(), runtime::Tokenizer::FromBytes(tokenizer).map([](auto&&) {})));
  ASSIGN_OR_RETURN(const auto golden, image.Get(runtime::SectionKind::kGolden));
  return WithContext(image.name(), runtime::ParseGolden(golden, info).map([](auto&&) {}));
}

// "embed=1 gelu=2" -> "embed gelu ": the ops without their versions.
std::string OpsOf(std::string_view numerics) {
  std::string names;
  bool in_version = false;
  for (const char c : numerics) {
    if (c == '=' || c == ' ') in_version = c == '=';
    if (!in_version) names += c;
  }
  return names;
}

// The model file must give the image's fingerprint, when it is compiled with the options that the image tells of.
Status CompareModel(const Image& image, const std::string& path) {
  ASSIGN_OR_RETURN(const auto bytes, image.Get(runtime::SectionKind::kModel));
  ASSIGN_OR_RETURN(const ModelCard info, WithContext(image.name(), runtime::ParseModelCard(bytes)));
  ASSIGN_OR_RETURN(const std::shared_ptr<driver::SourceModel> model, OpenModel(path));
  driver::CompileOptions options;
  ASSIGN_OR_RETURN(options.activations,
                   WithContext(image.name(), driver::ParseActivations(runtime::TextOf(info.activations))));
  options.dims = info.dims;
  options.normalize = info.normalize != 0;
  if (info.full_dims != model->config().output_dim) {
    return Err(ErrorKind::kMismatch, "{}: {} dims, but {} has {}: it is another model", image.name(),
               info.full_dims, path, model->config().output_dim);
  }
  ASSIGN_OR_RETURN(const std::string numerics, driver::NumericsOf(*model, options));
  if (const std::string_view stored = runtime::TextOf(info.numerics);
      stored != numerics && OpsOf(stored) == OpsOf(numerics)) {
    return Err(
        ErrorKind::kMismatch,
        "{}: the versions of its arithmetic are {}, those of this ggufc {}: fingerprints cannot be compared",
        image.name(), stored, numerics);
  }
  ASSIGN_OR_RETURN(const std::string fingerprint, driver::Fingerprint(*model, options));
  const std::string stored = runtime::FingerprintText(image.fingerprint());
  if (fingerprint == stored) return {};
  return Err(ErrorKind::kMismatch,
             "{}: fingerprint {}, but {} has {} with the same options ({} dims, activations {}{}): it is "
             "another model",
             image.name(), stored, path, fingerprint, info.dims, runtime::TextOf(info.activations),
             options.normalize ? "" : ", not normalized");
}

// The functions of one copy of the runtime: this program's, or a shared library's.
struct Runtime {
  ggufc_status (*open)(const char*, const ggufc_options*, ggufc_model**) = nullptr;
  decltype(&ggufc_verify) verify = &ggufc_verify;
  decltype(&ggufc_close) close = &ggufc_close;
  decltype(&ggufc_last_error) last_error = &ggufc_last_error;
};

struct Ran {
  std::string targets;
  size_t vectors = 0;
};

// Golden vectors with the code of every target that is there and that this machine runs.
Result<Ran> RunTargets(const Runtime& runtime, const std::string& weights) {
  Ran ran;
  for (const codegen::Target& target : codegen::Targets()) {
    if (!codegen::HostRuns(target)) continue;
    ggufc_options options = GGUFC_OPTIONS_INIT;
    options.target = target.info.name.c_str();
    ggufc_model* model = nullptr;
    const ggufc_status opened = runtime.open(weights.empty() ? nullptr : weights.c_str(), &options, &model);
    if (opened == GGUFC_INVALID_ARGUMENT) continue;  // not compiled for this target
    if (opened != GGUFC_OK) return Err("{}", runtime.last_error());
    size_t vectors = 0;
    const ggufc_status verified = runtime.verify(model, &vectors);
    const std::string problem = verified == GGUFC_OK ? "" : runtime.last_error();
    runtime.close(model);
    if (verified != GGUFC_OK) return Err(ErrorKind::kMismatch, "target {}: {}", target.name(), problem);
    ran.targets += fmt::format("{}{}", ran.targets.empty() ? "" : ", ", target.name());
    ran.vectors = vectors;
  }
  if (ran.targets.empty()) return Err("this CPU runs none of its targets");
  return ran;
}

int NoProgram(const ggufc_code*, int, char**) { return kWrongInput; }

Result<Ran> RunObject(const MappedFile& file, const std::string& name, const std::string& weights) {
  const codegen::ExternalFunction externals[] = {
      {"ggufc_open_code", reinterpret_cast<const void*>(&ggufc_open_code)},
      {"ggufc_main", reinterpret_cast<const void*>(&NoProgram)}};
  ASSIGN_OR_RETURN(const codegen::LoadedCode code, codegen::LoadedCode::Load(file.bytes(), externals));
  ASSIGN_OR_RETURN(void* const open, code.Lookup(name + "_open"));
  Runtime runtime;
  runtime.open = reinterpret_cast<decltype(runtime.open)>(open);
  return RunTargets(runtime, weights);
}

Result<Ran> RunShared(const std::string& path, const std::string& name, const std::string& weights) {
  const auto close = [](void* handle) { dlclose(handle); };
  // A name without a slash would be searched for among the system's libraries.
  const std::unique_ptr<void, decltype(close)> library(
      dlopen(fs::absolute(path).c_str(), RTLD_NOW | RTLD_LOCAL), close);
  if (!library) return Err("cannot load it: {}", dlerror());
  Runtime runtime;
  std::string missing;
  const auto find = [&](const std::string& symbol, auto& function) {
    void* const address = dlsym(library.get(), symbol.c_str());
    if (address == nullptr) missing = symbol;
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(address);
  };
  find(name + "_open", runtime.open);
  find("ggufc_verify", runtime.verify);
  find("ggufc_close", runtime.close);
  find("ggufc_last_error", runtime.last_error);
  if (!missing.empty()) return Err("it does not export {}", missing);
  return RunTargets(runtime, weights);
}

// The program verifies itself; what it says is said.
Status RunExecutable(const std::string& path, const std::string& weights) {
  std::vector<std::string> words = {fs::absolute(path).string(), "--verify"};
  if (!weights.empty()) words.insert(words.end(), {"--weights", weights});
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  if (const int error = posix_spawn(&child, arguments[0], nullptr, nullptr, arguments.data(), environ);
      error != 0) {
    return Err(ErrorKind::kIo, "cannot run it: {}", std::strerror(error));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return Err(ErrorKind::kIo, "cannot wait for it: {}", std::strerror(errno));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return Err(ErrorKind::kMismatch, "{} --verify: {} {}", words[0],
             WIFEXITED(status) ? "exit status" : "signal",
             WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

std::string Describe(const Image& image) {
  uint64_t bytes = 0;
  for (const runtime::SectionEntry& section : image.sections()) bytes += section.bytes;
  return fmt::format("weights undamaged ({} sections, {} bytes), fingerprint {}", image.sections().size(),
                     Grouped(static_cast<int64_t>(bytes)), runtime::FingerprintText(image.fingerprint()));
}

Status VerifyElf(const MappedFile& file, const VerifyFlags& flags, std::string& said) {
  ASSIGN_OR_RETURN(const ElfSummary elf, WithContext(flags.artifact, SummarizeElf(file.bytes())));
  std::string sidecar = flags.weights;
  {
    std::optional<Image> embedded;
    if (sidecar.empty()) {
      ASSIGN_OR_RETURN(embedded, FindEmbedded(file.bytes(), flags.artifact));
    }
    if (!embedded) {
      if (sidecar.empty()) {
        ASSIGN_OR_RETURN(const std::string name, ModelName(elf, flags));
        sidecar = (fs::path(flags.artifact).parent_path() / (name + ".weights")).string();
      }
      ASSIGN_OR_RETURN(embedded, Image::Open(sidecar));
    }
    RETURN_IF_ERROR(CheckImage(*embedded));
    if (!flags.model.empty()) RETURN_IF_ERROR(CompareModel(*embedded, flags.model));
    said = Describe(*embedded);
  }
  if (elf.kind == ElfKind::kExecutable && !elf.runs_itself) {
    return Err(
        "{}: {}; but it is no program of --emit exe, or stripped: its code can be verified from inside only "
        "(ggufc_verify, or --verify)",
        flags.artifact, said);
  }
  if (elf.kind == ElfKind::kExecutable)
    return WithContext(flags.artifact, RunExecutable(flags.artifact, sidecar));
  ASSIGN_OR_RETURN(const std::string name, ModelName(elf, flags));
  ASSIGN_OR_RETURN(
      const Ran ran,
      WithContext(flags.artifact, elf.kind == ElfKind::kObject ? RunObject(file, name, sidecar)
                                                               : RunShared(flags.artifact, name, sidecar)));
  said += fmt::format("; {} golden vectors equal on {}", ran.vectors, ran.targets);
  return {};
}

Status Verify(const VerifyFlags& flags) {
  std::string said;
  {
    ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(flags.artifact));
    if (IsElf(file.bytes())) {
      RETURN_IF_ERROR(VerifyElf(file, flags, said));
    } else {
      ASSIGN_OR_RETURN(const Image image, Image::Open(flags.artifact));
      RETURN_IF_ERROR(CheckImage(image));
      if (!flags.model.empty()) RETURN_IF_ERROR(CompareModel(image, flags.model));
      said = Describe(image);
    }
  }
  if (!flags.model.empty()) said += fmt::format("; compiled from {}", flags.model);
  return WriteToStdout(Printable(fmt::format("{}: {}", flags.artifact, said)) + "\n");
}

}  // namespace

int RunVerify(const Arguments& arguments) {
  CommandLine line(kVerifyHelp);
  VerifyFlags flags;
  line.app().add_option("ARTIFACT", flags.artifact, "what `ggufc compile` has written")->required();
  line.app().add_option("MODEL.gguf", flags.model, "the model that it should have been compiled from");
  line.app()
      .add_option("--weights", flags.weights,
                  "the weights (default: in ARTIFACT or in NAME.weights beside it)")
      ->type_name("FILE");
  line.app()
      .add_option("--name", flags.name, "NAME, where ARTIFACT has several models or none that can be seen")
      ->type_name("NAME");
  if (const auto status = line.Parse(arguments)) return *status;
  if (!line.texts().empty()) return line.UsageError(fmt::format("what is '{}'?", line.texts().front()));
  const Status status = Verify(flags);
  return status ? kGood : Fail(status.error());
}

}  // namespace ggufc::tools
