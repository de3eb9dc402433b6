// ggufc bench: how fast a model runs on this machine. Token ids in, embeddings out: tokenizing is not measured.
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "driver/loaded_program.h"
#include "support/os/output_file.h"
#include "support/text.h"
#include "tools/ggufc/bench_roofline.h"
#include "tools/ggufc/command_line.h"
#include "tools/input/input_flags.h"
#include "tools/io/line_reader.h"
#include "tools/io/number_list.h"
#include "tools/io/report.h"
#include "tools/roofline/multiply_adds.h"

namespace ggufc::tools {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

constexpr CommandHelp kBenchHelp = {
    "bench", "MODEL [options]",
    "Measures the time from token ids to the embedding, for one document of each length: after a warm-up, "
    "as\n"
    "many runs as take about a second, at least five. gmacs are 10^9 multiply-adds a second.",
    R"(With --serve, lines on standard input are answered one by one until it ends:
  run 512        one document of 512 made-up tokens       {"tokens":512,"ms":312.5}
  run 11,64,300  three documents in one call              {"tokens":375,"ms":210.2}

Examples:
  ggufc bench model.gguf
  ggufc bench model.gguf --tokens 11,512 --threads 1 --json
  ggufc bench model.gguf --batch docs.jsonl
  ggufc bench model.gguf --roofline --svg roofline.svg
  ggufc bench model.gguf --roofline --target avx2 --cycles)"};

constexpr double kMeasureSeconds = 1.0;
constexpr int kLeastRuns = 5;
constexpr int kMostRuns = 2000;
constexpr size_t kMaxServeLine = size_t{1} << 20;

struct BenchFlags {
  ModelFlags model;
  std::vector<int64_t> tokens;
  int threads = 0;
  std::string batch;
  bool json = false;
  bool serve = false;
  RooflineFlags roofline;
};

struct Workload {
  std::vector<int32_t> ids;
  std::vector<int32_t> lengths;
  int64_t tokens() const { return static_cast<int64_t>(ids.size()); }
};

struct Measurement {
  int64_t documents = 0;
  int64_t tokens = 0;
  double median = 0, least = 0, most = 0;  // ms
  int runs = 0;
  double gmacs = 0;
  std::vector<int64_t> step_nanoseconds;  // of one run: for each step the median
  std::vector<KernelTime> kernels;        // the same by kernel
};

template <typename T>
T Median(std::vector<T>& values) {
  std::ranges::sort(values);
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

// Adds a document of `tokens` ids that depend on nothing but their number: BOS, made-up tokens, EOS.
Status AddDocument(const driver::SourceModel& model, int64_t tokens, Workload& work) {
  const frontend::Hparams& config = model.config();
  if (tokens < 1 || tokens > config.context_length) {
    return Err("{}: {} tokens are asked for (the model takes 1 to {})", model.file().path(), tokens,
               config.context_length);
  }
  if (work.tokens() + tokens > runtime::kMaxBatchTokens) {
    return Err("{}: more than {} tokens in one call", model.file().path(), runtime::kMaxBatchTokens);
  }
  ASSIGN_OR_RETURN(const uint32_t bos, model.file().GetU32Or("tokenizer.ggml.bos_token_id", 1));
  ASSIGN_OR_RETURN(const uint32_t eos, model.file().GetU32Or("tokenizer.ggml.eos_token_id", 2));
  const auto vocab = static_cast<uint64_t>(config.vocab);
  // The first tokens are control and byte tokens; texts have few of them.
  const uint64_t least = std::min<uint64_t>(1000, vocab / 2);
  uint32_t state = static_cast<uint32_t>(tokens);
  for (int64_t i = 0; i < tokens; ++i) {
    state = state * 1664525u + 1013904223u;  // Numerical Recipes
    uint64_t id = least + (uint64_t{state} * (vocab - least) >> 32);
    if (i == 0) id = bos;
    if (i > 0 && i == tokens - 1) id = eos;
    work.ids.push_back(static_cast<int32_t>(std::min(id, vocab - 1)));
  }
  work.lengths.push_back(static_cast<int32_t>(tokens));
  return {};
}

class Bench {
 public:
  Bench(const driver::SourceModel& model, runtime::Embedder& embedder) : model_(model), embedder_(embedder) {}

  // Milliseconds of one run.
  Result<double> Run(const Workload& work) {
    vectors_.resize(work.lengths.size() * embedder_.dims());
    const auto start = Clock::now();
    const Status status = embedder_.Run(work.ids, work.lengths, vectors_.data());
    const double ms = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
    if (!status) return tl::unexpected(NameModel(model_, status.error()));
    return ms;
  }

  Result<Measurement> Measure(const Workload& work) {
    // The first run takes memory from the system; the second meets warm caches.
    RETURN_IF_ERROR(Run(work).map([](double) {}));
    RETURN_IF_ERROR(Run(work).map([](double) {}));
    std::vector<int64_t> before = embedder_.executor().stats().step_nanoseconds;
    std::vector<std::vector<int64_t>> steps(before.size());  // nanoseconds of each run
    std::vector<double> times;
    double sum = 0;
    while (times.size() < kLeastRuns || (sum < 1e3 * kMeasureSeconds && times.size() < kMostRuns)) {
      ASSIGN_OR_RETURN(times.emplace_back(), Run(work));
      sum += times.back();
      std::vector<int64_t> after = embedder_.executor().stats().step_nanoseconds;
      for (size_t i = 0; i < steps.size(); ++i) steps[i].push_back(after[i] - before[i]);
      before = std::move(after);
    }

    Measurement result;
    result.documents = static_cast<int64_t>(work.lengths.size());
    result.tokens = work.tokens();
    result.median = Median(times);  // sorts them
    result.least = times.front();
    result.most = times.back();
    result.runs = static_cast<int>(times.size());
    result.gmacs = roofline::BatchMultiplyAdds(model_.config(), work.lengths) / result.median * 1e-6;
    for (std::vector<int64_t>& step : steps) result.step_nanoseconds.push_back(Median(step));
    result.kernels = KernelTimes(embedder_.executor().program(), result.step_nanoseconds);
    return result;
  }

  int threads() const { return embedder_.executor().stats().threads; }
  const driver::SourceModel& model() const { return model_; }
  std::string_view target() const { return embedder_.target(); }

 private:
  const driver::SourceModel& model_;
  runtime::Embedder& embedder_;
  std::vector<float> vectors_;
};

Result<Workload> ReadWorkload(driver::SourceModel& model, const std::string& path) {
  const runtime::TextEncoder encoder([&] { return model.tokenizer(); },
                                     {model.config().vocab, model.config().context_length});
  ASSIGN_OR_RETURN(const std::unique_ptr<DocumentSource> source, OpenDocuments(path));
  Workload work;
  Document document;
  std::vector<int32_t> ids;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, source->Next(document));
    if (!more) break;
    const Result<int64_t> encoded = EncodeDocument(encoder, document, /*title=*/"", {}, ids);
    if (!encoded) return WithContext<Workload>(document.where, tl::unexpected(encoded.error()));
    work.ids.insert(work.ids.end(), ids.begin(), ids.end());
    work.lengths.push_back(static_cast<int32_t>(ids.size()));
    if (work.tokens() > runtime::kMaxBatchTokens) {
      return Err("{}: more than {} tokens (the most of one call)", document.where, runtime::kMaxBatchTokens);
    }
  }
  if (work.lengths.empty()) return Err("{}: no documents", path);
  return work;
}

