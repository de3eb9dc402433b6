// From a model file to a program that runs: import, passes, code generation, loading, packing. Tools, tests and the
// library interface start here.
//
//   SourceModel::Open    a GGUF file: configuration, vocabulary, graph
//   Compile        graph -> passes -> object code and a plan for the weights (for one target and one activation mode)
//   Engine::Load   object code and weights in this process, ready to run
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/emit/emitter.h"
#include "codegen/jit.h"
#include "codegen/target.h"
#include "driver/program_builder.h"
#include "frontend/arch/architecture.h"
#include "frontend/gguf/gguf_reader.h"
#include "frontend/tokenizer/vocabulary.h"
#include "ir/core/module.h"
#include "passes/pipeline.h"
#include "runtime/exec/executor.h"
#include "runtime/exec/memory.h"
#include "runtime/text/tokenizer.h"
#include "support/result.h"

namespace ggufc::driver {

// Layers of the same shapes and types share their kernels: a model has about 12, one whose layers come in two types about
// 20. Each takes 10 to 60 ms to compile, so that a file with every mixture of types would take seconds.
inline constexpr size_t kMaxKernels = 32;

// Raised whenever a bit of an output may change for the same file and options.
inline constexpr int kNumericsVersion = 2;

// An opened model file. Cheap: tensors are not read.
class SourceModel {
 public:
  static Result<std::unique_ptr<SourceModel>> Open(const std::string& path);
  static Result<std::unique_ptr<SourceModel>> Read(MappedFile file);

  const frontend::GgufFile& file() const { return file_; }
  const frontend::Hparams& config() const { return config_; }
  const std::vector<std::string>& warnings() const { return config_.warnings; }
  // Made on first use, because a caller with ids needs none: 262,144 pieces take about 50 ms. Not for concurrent calls.
  Result<const runtime::Tokenizer*> tokenizer();

 private:
  SourceModel() = default;
  frontend::GgufFile file_;
  frontend::Hparams config_;
  std::optional<runtime::Tokenizer> tokenizer_;
};

struct CompileOptions {
  const codegen::Target* target = nullptr;    // null: the most capable that this machine runs
  ir::Scalar activations = ir::Scalar::kQ16;  // kQ16, kQ8, kQ7: for linears on q8_0 weights
  int64_t dims = 0;                           // floats of an embedding, 0: all; at most the model's
  bool normalize = true;                      // embeddings of length 1
  codegen::EmitOptions emit;
};

// "i16", "i8", "i7".
Result<ir::Scalar> ParseActivations(std::string_view name);
const char* ActivationsName(ir::Scalar activations);

// Adds the seconds since it was made, or since it was last read, to `total`.
class Stopwatch {
 public:
  void AddTo(double& total) {
    const auto now = std::chrono::steady_clock::now();
    total += std::chrono::duration<double>(now - start_).count();
    start_ = now;
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// Seconds of each step.
struct CompileTimes {
  double import = 0, passes = 0, check = 0, codegen = 0, load = 0, pack = 0;
  std::vector<std::pair<std::string, double>> each_pass;
  double Total() const { return import + passes + check + codegen + load + pack; }
};

struct CompiledProgram {
  const codegen::Target* target = nullptr;
  ir::Module module;            // loop stage
  BuiltProgram built;           // steps and pack jobs; the jobs point into the model's file
  std::vector<uint8_t> object;  // ELF
  CompileTimes times;
};

// The graph, unchanged, and the graph after all passes. `observer` sees the module after each pass.
Result<ir::Module> ImportGraph(const SourceModel& model, const CompileOptions& options);
// The versions of the arithmetic that decide the bits of its embeddings (ir/core/numerics.h).
Result<std::string> NumericsOf(const SourceModel& model, const CompileOptions& options);
passes::PassContext ContextOf(const SourceModel& model, const CompileOptions& options);
Result<CompiledProgram> CompileProgram(const SourceModel& model, const CompileOptions& options,
                                       const passes::PassObserver& observer = {});
// The same without object code: all that can be wrong with the file is found here. Reads the weights once, for values that
// are not finite; limits what is compiled (kMaxKernels) and what it takes to run it (runtime::ValidateProgram).
Result<CompiledProgram> LowerProgram(const SourceModel& model, const CompileOptions& options,
                                     const passes::PassObserver& observer = {});

// Runs `jobs`, whose sources are tensors of `file`, into `blob`, which is zeroed and as large as they ask for.
void PackWeights(const frontend::GgufFile& file, std::span<const runtime::PackJob> jobs, uint8_t* blob);

// The addresses of the program's kernels, in their order.
Result<std::vector<runtime::KernelFn>> LookupKernels(const codegen::LoadedCode& code,
                                                     const runtime::Program& program);

// Compiled code and packed weights, ready to run.
class Engine {
 public:
  // `model` must outlive the engine: embeddings tables are read where they lie in the file.
  static Result<std::unique_ptr<Engine>> Load(const SourceModel& model, CompiledProgram compiled,
                                              const runtime::ExecutorOptions& options);

  // See runtime::Executor::Run.
  Status Run(std::span<const int32_t> ids, std::span<const int32_t> lengths, float* out) {
    return executor_->Run(ids, lengths, out);
  }
  int64_t dims() const { return executor_->program().dims; }
  const CompiledProgram& compiled() const { return compiled_; }
  const runtime::Executor& executor() const { return *executor_; }
  runtime::Executor& executor() { return *executor_; }

 private:
  explicit Engine(CompiledProgram compiled) : compiled_(std::move(compiled)) {}
  CompiledProgram compiled_;
  std::optional<codegen::LoadedCode> code_;
  runtime::PageMemory weights_;
  std::unique_ptr<runtime::Executor> executor_;
};

}  // namespace ggufc::driver
