// Benchmarks the micro-kernels that the tile pass requests, compiled and loaded as those of a model, each on its own.
//
// Values do not affect the speed as long as no f32 is denormal or overflows. Weights and records are bytes 0x10 to
// 0x2f: small normal numbers as f32, f16 and bf16, and at most seven bits as integers.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>

#include "codegen/jit.h"
#include "codegen/object_emitter.h"
#include "micro_benchmarks.h"
#include "passes/kernel/kernel_shape.h"
#include "passes/loop/simplify.h"
#include "passes/lower/tile_micro.h"
#include "passes/lower/tile_rows.h"
#include "run_kernel.h"
#include "runtime/exec/memory.h"

namespace ggufc::bench {
namespace {

constexpr int64_t kStreamBytes =
    100 << 20;  // as the weights of a model's layers; more than the L3 of one core
constexpr int64_t kOutStride = passes::kPanelColumns * 4;

struct Format {
  const char* name;
  ir::Scalar activation;  // kF32 with float weights
  ir::Scalar weight;
};
constexpr Format kFormats[] = {
    {"i16", ir::Scalar::kQ16, ir::Scalar::kQ8_0}, {"i8", ir::Scalar::kQ8, ir::Scalar::kQ8_0},
    {"i7", ir::Scalar::kQ7, ir::Scalar::kQ8_0},   {"f32", ir::Scalar::kF32, ir::Scalar::kF32},
    {"f16", ir::Scalar::kF32, ir::Scalar::kF16},  {"bf16", ir::Scalar::kF32, ir::Scalar::kBF16},
};

struct Case {
  const codegen::Target* target;
  Format format;
  int64_t k;
  int rows;
  bool stream;

  bool integer() const { return format.weight == ir::Scalar::kQ8_0; }
  int64_t row_stride() const {
    return passes::RowStride(format.activation, k, integer() ? target->info.Pack(format.activation) : 0);
  }
  std::string Name() const {
    return fmt::format("micro/{}/{}/k{}/rows{}/{}", target->name(), format.name, k, rows,
                       stream ? "stream" : "cache");
  }
};

// (activations, panel, out, row stride of out in bytes, tile index for integer tiles or k for float tiles)
using MicroFn = void (*)(void*, void*, void*, int64_t, int64_t);

struct Compiled {
  codegen::LoadedCode code;
  MicroFn function;
};

Compiled Compile(const Case& c) {
  ir::Module module = testing::LoopModule();
  const ir::FunctionId id =
      c.integer()
          ? passes::IntegerMicroKernel(module, c.target->info,
                                       {.rows = c.rows,
                                        .columns = c.k,
                                        .activation = c.format.activation,
                                        .pack = c.target->info.Pack(c.format.activation)})
          : passes::FloatMicroKernel(module, {.rows = c.rows,
                                              .weight = c.format.weight,
                                              .a_stride = c.row_stride(),
                                              .w_stride = passes::PanelBytes(c.format.weight, c.k) / c.k});
  const std::string name = module.function(id).name;
  ValueOf(passes::Simplify(module, {.target = c.target->info, .activations = c.format.activation}));
  const std::vector<uint8_t> object = ValueOf(codegen::EmitObject(module, *c.target));
  codegen::LoadedCode code = ValueOf(codegen::LoadedCode::Load(object));
  void* address = ValueOf(code.Lookup(name));
  return {std::move(code), reinterpret_cast<MicroFn>(address)};
}

runtime::PageMemory Filled(int64_t bytes) {
  runtime::PageMemory memory = ValueOf(runtime::PageMemory::Allocate(bytes, "benchmark data"));
  uint32_t state = 1;
  for (uint8_t& byte : memory.bytes()) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<uint8_t>(0x10 + (state >> 27));
  }
  return memory;
}

void Run(benchmark::State& state, const Case& c, runtime::PageMemory& stream) {
  const Compiled compiled = Compile(c);
  const int64_t panel = passes::PanelBytes(c.format.weight, c.k);
  const int64_t panels = c.stream ? kStreamBytes / panel : 1;
  if (c.stream && stream.data() == nullptr) stream = Filled(kStreamBytes);
  const runtime::PageMemory weights = c.stream ? runtime::PageMemory() : Filled(panel);
  uint8_t* const first = c.stream ? stream.data() : weights.data();
  const runtime::PageMemory rows = Filled(c.rows * c.row_stride());
  // As f32 the bytes are about 1e-29, and their products with such weights would be denormal.
  if (!c.integer()) std::fill_n(reinterpret_cast<float*>(rows.data()), rows.size() / 4, 1.0f);
  const runtime::PageMemory out = Filled(c.rows * kOutStride);
  // Tile 0 prefetches the next panel. With one panel in cache there is none to read next, so the tile's index is 1.
  const int64_t last_argument = !c.integer() ? c.k : c.stream ? 0 : 1;
  for (auto _ : state) {
    for (int64_t i = 0; i < panels; ++i)
      compiled.function(rows.data(), first + i * panel, out.data(), kOutStride, last_argument);
    benchmark::ClobberMemory();
  }
  constexpr auto kRate = benchmark::Counter::kIsIterationInvariantRate;
  state.counters["GMAC/s"] =
      benchmark::Counter(1e-9 * static_cast<double>(panels * c.k * passes::kPanelColumns * c.rows), kRate);
  if (c.stream)
    state.counters["GB/s"] = benchmark::Counter(1e-9 * static_cast<double>(panels * panel), kRate);
}

}  // namespace

void RegisterMicroKernels() {
  const auto stream = std::make_shared<runtime::PageMemory>();  // filled by the first benchmark that needs it
  for (const codegen::Target& target : codegen::Targets()) {
    if (!codegen::HostRuns(target)) continue;
    for (const Format& format : kFormats) {
      for (const int64_t k : {int64_t{768}, int64_t{1152}}) {
        for (const int rows : {target.info.Rows(format.activation), 1}) {
          for (const bool streaming : {false, true}) {
            const Case c{&target, format, k, rows, streaming};
            benchmark::RegisterBenchmark(c.Name().c_str(),
                                         [c, stream](benchmark::State& s) { Run(s, c, *stream); });
          }
        }
      }
    }
  }
}

}  // namespace ggufc::bench