std::string AsJson(const Bench& bench, const BenchFlags& flags, const std::vector<Measurement>& all) {
  Json json = Json::array();
  for (const Measurement& m : all) {
    Json kernels = Json::array();
    for (const KernelTime& kernel : m.kernels) {
      kernels.push_back({{"name", kernel.kernel}, {"calls", kernel.calls}, {"ms", 1e3 * kernel.seconds}});
    }
    json.push_back({{"tokens", m.tokens},
                    {"documents", m.documents},
                    {"threads", bench.threads()},
                    {"median_ms", m.median},
                    {"min_ms", m.least},
                    {"max_ms", m.most},
                    {"runs", m.runs},
                    {"tokens_per_s", 1e3 * static_cast<double>(m.tokens) / m.median},
                    {"gmacs", m.gmacs},
                    {"target", bench.target()},
                    {"activations", flags.model.activations},
                    {"kernels", std::move(kernels)}});
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string AsText(const Bench& bench, const BenchFlags& flags, const std::vector<Measurement>& all) {
  std::string out =
      fmt::format("{}: target {}, activations {}, {} thread{}\n\n", Printable(bench.model().file().path()),
                  bench.target(), flags.model.activations, bench.threads(), bench.threads() == 1 ? "" : "s");
  std::vector<std::vector<std::string>> rows = {
      {"tokens", "documents", "runs", "median ms", "min ms", "max ms", "tokens/s", "gmacs"}};
  for (const Measurement& m : all) {
    rows.push_back({fmt::format("{}", m.tokens), fmt::format("{}", m.documents), fmt::format("{}", m.runs),
                    fmt::format("{:.3f}", m.median), fmt::format("{:.3f}", m.least),
                    fmt::format("{:.3f}", m.most),
                    fmt::format("{:.0f}", 1e3 * static_cast<double>(m.tokens) / m.median),
                    fmt::format("{:.1f}", m.gmacs)});
  }
  out += Table(rows, "");
  rows = {{"ms in kernel"}};
  for (const Measurement& m : all) {
    rows[0].push_back(m.documents == 1 ? fmt::format("{}", m.tokens) : fmt::format("{} docs", m.documents));
  }
  for (const KernelTime& kernel : all.back().kernels) {
    rows.push_back({fmt::format("{} ({} calls)", kernel.kernel, kernel.calls)});
    for (const Measurement& m : all) {
      const auto same = std::ranges::find(m.kernels, kernel.kernel, &KernelTime::kernel);
      rows.back().push_back(fmt::format("{:.3f}", 1e3 * same->seconds));
    }
  }
  return out + "\n" + Table(rows, "");
}

// The answer to one line of --serve.
std::string Answer(Bench& bench, std::string_view line) {
  const auto wrong = [](const std::string& what) {
    return Json({{"error", what}}).dump(-1, ' ', false, Json::error_handler_t::replace);
  };
  if (!line.starts_with("run ")) return wrong("`run N[,N...]` is expected");
  line.remove_prefix(4);
  const std::optional<std::vector<int32_t>> lengths = ParseNumberList(line);
  if (!lengths) return wrong("`run N[,N...]` is expected");
  Workload work;
  for (const int32_t tokens : *lengths) {
    if (const Status status = AddDocument(bench.model(), tokens, work); !status)
      return wrong(status.error().message);
  }
  const Result<double> ms = bench.Run(work);
  if (!ms) return wrong(ms.error().message);
  return fmt::format("{{\"tokens\":{},\"ms\":{:.6f}}}", work.tokens(), *ms);
}

Status Serve(Bench& bench) {
  ASSIGN_OR_RETURN(LineReader reader, LineReader::Open("-", kMaxServeLine));
  ASSIGN_OR_RETURN(OutputFile out, OutputFile::Create("-"));
  std::string line;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, reader.Next(line));
    if (!more) return out.Finish();
    RETURN_IF_ERROR(out.Write(Answer(bench, line) + "\n"));
    RETURN_IF_ERROR(out.Flush());
  }
}

