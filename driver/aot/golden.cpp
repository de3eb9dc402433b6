#include "driver/aot/golden.h"

#include <algorithm>

#include "codegen/jit.h"
#include "runtime/api/code.h"
#include "runtime/exec/executor.h"
#include "runtime/exec/memory.h"
#include "support/check.h"

namespace ggufc::driver {
namespace {

// The step of splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
uint64_t NextRandom(uint64_t& state) {
  uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// Resolves the object's reference to ggufc_main. It is never called.
int UnusedMain(const ggufc_code*, int, char**) {
  CHECK(false, "main() of loaded code was called");
  return 1;
}

Result<std::vector<runtime::KernelFn>> KernelsOf(const codegen::LoadedCode& loaded, const TargetPlan& target,
                                                 const std::string& name) {
  ASSIGN_OR_RETURN(void* const address, loaded.Lookup(name + "_code"));
  const auto* const code = static_cast<const ggufc_code*>(address);
  const std::span<const ggufc_code_target> targets(code->targets, code->target_count);
  const auto found = std::ranges::find(targets, target.lowered.options.target->name(),
                                       [](const ggufc_code_target& t) { return std::string_view(t.name); });
  CHECK(found != targets.end(), "the object has no code for {}", target.lowered.options.target->name());
  return std::vector<runtime::KernelFn>(found->kernels, found->kernels + found->kernel_count);
}

}  // namespace

std::vector<std::vector<int32_t>> GoldenSequences(int64_t vocab, int64_t context_length) {
  std::vector<std::vector<int32_t>> sequences;
  uint64_t state = 0;
  for (const int64_t length : {1, 11, 33, 80}) {
    std::vector<int32_t>& sequence = sequences.emplace_back();
    for (int64_t i = 0; i < std::min(length, context_length); ++i) {
      sequence.push_back(static_cast<int32_t>(NextRandom(state) % static_cast<uint64_t>(vocab)));
    }
  }
  return sequences;
}

Result<std::vector<runtime::GoldenVector>> ComputeGolden(const SourceModel& model, const TargetPlan& target,
                                                         std::span<const uint8_t> object,
                                                         const std::string& name) {
  const codegen::ExternalFunction externals[] = {
      {"ggufc_open_code", reinterpret_cast<const void*>(&ggufc_open_code)},
      {"ggufc_main", reinterpret_cast<const void*>(&UnusedMain)}};
  ASSIGN_OR_RETURN(const codegen::LoadedCode loaded, codegen::LoadedCode::Load(object, externals));
  ASSIGN_OR_RETURN(std::vector<runtime::KernelFn> kernels, KernelsOf(loaded, target, name));

  const BuiltProgram& built = target.lowered.built;
  ASSIGN_OR_RETURN(runtime::PageMemory weights,
                   runtime::PageMemory::Allocate(built.program.weights_bytes, "packed weights"));
  PackWeights(model.file(), built.jobs, weights.data());
  ASSIGN_OR_RETURN(const std::unique_ptr<runtime::Executor> executor,
                   runtime::Executor::Create(built.program, std::move(kernels), weights.bytes(),
                                             model.file().bytes(), runtime::ExecutorOptions{}));
  std::vector<runtime::GoldenVector> golden;
  for (std::vector<int32_t>& ids : GoldenSequences(built.program.vocab, built.program.context_length)) {
    runtime::GoldenVector& vector = golden.emplace_back();
    vector.ids = std::move(ids);
    vector.embedding.resize(static_cast<size_t>(built.program.dims));
    const auto length = static_cast<int32_t>(vector.ids.size());
    RETURN_IF_ERROR(WithContext(fmt::format("{}: golden vector {}", model.file().path(), golden.size() - 1),
                                executor->Run(vector.ids, std::span(&length, 1), vector.embedding.data())));
  }
  return golden;
}

}  // namespace ggufc::driver
