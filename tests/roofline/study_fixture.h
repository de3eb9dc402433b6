// A small model, its costs for given batches, and a machine with round rates.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "driver/compile.h"
#include "frontend/synth.h"
#include "support/check.h"
#include "tools/roofline/study.h"

namespace ggufc::testing {

template <typename T>
T Value(Result<T> result) {
  CHECK(result.has_value(), "{}", result.error().message);
  return std::move(*result);
}

// Two local layers, with widths small enough to count by hand.
class TinyModel {
 public:
  explicit TinyModel(const std::string& name)
      : path_(fmt::format("{}/ggufc-roofline-{}-{}.gguf", ::testing::TempDir(), name, getpid())) {
    frontend::SynthOptions options;
    options.layers = 2;
    options.dim = 64;
    options.heads = 2;
    options.kv_heads = 1;
    options.head_dim = 32;
    options.ffn = 96;
    options.vocab = 600;
    options.window = 16;
    options.context = 256;
    options.dense = 128;
    const Status written = frontend::WriteSyntheticModel(options, std::nullopt, path_);
    CHECK(written, "{}", written.error().message);
    model_ = Value(driver::SourceModel::Open(path_));
  }
  ~TinyModel() { unlink(path_.c_str()); }
  TinyModel(const TinyModel&) = delete;
  TinyModel& operator=(const TinyModel&) = delete;

  const driver::SourceModel& model() const { return *model_; }
  const std::string& path() const { return path_; }

  driver::CompileOptions Options(const char* target) const {
    driver::CompileOptions options;
    options.target = Value(codegen::FindTarget(target));
    return options;
  }
  std::vector<roofline::Cost> Costs(const char* target, std::vector<int32_t> lengths) const {
    const driver::CompileOptions options = Options(target);
    return roofline::CountCalls(Value(roofline::KernelStage(*model_, options)), *options.target, lengths);
  }

 private:
  std::string path_;
  std::shared_ptr<driver::SourceModel> model_;
};

// 100 GMAC/s of f32, 200 of i16, 400 of i8; 500, 200, 100 and 20 GB/s.
inline roofline::Machine RoundMachine() {
  roofline::Machine machine;
  machine.cpu = "Example <CPU> & co";
  machine.target = "avx512vnni";
  machine.threads = 2;
  machine.hertz = 4e9;
  machine.compute = {{roofline::Arithmetic::kF32, {50e9, 100e9}},
                     {roofline::Arithmetic::kI16, {100e9, 200e9}},
                     {roofline::Arithmetic::kU8S8, {200e9, 400e9}}};
  machine.memory = {{"L1", 64 << 10, 24 << 10, {250e9, 500e9}},
                    {"L2", 2 << 20, 768 << 10, {100e9, 200e9}},
                    {"L3", 32 << 20, 8 << 20, {60e9, 100e9}},
                    {"DRAM", 0, 128 << 20, {18e9, 20e9}}};
  return machine;
}

// Two batches of the tiny model; every call takes one microsecond.
inline roofline::Study TinyStudy(const TinyModel& tiny) {
  roofline::Study study{.model = tiny.path(),
                        .target = "avx512vnni",
                        .activations = "i16",
                        .packed_weight_bytes = 100 << 20,
                        .machine = RoundMachine(),
                        .batches = {}};
  for (const std::vector<int32_t>& lengths : {std::vector<int32_t>{5, 40}, std::vector<int32_t>{100}}) {
    const std::vector<roofline::Cost> costs = tiny.Costs("avx512vnni", lengths);
    roofline::Measured measured{
        .median_ms = 0.02, .min_ms = 0.01, .max_ms = 0.05, .runs = 7, .step_seconds = {}};
    measured.step_seconds.assign(costs.size(), 1e-6);
    study.batches.push_back(roofline::Analyse(costs, lengths, &*study.machine, measured));
  }
  return study;
}

}  // namespace ggufc::testing