// `all` is empty where the machine cannot run the target's code, and the lengths are all there is to say.
// Compiles and loads for this machine, without the cache.
Result<std::unique_ptr<runtime::Embedder>> CompileForBench(const std::shared_ptr<driver::SourceModel>& model,
                                                           const driver::CompileOptions& options,
                                                           int threads) {
  RETURN_IF_ERROR(CheckTargetRuns(*options.target));
  Progress progress;
  progress.Show("compiling ...");
  const auto named = [&](Error error) { return NameModel(*model, std::move(error)); };
  ASSIGN_OR_RETURN(driver::CompiledProgram compiled,
                   driver::CompileProgram(*model, options).map_error(named));
  runtime::ExecutorOptions executor;
  executor.threads = threads;
  executor.profile = true;
  return driver::MakeEmbedder(model, std::move(compiled), executor).map_error(named);
}

Status PrintStudy(const driver::SourceModel& model, const driver::CompileOptions& options,
                  const BenchFlags& flags, const std::vector<Workload>& workloads,
                  const std::vector<Measurement>& all) {
  std::vector<RooflineBatch> batches;
  for (size_t i = 0; i < workloads.size(); ++i) {
    RooflineBatch& batch = batches.emplace_back();
    batch.lengths = workloads[i].lengths;
    if (all.empty()) continue;
    const Measurement& m = all[i];
    batch.measured = {
        .median_ms = m.median, .min_ms = m.least, .max_ms = m.most, .runs = m.runs, .step_seconds = {}};
    for (const int64_t step : m.step_nanoseconds)
      batch.measured.step_seconds.push_back(1e-9 * static_cast<double>(step));
  }
  return PrintRoofline(model, options, flags.roofline, flags.threads, flags.json, batches);
}

