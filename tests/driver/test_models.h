// Models and embedders for the tests: golden files, small random models of odd shapes, and embedders for every target.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "builds.h"
#include "driver/loaded_program.h"
#include "frontend/synth.h"
#include "support/check.h"
#include "test_paths.h"

namespace ggufc::testing {

// The value of a Result, or a failed CHECK with its message.
template <typename T>
T Value(Result<T> result) {
  CHECK(result.has_value(), "{}", result.error().message);
  return std::move(*result);
}

struct Batch {
  std::vector<int32_t> ids;
  std::vector<int32_t> lengths;
  void Add(const std::vector<int32_t>& sequence) {
    ids.insert(ids.end(), sequence.begin(), sequence.end());
    lengths.push_back(static_cast<int32_t>(sequence.size()));
  }
};

driver::CompiledProgram CompileFor(const driver::SourceModel& model, const Build& build,
                                   ir::Scalar activations, driver::CompileOptions options = {});
// An embedder whose arena, scratch and outputs are filled with NaN before each run.
std::unique_ptr<runtime::Embedder> PoisonedEmbedder(const std::shared_ptr<driver::SourceModel>& model,
                                                    const driver::CompiledProgram& compiled,
                                                    runtime::ExecutorOptions executor);

// Row-major [sequences, dims].
std::vector<float> Embed(runtime::Embedder& embedder, const Batch& batch);

// 1 - cos of two vectors, in double.
template <typename A, typename B>
double CosineDistance(const A* a, const B* b, int64_t n) {
  double dot = 0, aa = 0, bb = 0;
  for (int64_t i = 0; i < n; ++i) {
    dot += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    aa += static_cast<double>(a[i]) * static_cast<double>(a[i]);
    bb += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return 1 - dot / std::sqrt(aa * bb);
}

// The accuracy that a mode promises: 1 - cos to the float64 embedding (docs/decisions.md has the derivation).
double Tolerance(frontend::GgmlType weights, ir::Scalar activations);

// A random shape within what the architecture allows, and a model file of it that is deleted with this object.
struct RandomModel {
  frontend::SynthOptions options;
  std::string path;
  std::shared_ptr<driver::SourceModel> model;
  explicit RandomModel(uint64_t seed);
  ~RandomModel();
  std::string Describe() const;
};

std::vector<int32_t> RandomIds(std::mt19937_64& random, int64_t vocab, int64_t length);

}  // namespace ggufc::testing
