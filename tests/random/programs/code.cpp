#include "code.h"

#include "codegen/object_emitter.h"
#include "driver/program_builder.h"
#include "runtime/exec/weight_packer.h"

namespace ggufc::programs {

Result<Code> Code::Plan(const ir::Module& module, const frontend::GgufFile& file, int64_t vocab,
                        int64_t context_length) {
  ASSIGN_OR_RETURN(driver::BuiltProgram built, driver::BuildProgram(module, file, vocab, context_length));
  Code code(file);
  ASSIGN_OR_RETURN(code.weights_,
                   runtime::PageMemory::Allocate(built.program.weights_bytes, "packed weights"));
  for (const runtime::PackJob& job : built.jobs) runtime::Pack(job, code.weights_.data() + job.offset);
  code.program_ = std::move(built.program);
  return code;
}

Status Code::Make(const ir::Module& module, const testing::Build& build) {
  ASSIGN_OR_RETURN(
      const std::vector<uint8_t> object,
      codegen::EmitObject(module, *build.target,
                          {.replace_intrinsics = build.replace_intrinsics, .symbol_prefix = {}}));
  ASSIGN_OR_RETURN(codegen::LoadedCode loaded, codegen::LoadedCode::Load(object));
  kernels_.clear();
  for (const std::string& name : program_.kernels) {
    ASSIGN_OR_RETURN(void* const address, loaded.Lookup(name));
    kernels_.push_back(reinterpret_cast<runtime::KernelFn>(address));
  }
  loaded_ = std::make_unique<codegen::LoadedCode>(std::move(loaded));
  return {};
}

Result<ir::InterpreterOutput> Code::Run(const ir::InterpreterInput& batch,
                                        runtime::ExecutorOptions options) const {
  options.poison = true;
  ASSIGN_OR_RETURN(const std::unique_ptr<runtime::Executor> executor,
                   runtime::Executor::Create(program_, kernels_, weights_.bytes(), file_->bytes(), options));
  const size_t rows = batch.lengths.size();
  std::vector<float> out(rows * static_cast<size_t>(program_.dims));
  RETURN_IF_ERROR(executor->Run(batch.ids, batch.lengths, out.data()));
  return ir::InterpreterOutput{static_cast<int64_t>(rows), program_.dims, {out.begin(), out.end()}};
}

}  // namespace ggufc::programs
