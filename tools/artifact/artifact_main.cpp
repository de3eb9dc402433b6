// The program that `ggufc compile --emit exe` makes: the compiled model's main() comes here. It uses nothing of the model but
// the C interface.
#include <algorithm>
#include <exception>
#include <new>

#include "runtime/api/code.h"
#include "runtime/api/ggufc.h"
#include "runtime/sys/cpu_features.h"
#include "support/os/interruption.h"
#include "support/os/output_file.h"
#include "support/text.h"
#include "tools/input/input_flags.h"
#include "tools/io/console.h"
#include "tools/io/truncation_report.h"

namespace ggufc::tools {
namespace {

constexpr size_t kBatchDocuments = 1024;
constexpr size_t kBatchTokens = size_t{1} << 16;
constexpr size_t kUsualTokens = 4096;  // of a document

constexpr const char* kAbout =
    "Embeds documents with the model that this program was compiled from, one vector a document. A document\n"
    "is a TEXT, a list of --ids, or a line of --input. BOS and EOS are added to texts, and a prompt if asked "
    "for.";

constexpr const char* kExamples = R"(Formats:
  jsonl  {{"index":0,"tokens":11,"embedding":[...]}} a line; other keys of an input line stand before "embedding"
         (not those of these names), and behind "tokens" there is "dropped":3 where --overlength truncate cut 3
         tokens off
  npy    NumPy, float32, shape (documents, dims)
  text   a line of numbers a vector

Examples:
  {0} "The cat sleeps." "A cat is asleep."
  {0} --input docs.jsonl --prompt document --format npy --output docs.npy
  printf '{{"id":7,"text":"The cat sleeps."}}\n' | {0} --input -

Exit status: 0 good, 1 the input is wrong, 2 the command line is wrong.)";

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

struct Batch {
  std::vector<int32_t> ids;
  std::vector<size_t> lengths;
  std::vector<std::string> kept;
  std::vector<std::string> where;
};

// Reads documents and embeds them, a bounded number at a time.
class Embedding {
 public:
  Embedding(ggufc_model* model, const Flags& flags, std::string_view program)
      : model_(model), flags_(flags), truncation_([program](std::string_view text) { Warn(text, program); }) {
    if (flags.input.plain_text) options_.flags = GGUFC_EMBED_PLAIN_TEXT;
    options_.prompt = flags.input.prompt.c_str();
    options_.title = flags.input.title.c_str();
  }

  Status Run(DocumentSource& source, VectorWriter& writer) {
    Batch batch;
    RETURN_IF_ERROR(Read(source, batch));
    while (!batch.lengths.empty()) {
      RETURN_IF_ERROR(RunBatch(batch, writer));
      RETURN_IF_ERROR(writer.Flush());
      RETURN_IF_ERROR(Read(source, batch));
    }
    truncation_.Finish();
    return {};
  }

 private:
  bool truncate() const { return flags_.output.truncate(); }

  Status Read(DocumentSource& source, Batch& batch) {
    batch = {};
    std::vector<int32_t> ids;
    Document document;
    while (batch.lengths.size() < kBatchDocuments && batch.ids.size() < kBatchTokens) {
      ASSIGN_OR_RETURN(const bool more, source.Next(document));
      if (!more) break;
      RETURN_IF_ERROR(WithContext(document.where, Encode(document, ids)));
      batch.ids.insert(batch.ids.end(), ids.begin(), ids.end());
      batch.lengths.push_back(ids.size());
      batch.kept.push_back(std::move(document.kept));
      batch.where.push_back(std::move(document.where));
    }
    return {};
  }

  // What would be an error of the whole batch is found here, where the document has a name.
  Status Encode(Document& document, std::vector<int32_t>& ids) {
    if (document.has_text) {
      if (document.text.empty()) return Err("the text is empty");
      size_t count = 0;
      const auto tokenize = [&] {
        return ggufc_tokenize(model_, document.text.data(), document.text.size(), &options_, ids.data(),
                              ids.size(), &count);
      };
      // Room for nearly every document; the rest are tokenized twice.
      ids.resize(kUsualTokens);
      ggufc_status status = tokenize();
      if (status == GGUFC_TOO_LONG && count > ids.size()) {
        ids.resize(count);
        status = tokenize();
      }
      RETURN_IF_ERROR(Check(status));
      ids.resize(count);
    } else {
      if (document.ids.empty()) return Err("the list of ids is empty");
      ids = std::move(document.ids);
    }
    const auto vocab = static_cast<int64_t>(ggufc_vocab(model_));
    for (size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] < 0 || ids[i] >= vocab) {
        return Err("token {} is {} (the vocabulary has 0 to {})", i, ids[i], vocab - 1);
      }
    }
    const size_t limit = ggufc_context_length(model_);
    if (ids.size() > limit && !truncate()) {
      return Err("{} tokens (the model takes {} at most; --overlength truncate cuts the rest off)",
                 ids.size(), limit);
    }
    return {};
  }

  Status RunBatch(const Batch& batch, VectorWriter& writer) {
    const size_t dims = ggufc_dims(model_), count = batch.lengths.size();
    vectors_.resize(count * dims);
    kept_.resize(count);
    dropped_.resize(count);
    ggufc_embed_options options = GGUFC_EMBED_OPTIONS_INIT;
    if (truncate()) options.flags = GGUFC_EMBED_TRUNCATE;
    options.tokens_kept = kept_.data();
    options.tokens_dropped = dropped_.data();
    RETURN_IF_ERROR(
        WithContext(fmt::format("documents from {} to {}", batch.where.front(), batch.where.back()),
                    Check(ggufc_embed_ids(model_, batch.ids.data(), batch.lengths.data(), count, &options,
                                          vectors_.data(), 0))));
    for (size_t i = 0; i < count; ++i) {
      truncation_.Add(batch.where[i], kept_[i], dropped_[i]);
      RETURN_IF_ERROR(writer.Write({written_++, kept_[i], dropped_[i], batch.kept[i]},
                                   std::span(vectors_).subspan(i * dims, dims)));
    }
    return {};
  }

  ggufc_model* model_;
  const Flags& flags_;
  ggufc_embed_options options_ = GGUFC_EMBED_OPTIONS_INIT;  // of texts
  std::vector<float> vectors_;
  std::vector<int64_t> kept_, dropped_;
  int64_t written_ = 0;
  TruncationReport truncation_;
};

Status Embed(const ggufc_code* code, const Flags& flags, const std::vector<std::string>& texts,
             const char* program) {
  RETURN_IF_ERROR(CheckNotAnInput(flags.output.path, {"/proc/self/exe", flags.weights, flags.input.input}));
  ASSIGN_OR_RETURN(const std::unique_ptr<DocumentSource> source, flags.input.Open(texts));
  ASSIGN_OR_RETURN(const Model model, Open(code, flags));
  ASSIGN_OR_RETURN(const std::unique_ptr<VectorWriter> writer,
                   flags.output.Open(static_cast<int64_t>(ggufc_dims(model.get()))));
  Embedding embedding(model.get(), flags, program);
  RETURN_IF_ERROR(embedding.Run(*source, *writer));
  RETURN_IF_ERROR(writer->Finish());
  return {};
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
  const std::string examples = fmt::format(fmt::runtime(kExamples), program);
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
