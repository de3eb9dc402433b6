// ggufc embed: documents in, vectors out, a bounded number of documents at a time.
#include "driver/model_opener.h"
#include "support/os/output_file.h"
#include "support/text.h"
#include "tools/embed/document_embedder.h"
#include "tools/ggufc/command_line.h"
#include "tools/io/report.h"

namespace ggufc::tools {
namespace {

constexpr const char* kAbout =
    "Compiles MODEL for this CPU, runs it on each document and writes one vector a document. A document is\n"
    "a TEXT, a list of --ids, or a line of --input. BOS and EOS are added to texts, and a prompt if asked\n"
    "for. What was compiled is kept for the next time (ggufc cache).";

constexpr std::string_view kExamples = R"(

Examples:
  ggufc embed model.gguf "The cat sleeps." "A cat is asleep."
  ggufc embed model.gguf --prompt query "where do cats sleep?"
  ggufc embed model.gguf --input docs.jsonl --prompt document --format npy --output docs.npy
  ggufc embed model.gguf --input docs.jsonl --on-error skip --output vectors.jsonl
  ggufc embed model.gguf --ids 2,9259,1902,1 --dims 256 --format text
  printf '{"id":7,"text":"The cat sleeps."}\n' | ggufc embed model.gguf --input -)";

struct EmbedFlags {
  ModelFlags model;
  InputFlags input;
  OutputFlags output;
  int threads = 0;
  bool stats = false;
  bool no_cache = false;
};

std::string CacheLine(const driver::OpenReport& report) {
  const auto seconds = [](std::string_view what, double time) {
    return time > 0 ? fmt::format(", {} {:.3f} s", what, time) : std::string();
  };
  switch (report.cache) {
    case driver::CacheUse::kHit:
      return fmt::format("hit: read {:.3f} s{}", report.read, seconds("hash of the model", report.hash));
    case driver::CacheUse::kMiss:
      return fmt::format("miss: {}{}{}", report.stored ? "stored" : "not stored",
                         seconds("hash of the model", report.hash), seconds("store", report.store));
    case driver::CacheUse::kOff:
      break;
  }
  return "off";
}

void PrintStats(const driver::ModelOpener& model, const runtime::Embedder& embedder, const EmbedFlags& flags,
                const EmbedTotals& totals, const TruncationReport& truncated) {
  const driver::OpenReport& report = model.report();
  const driver::CompileTimes& times = report.compile;
  const runtime::Program& program = embedder.executor().program();
  const runtime::ExecutorStats stats = embedder.executor().stats();
  const runtime::ModelCard& info = embedder.info();
  std::string out;
  out += fmt::format("model        {} ({}, {} layers, {} bytes)\n", Printable(flags.model.model),
                     runtime::TextOf(info.architecture), info.layers,
                     Grouped(static_cast<int64_t>(model.bytes().size())));
  out += fmt::format("fingerprint  {}\n", embedder.fingerprint());
  out += fmt::format("target       {}, activations {}, {} thread{}\n", embedder.target(),
                     flags.model.activations, stats.threads, stats.threads == 1 ? "" : "s");
  out += fmt::format("cache        {}\n", CacheLine(report));
  if (!model.cached()) {
    out += fmt::format(
        "compile      {:.3f} s: import {:.3f}, passes {:.3f}, check {:.3f}, codegen {:.3f}, load {:.3f}, "
        "pack "
        "{:.3f}\n",
        times.Total(), times.import, times.passes, times.check, times.codegen, times.load, times.pack);
  }
  out += fmt::format("code         {} bytes of object, {} kernels, {} steps\n",
                     Grouped(static_cast<int64_t>(report.code_bytes)), program.kernels.size(),
                     program.steps.size());
  out += fmt::format("weights      {} bytes packed\n", Grouped(program.weights_bytes));
  out += fmt::format("documents    {}, {} tokens; read and tokenized in {:.3f} s\n",
                     Grouped(totals.documents), Grouped(totals.tokens), totals.encode);
  out += fmt::format("truncated    {} documents: {} tokens kept, {} dropped\n",
                     Grouped(truncated.documents()), Grouped(truncated.kept()), Grouped(truncated.dropped()));
  out += fmt::format(
      "run          {:.3f} s, {} tokens/s\n", totals.run,
      totals.run > 0 ? Grouped(static_cast<int64_t>(static_cast<double>(totals.tokens) / totals.run)) : "0");
  out += fmt::format("memory       peak {} bytes, arena {}, scratch {}\n", Grouped(PeakMemory()),
                     Grouped(stats.arena_bytes), Grouped(stats.scratch_bytes));
  std::vector<std::vector<std::string>> rows = {{"kernel", "calls", "ms", "share"}};
  const std::vector<KernelTime> kernels = KernelTimes(program, stats.step_nanoseconds);
  double sum = 0;
  for (const KernelTime& kernel : kernels) sum += kernel.seconds;
  for (const KernelTime& kernel : kernels) {
    rows.push_back({kernel.kernel, fmt::format("{}", kernel.calls),
                    fmt::format("{:.2f}", 1e3 * kernel.seconds),
                    fmt::format("{:.1f} %", sum > 0 ? 100 * kernel.seconds / sum : 0.0)});
  }
  PrintToStderr(out + Table(rows, ""));
}

// As a model that was compiled once has it, too.
Result<std::unique_ptr<driver::ModelOpener>> OpenThroughCache(const EmbedFlags& flags) {
  driver::ModelOpenerOptions options;
  ASSIGN_OR_RETURN(options.compile, flags.model.Options());
  if (!flags.no_cache) options.cache_folder = CacheFolderOfUser();
  options.hash_file = flags.stats;  // for the fingerprint
  options.warn = [](std::string_view message) { Warn(message); };
  return driver::ModelOpener::Open(flags.model.model, std::move(options));
}

Result<std::unique_ptr<runtime::Embedder>> MakeEmbedder(driver::ModelOpener& model, const EmbedFlags& flags) {
  ASSIGN_OR_RETURN(const codegen::Target* const target, codegen::FindTarget(flags.model.target));
  RETURN_IF_ERROR(CheckTargetRuns(*target));
  Progress progress;
  if (!model.cached()) progress.Show("compiling ...");
  runtime::ExecutorOptions executor;
  executor.threads = flags.threads;
  executor.profile = flags.stats;
  return model.MakeEmbedder(executor);
}

Status Embed(const EmbedFlags& flags, const std::vector<std::string>& texts) {
  RETURN_IF_ERROR(CheckNotAnInput(flags.output.path, {flags.model.model, flags.input.input}));
  ASSIGN_OR_RETURN(const std::unique_ptr<driver::ModelOpener> model, OpenThroughCache(flags));
  size_t warned = 0;
  const auto warn_about_model = [&] {
    for (; warned < model->warnings().size(); ++warned) {
      Warn(fmt::format("{}: {}", flags.model.model, model->warnings()[warned]));
    }
  };
  warn_about_model();
  // The tokenizer is made when the first text asks for it, and has warnings of its own.
  const auto tokenizer = [&] {
    const Result<const runtime::Tokenizer*> made = model->tokenizer();
    warn_about_model();
    return made;
  };
  ASSIGN_OR_RETURN(std::unique_ptr<DocumentSource> source, flags.input.Open(texts));
  DocumentEmbedder documents(std::move(source), {tokenizer, {model->vocab(), model->context_length()}},
                             flags.input, flags.output, flags.model.model, "ggufc");
  // Before the work of compiling: most mistakes show here.
  RETURN_IF_ERROR(documents.Start());
  ASSIGN_OR_RETURN(const std::unique_ptr<runtime::Embedder> embedder, MakeEmbedder(*model, flags));
  RETURN_IF_ERROR(documents.Run(*embedder));
  if (flags.stats) PrintStats(*model, *embedder, flags, documents.totals(), documents.truncated());
  return documents.Outcome();
}

}  // namespace

int RunEmbed(const Arguments& arguments) {
  const std::string examples = fmt::format("{}{}", kEmbedFormats, kExamples);
  CommandLine line({"embed", "MODEL [TEXT...] [options]", kAbout, examples.c_str()});
  EmbedFlags flags;
  flags.model.AddModel(line.app());
  line.TakeTexts();
  flags.input.Add(line.app());
  flags.output.Add(line.app());
  flags.model.AddDims(line.app());
  AddThreads(line.app(), flags.threads);
  flags.model.AddTarget(line.app());
  line.app().add_flag("--stats", flags.stats,
                      "print compile times, sizes, speed and time of each kernel to stderr");
  line.app().add_flag("--no-cache", flags.no_cache,
                      "compile, whatever the cache has, and keep nothing (see ggufc cache --help)");
  if (const auto status = line.Parse(arguments)) return *status;
  if (const Status status = flags.input.Check(line.texts()); !status)
    return line.UsageError(status.error().message);
  const Status status = Embed(flags, line.texts());
  return status ? kGood : Fail(status.error());
}

}  // namespace ggufc::tools
