// Benchmarks oneDNN's matmul on the shapes of a layer, on one thread. Weights are reordered once, before the
// measurement, to the layout that the primitive prefers. The four products run in turn, as in a layer.
#include <benchmark/benchmark.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <dnnl.hpp>
#include <unordered_map>
#include <vector>

#include "micro_benchmarks.h"

namespace ggufc::bench {
namespace {

using dnnl::memory;

class MatMul {
 public:
  MatMul(const dnnl::engine& engine, dnnl::stream& stream, bool integers, int64_t tokens,
         const Product& product)
      : stream_(stream) {
    const auto f32 = memory::data_type::f32;
    const memory::desc a({tokens, product.in}, integers ? memory::data_type::u8 : f32,
                         memory::format_tag::ab);
    const auto weight_type = integers ? memory::data_type::s8 : f32;
    const memory::desc plain({product.in, product.out}, weight_type, memory::format_tag::ab);
    const memory::desc any({product.in, product.out}, weight_type, memory::format_tag::any);
    const memory::desc c({tokens, product.out}, integers ? memory::data_type::s32 : f32,
                         memory::format_tag::ab);
    const dnnl::matmul::primitive_desc description({a, any, c}, engine);
    primitive_ = dnnl::matmul(description);
    memory source(a, engine), plain_weights(plain, engine), weights(description.weights_desc(), engine),
        result(c, engine);
    Fill(source, integers);
    Fill(plain_weights, integers);
    dnnl::reorder(plain_weights, weights).execute(stream_, plain_weights, weights);
    stream_.wait();
    arguments_ = {{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, result}};
  }

  void Execute() {
    primitive_.execute(stream_, arguments_);
    stream_.wait();
  }

 private:
  static void Fill(const memory& data, bool integers) {
    const size_t bytes = data.get_desc().get_size();
    if (integers) {
      std::memset(data.get_data_handle(), 3, bytes);
    } else {
      std::fill_n(static_cast<float*>(data.get_data_handle()), bytes / 4, 0.5f);
    }
  }

  dnnl::stream& stream_;
  dnnl::primitive primitive_;
  std::unordered_map<int, memory> arguments_;
};

void Run(benchmark::State& state, bool integers, int32_t tokens) {
  using Clock = std::chrono::steady_clock;
  omp_set_num_threads(1);
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  std::vector<MatMul> products;
  for (const Product& product : kProducts) products.emplace_back(engine, stream, integers, tokens, product);
  for (MatMul& product : products) product.Execute();

  std::array<double, kProducts.size()> seconds{};
  for (auto _ : state) {
    double all = 0;
    for (size_t i = 0; i < products.size(); ++i) {
      const auto start = Clock::now();
      products[i].Execute();
      const double one = std::chrono::duration<double>(Clock::now() - start).count();
      seconds[i] += one;
      all += one;
    }
    state.SetIterationTime(all);
  }
  double all = 0;
  for (size_t i = 0; i < kProducts.size(); ++i) {
    const double macs = static_cast<double>(tokens * kProducts[i].in * kProducts[i].out);
    state.counters[kProducts[i].shape] = 1e-9 * macs * static_cast<double>(state.iterations()) / seconds[i];
    all += macs;
  }
  state.counters["GMAC/s"] = benchmark::Counter(1e-9 * all, benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace

void RegisterOneDnnProducts() {
  for (const bool integers : {false, true}) {
    for (const int32_t tokens : kTokenCounts) {
      const std::string name = fmt::format("layer/onednn/{}/tokens{}", integers ? "u8s8" : "f32", tokens);
      benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
        Run(state, integers, tokens);
      })->UseManualTime();
    }
  }
}

}  // namespace ggufc::bench
