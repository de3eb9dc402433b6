// Benchmarks the four matrix products of a layer as a model runs them: the kernels of a synthetic model of one layer,
// run by the executor on one thread. A forward pass of one layer reads 4.5 MB of weights, which come from L3, not from
// L1 or memory. oneDNN's products run in the same order, with the same caches.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <memory>

#include "driver/loaded_program.h"
#include "frontend/synth.h"
#include "micro_benchmarks.h"

namespace ggufc::bench {
namespace {

constexpr uint32_t kVocabulary = 1000;

// A model of one layer and its embedders, created on first use.
class OneLayer {
 public:
  runtime::Embedder& EmbedderFor(const codegen::Target& target, ir::Scalar activations) {
    if (model_ == nullptr) OpenModel();
    std::unique_ptr<runtime::Embedder>& embedder = embedders_[{&target, activations}];
    if (embedder == nullptr) {
      embedder = ValueOf(
          driver::MakeEmbedder(model_,
                               ValueOf(driver::CompileProgram(
                                   *model_, {.target = &target, .activations = activations, .emit = {}})),
                               {.threads = 1, .profile = true}));
    }
    return *embedder;
  }

 private:
  // The file is mapped, so its name is removed at once.
  void OpenModel() {
    const std::string path =
        std::filesystem::temp_directory_path() / fmt::format("ggufc-bench-{}.gguf", getpid());
    const frontend::SynthOptions options{.layers = 1, .vocab = kVocabulary, .dense = 0};
    if (const Status written = frontend::WriteSyntheticModel(options, std::nullopt, path); !written) {
      Fail(written.error().message);
    }
    Result<std::shared_ptr<driver::SourceModel>> model = driver::SourceModel::Open(path);
    unlink(path.c_str());
    model_ = ValueOf(std::move(model));
  }

  std::shared_ptr<driver::SourceModel> model_;
  std::map<std::pair<const codegen::Target*, ir::Scalar>, std::unique_ptr<runtime::Embedder>> embedders_;
};

// Index of the step that calls `kernel`.
size_t StepOfKernel(const runtime::Program& program, std::string_view kernel) {
  for (size_t i = 0; i < program.steps.size(); ++i) {
    if (program.kernels[program.steps[i].kernel] == kernel) return i;
  }
  Fail(fmt::format("the model has no kernel @{}", kernel));
}

void Run(benchmark::State& state, runtime::Embedder& embedder, int32_t tokens) {
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < tokens; ++i) ids.push_back((i * 37 + 5) % static_cast<int32_t>(kVocabulary));
  std::vector<float> out(embedder.dims());
  std::array<size_t, kProducts.size()> steps;
  for (size_t i = 0; i < kProducts.size(); ++i) {
    steps[i] = StepOfKernel(embedder.executor().program(), kProducts[i].kernel);
  }
  const auto forward = [&] {
    if (const Status status = embedder.Run(ids, {&tokens, 1}, out.data()); !status)
      Fail(status.error().message);
    return embedder.executor().stats().step_nanoseconds;
  };
  const std::vector<int64_t> start = forward();
  std::vector<int64_t> before = start;
  for (auto _ : state) {
    const std::vector<int64_t> after = forward();
    int64_t nanoseconds = 0;
    for (const size_t step : steps) nanoseconds += after[step] - before[step];
    state.SetIterationTime(1e-9 * static_cast<double>(nanoseconds));
    before = after;
  }
  double all = 0;
  for (size_t i = 0; i < kProducts.size(); ++i) {
    const double macs = static_cast<double>(tokens * kProducts[i].in * kProducts[i].out);
    state.counters[kProducts[i].shape] = macs * static_cast<double>(state.iterations()) /
                                         static_cast<double>(before[steps[i]] - start[steps[i]]);
    all += macs;
  }
  state.counters["GMAC/s"] = benchmark::Counter(1e-9 * all, benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace

void RegisterLayerProducts() {
  const auto layer = std::make_shared<OneLayer>();
  for (const codegen::Target& target : codegen::Targets()) {
    if (!codegen::HostRuns(target)) continue;
    for (const ir::Scalar activations : {ir::Scalar::kQ16, ir::Scalar::kQ8, ir::Scalar::kQ7}) {
      for (const int32_t tokens : kTokenCounts) {
        const std::string name =
            fmt::format("layer/{}/{}/tokens{}", target.name(), driver::ActivationsName(activations), tokens);
        benchmark::RegisterBenchmark(name.c_str(), [=, &target](benchmark::State& state) {
          Run(state, layer->EmbedderFor(target, activations), tokens);
        })->UseManualTime();
      }
    }
  }
}

}  // namespace ggufc::bench
