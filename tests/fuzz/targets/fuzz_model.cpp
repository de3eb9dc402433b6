// A model file with the right keys and tensors. Its sizes, types and values come from the input (model_writer.h), so that
// fuzzing explores shapes and not syntax. Files that open are lowered to the program before code generation.
#include "driver/compile.h"
#include "fuzz_target.h"
#include "model_writer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ggufc;
  static fuzz::MemoryFile file;
  fuzz::Pieces input(data, size);
  constexpr ir::Scalar kActivations[] = {ir::Scalar::kQ16, ir::Scalar::kQ8, ir::Scalar::kQ7};
  driver::CompileOptions options;
  options.target = &codegen::Targets()[input.TakeBelow(static_cast<uint32_t>(codegen::Targets().size()))];
  options.activations = input.TakeOneOf(kActivations);
  options.dims = input.Take<uint8_t>();
  options.normalize = input.TakeBool();
  file.Write(fuzz::ModelWriter(input, /*vocabulary=*/false).Write());
  const std::string start = file.path() + ": ";
  const Result<std::shared_ptr<driver::SourceModel>> model = driver::SourceModel::Open(file.path());
  if (!model) {
    fuzz::RequireMessage(model.error().message, start);
    return 0;
  }
  const Result<driver::CompiledProgram> lowered = driver::LowerProgram(**model, options);
  if (!lowered) {
    fuzz::RequireMessage(lowered.error().message, start);
    return 0;
  }
  const runtime::Program& program = lowered->built.program;
  fuzz::Require(program.dims >= 1 && program.dims <= (*model)->config().output_dim,
                "dims are at most the model's");
  // Panels are padded to 16 rows, vectors to 64 bytes; two rope tables are added.
  const int64_t rotations = 8 * (*model)->config().context_length * (*model)->config().head_dim;
  const auto bytes = static_cast<int64_t>((*model)->file().bytes().size());
  fuzz::Require(program.weights_bytes <= 16 * bytes + rotations + (1 << 20),
                "packed weights are bounded by the file");
  return 0;
}
