// The program that `ggufc compile --emit exe` makes: the compiled model's main() comes here. It opens and verifies the
// model by the C interface; documents go the way that they go in `ggufc embed`.
#include <algorithm>
#include <exception>
#include <new>

#include "runtime/api/c_api.h"
#include "runtime/api/code.h"
#include "runtime/api/ggufc.h"
#include "runtime/sys/cpu_features.h"
#include "support/os/interruption.h"
#include "support/os/output_file.h"
#include "support/text.h"
#include "tools/embed/document_embedder.h"
#include "tools/input/input_flags.h"
#include "tools/io/console.h"

namespace ggufc::tools {
namespace {

constexpr const char* kAbout =
    "Embeds documents with the model that this program was compiled from, one vector a document. A document\n"
    "is a TEXT, a list of --ids, or a line of --input. BOS and EOS are added to texts, and a prompt if asked "
    "for.";

constexpr const char* kExamples = R"(

Examples:
  {0} "The cat sleeps." "A cat is asleep."
  {0} --input docs.jsonl --prompt document --format npy --output docs.npy
  printf '{{"id":7,"text":"The cat sleeps."}}\n' | {0} --input -

Exit status: 0 good, 1 the input is wrong, or some of it, 2 the command line is wrong.)";

struct Flags {
  InputFlags input;
  OutputFlags output;
  std::string weights;
  std::string target = "native";
  int threads = 0;
  bool verify = false;
  bool version = false;
};

struct CloseModel {
  void operator()(ggufc_model* model) const { ggufc_close(model); }
};
using Model = std::unique_ptr<ggufc_model, CloseModel>;

Status Check(ggufc_status status) {
  if (status == GGUFC_OK) return {};
  return Err("{}", ggufc_last_error());
}

Result<Model> Open(const ggufc_code* code, const Flags& flags) {
  ggufc_options options = GGUFC_OPTIONS_INIT;
  options.threads = flags.threads;
  options.target = flags.target.c_str();
  ggufc_model* model = nullptr;
  RETURN_IF_ERROR(Check(
      ggufc_open_code(code, flags.weights.empty() ? nullptr : flags.weights.c_str(), &options, &model)));
  return Model(model);
}

Status Embed(const ggufc_code* code, const Flags& flags, const std::vector<std::string>& texts,
             const char* program) {
  RETURN_IF_ERROR(CheckNotAnInput(flags.output.path, {"/proc/self/exe", flags.weights, flags.input.input}));
  ASSIGN_OR_RETURN(std::unique_ptr<DocumentSource> source, flags.input.Open(texts));
  ASSIGN_OR_RETURN(const Model model, Open(code, flags));
  runtime::Embedder& embedder = *model->embedder;
  DocumentEmbedder documents(std::move(source), embedder.encoder(), flags.input, flags.output, /*model=*/"",
                             program);
  RETURN_IF_ERROR(documents.Start());
  RETURN_IF_ERROR(documents.Run(embedder));
  return documents.Outcome();
}

struct Verified {
  std::string targets;
  size_t vectors = 0;
};

// With the code of the target that is asked for, or of every one that this CPU runs.
Result<Verified> VerifyTargets(const ggufc_code* code, const Flags& flags) {
  Verified verified;
  for (uint32_t i = 0; i < code->target_count; ++i) {
    Flags own = flags;
    own.target = code->targets[i].name;
    if (flags.target != "native" && flags.target != own.target) continue;
    if ((code->targets[i].features & ~runtime::HostCpuFeatures()) != 0) continue;
    ASSIGN_OR_RETURN(const Model model, Open(code, own));
    RETURN_IF_ERROR(WithContext(fmt::format("target {}", own.target),
                                Check(ggufc_verify(model.get(), &verified.vectors))));
    verified.targets += fmt::format("{}{}", verified.targets.empty() ? "" : ", ", own.target);
  }
  return verified;
}

// One line about the model; after --verify, what was compared.
Status Describe(const ggufc_code* code, const Flags& flags, std::string_view program) {
  ASSIGN_OR_RETURN(const Model model, Open(code, flags));
  std::string line = fmt::format(
      "{}: model {}, fingerprint {}, {} floats a vector, {} tokens a text at most, target {}, ggufc {}",
      program, Quoted(ggufc_name(model.get())), ggufc_fingerprint(model.get()), ggufc_dims(model.get()),
      ggufc_context_length(model.get()), ggufc_target(model.get()), ggufc_version());
  if (flags.verify) {
    ASSIGN_OR_RETURN(const Verified verified, VerifyTargets(code, flags));
    line +=
        fmt::format("; weights undamaged, {} golden vectors equal on {}", verified.vectors, verified.targets);
  }
  return WriteToStdout(line + "\n");
}

int Main(const ggufc_code* code, const char* program, const Arguments& arguments) {
  const std::string examples = kEmbedFormats + fmt::format(fmt::runtime(kExamples), program);
  CommandLine line({"", "[TEXT...] [options]", kAbout, examples.c_str(), program});
  Flags flags;
  line.TakeTexts();
  flags.input.Add(line.app());
  flags.output.Add(line.app());
  AddThreads(line.app(), flags.threads);
  line.app()
      .add_option("--target", flags.target,
                  "code to use, of what was compiled; native (default): the best this CPU runs")
      ->type_name("NAME");
  line.app()
      .add_option(
          "--weights", flags.weights,
          "the weights' file (default: those in this program, or the file that was written\nbeside it)")
      ->type_name("FILE");
  line.app().add_flag(
      "--verify", flags.verify,
      "check all weights, compute the vectors that were stored when the model was\ncompiled, on every "
      "target that this CPU runs (or on --target), and compare all\nbits");
  line.app().add_flag("--version", flags.version, "which model this is");
  if (const auto status = line.Parse(arguments)) return *status;
  if (flags.verify || flags.version) {
    if (!line.texts().empty() || !flags.input.input.empty() || !flags.input.ids.empty()) {
      return line.UsageError("--verify and --version take no documents");
    }
    const Status status = Describe(code, flags, program);
    return status ? kGood : Fail(status.error(), program);
  }
  if (const Status status = flags.input.Check(line.texts()); !status)
    return line.UsageError(status.error().message);
  const Status status = Embed(code, flags, line.texts(), program);
  return status ? kGood : Fail(status.error(), program);
}

}  // namespace
}  // namespace ggufc::tools

extern "C" __attribute__((visibility("default"))) int ggufc_main(const ggufc_code* code, int argc,
                                                                 char** argv);

int ggufc_main(const ggufc_code* code, int argc, char** argv) {
  ggufc::OpenStandardStreams();
  ggufc::EndCleanlyOnSignals();
  std::string program = argc > 0 ? argv[0] : "";
  program = ggufc::Printable(program.substr(program.rfind('/') + 1));
  try {
    return ggufc::tools::Main(code, program.c_str(), {argv + std::min(argc, 1), argv + argc});
  } catch (const std::bad_alloc&) {
    return ggufc::tools::Fail({"not enough memory"}, program);
  } catch (const std::exception& exception) {
    return ggufc::tools::Fail({exception.what()}, program);
  }
}