Status RunAll(const BenchFlags& flags) {
  ASSIGN_OR_RETURN(const driver::CompileOptions options, flags.model.Options());
  ASSIGN_OR_RETURN(const std::shared_ptr<driver::SourceModel> model, OpenModel(flags.model.model));
  std::vector<Workload> workloads;
  std::optional<Workload> batch;
  if (!flags.batch.empty()) {
    ASSIGN_OR_RETURN(batch, ReadWorkload(*model, flags.batch));
  }
  std::vector<int64_t> lengths = flags.tokens;
  if (lengths.empty() && !batch) {
    for (const int64_t length : {11, 64, 512, 2048}) {
      if (length <= model->config().context_length) lengths.push_back(length);
    }
    if (lengths.empty()) lengths.push_back(model->config().context_length);
  }
  for (const int64_t length : lengths) RETURN_IF_ERROR(AddDocument(*model, length, workloads.emplace_back()));
  if (batch) workloads.push_back(std::move(*batch));
  if (flags.roofline.roofline && !codegen::HostRuns(*options.target))
    return PrintStudy(*model, options, flags, workloads, {});

  ASSIGN_OR_RETURN(const std::unique_ptr<runtime::Embedder> embedder,
                   CompileForBench(model, options, flags.threads));
  Bench bench(*model, *embedder);
  if (flags.serve) return Serve(bench);

  std::vector<Measurement> all;
  Progress progress;
  for (const Workload& work : workloads) {
    progress.Show(fmt::format("{} tokens ...", work.tokens()));
    ASSIGN_OR_RETURN(all.emplace_back(), bench.Measure(work));
  }
  progress.Clear();
  if (flags.roofline.roofline) return PrintStudy(*model, options, flags, workloads, all);
  return WriteToStdout(flags.json ? AsJson(bench, flags, all) : AsText(bench, flags, all));
}

}  // namespace

int RunBench(const Arguments& arguments) {
  CommandLine line(kBenchHelp);
  BenchFlags flags;
  flags.model.AddModel(line.app());
  CLI::Option* tokens = line.app()
                            .add_option("--tokens", flags.tokens, "lengths of the documents (11,64,512,2048)")
                            ->delimiter(',')
                            ->allow_extra_args(false)
                            ->check(NumberFrom(1, int64_t{1} << 20))
                            ->type_name("N[,N...]");
  CLI::Option* batch =
      line.app()
          .add_option("--batch", flags.batch,
                      "also measure all documents of FILE in one call (as embed --input takes them)")
          ->type_name("FILE");
  AddThreads(line.app(), flags.threads);
  CLI::Option* json = line.app().add_flag("--json", flags.json, "a JSON array with an object a length");
  CLI::Option* serve =
      line.app()
          .add_flag("--serve", flags.serve, "measure what standard input asks for, see below")
          ->excludes(tokens)
          ->excludes(batch)
          ->excludes(json);
  flags.roofline.Add(line.app(), serve);
  flags.model.AddTarget(line.app());
  if (const auto status = line.Parse(arguments)) return *status;
  const Status status = RunAll(flags);
  return status ? kGood : Fail(status.error());
}

}  // namespace ggufc::tools
