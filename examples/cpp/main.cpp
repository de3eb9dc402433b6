// Embeds three sentences and prints the cosine of each pair, in C++20 with a model compiled ahead of time by CMake
// (CMakeLists.txt).
//
//   cmake -S . -B build -DMODEL=/path/to/model.gguf && cmake --build build && build/sentences
#include <array>
#include <cstdio>
#include <exception>
#include <ggufc/ggufc.hpp>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

#include "model.h"

int main() try {
  constexpr std::array<std::string_view, 3> kSentences = {
      "The cat sleeps on the warm roof of the house.",
      "A cat is asleep on the roof of our house.",
      "Central banks raised interest rates to slow inflation.",
  };
  const ggufc::Model model(model_open);
  const std::vector<float> vectors = model.Embed(kSentences, {.prompt = "sentence-similarity"});

  const auto vector = [&](size_t i) { return std::span(vectors).subspan(i * model.dims(), model.dims()); };
  for (size_t i = 0; i < kSentences.size(); ++i) {
    for (size_t j = i + 1; j < kSentences.size(); ++j) {
      // The vectors have length 1, so the cosine is their dot product.
      const double cosine = std::inner_product(vector(i).begin(), vector(i).end(), vector(j).begin(), 0.0);
      std::printf("%zu and %zu: %.4f\n", i + 1, j + 1, cosine);
    }
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
