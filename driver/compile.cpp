#include "driver/compile.h"

#include <algorithm>
#include <map>
#include <utility>

#include "codegen/object_emitter.h"
#include "frontend/gguf/tensor_data.h"
#include "ir/core/numerics.h"
#include "support/text.h"

namespace ggufc::driver {
namespace {

const codegen::Target& TargetOf(const CompileOptions& options) {
  return options.target != nullptr ? *options.target : codegen::NativeTarget();
}

// What would otherwise come out only after code was generated for it.
Status CheckProgram(const runtime::Program& program, const frontend::GgufFile& file) {
  if (program.kernels.size() > kMaxKernels) {
    return Err(
        "{} different kernels ({} are allowed): the layers differ too much in the types of their tensors",
        program.kernels.size(), kMaxKernels);
  }
  const int64_t tokens = std::max(runtime::ExecutorOptions().chunk_tokens, program.context_length);
  return runtime::ValidateProgram(program, program.weights_bytes, static_cast<int64_t>(file.bytes().size()),
                                  tokens);
}

// A weight that is not finite would make embeddings NaN; here it gets a name. 40 ms for 320 MB.
Status CheckWeights(const frontend::GgufFile& file, const ir::Module& module) {
  for (const ir::Weight& weight : module.weights) {
    if (weight.def != ir::Weight::Def::kTensor) continue;
    ASSIGN_OR_RETURN(const frontend::Tensor* tensor, file.GetTensor(weight.name));
    RETURN_IF_ERROR(frontend::CheckFinite(file, *tensor));
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<SourceModel>> SourceModel::Open(const std::string& path) {
  ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(path));
  return Read(std::move(file));
}

Result<std::shared_ptr<SourceModel>> SourceModel::Read(MappedFile file) {
  std::shared_ptr<SourceModel> model(new SourceModel());
  ASSIGN_OR_RETURN(model->file_, frontend::GgufFile::Read(std::move(file)));
  ASSIGN_OR_RETURN(model->config_, frontend::ReadHparams(model->file_));
  model->warnings_ = model->config_.warnings;
  return model;
}

Result<const runtime::Tokenizer*> SourceModel::tokenizer() {
  if (!tokenizer_) {
    ASSIGN_OR_RETURN(const frontend::Vocabulary vocabulary, frontend::LoadVocabulary(file_));
    if (static_cast<int64_t>(vocabulary.pieces.size()) != config_.vocab) {
      return Err("{}: tokenizer.ggml.tokens has {} entries, token_embd.weight {} rows", file_.path(),
                 vocabulary.pieces.size(), config_.vocab);
    }
    const runtime::VocabularyView view{vocabulary.pieces,  vocabulary.scores,  vocabulary.types,
                                       vocabulary.bos,     vocabulary.eos,     vocabulary.unknown,
                                       vocabulary.add_bos, vocabulary.add_eos, vocabulary.add_space_prefix};
    runtime::RepeatedPieces repeated;
    ASSIGN_OR_RETURN(tokenizer_, WithContext(file_.path(), runtime::Tokenizer::Create(view, &repeated)));
    warnings_.insert(warnings_.end(), vocabulary.warnings.begin(), vocabulary.warnings.end());
    if (repeated.count > 0) {
      warnings_.push_back(
          fmt::format("key 'tokenizer.ggml.tokens': {} of {} tokens have the piece of an earlier one; the "
                      "first is token {}, "
                      "with {} of token {}",
                      repeated.count, vocabulary.pieces.size(), repeated.first,
                      Quoted(vocabulary.pieces[static_cast<size_t>(repeated.first)]), repeated.earlier));
    }
  }
  return &*tokenizer_;
}

Result<ir::Scalar> ParseActivations(std::string_view name) {
  if (name == "i16") return ir::Scalar::kQ16;
  if (name == "i8") return ir::Scalar::kQ8;
  if (name == "i7") return ir::Scalar::kQ7;
  return Err("activations '{}': i16, i8 and i7 are known", name);
}

const char* ActivationsName(ir::Scalar activations) {
  return activations == ir::Scalar::kQ16 ? "i16" : activations == ir::Scalar::kQ8 ? "i8" : "i7";
}

Result<ir::Module> ImportGraph(const SourceModel& model, const CompileOptions& options) {
  return frontend::ImportModel(model.file(), model.config(),
                               {.dims = options.dims, .normalize = options.normalize});
}

Result<std::string> NumericsOf(const SourceModel& model, const CompileOptions& options) {
  ASSIGN_OR_RETURN(ir::Module module, ImportGraph(model, options));
  RETURN_IF_ERROR(
      WithContext(model.file().path(), passes::RunGraphPasses(module, ContextOf(model, options))));
  return ir::NumericsOf(module);
}

passes::PassContext ContextOf(const SourceModel& model, const CompileOptions& options) {
  return {.target = TargetOf(options).info,
          .activations = options.activations,
          .context_length = model.config().context_length};
}

// Each tensor's pages go back to the system as soon as they are packed, so that the weights are not in memory twice.
void PackWeights(const frontend::GgufFile& file, std::span<const runtime::PackJob> jobs, uint8_t* blob) {
  std::map<const uint8_t*, const frontend::Tensor*> tensor_at;
  for (const frontend::Tensor& tensor : file.tensors()) tensor_at[tensor.data.data()] = &tensor;
  for (const runtime::PackJob& job : jobs) {
    runtime::Pack(job, blob + job.offset);
    for (const runtime::PackSource& source : job.sources) file.Release(*tensor_at.at(source.data));
  }
}

Result<CompiledProgram> LowerProgram(const SourceModel& model, const CompileOptions& options,
                                     const passes::PassObserver& observer) {
  CompiledProgram compiled;
  compiled.options = options;
  compiled.options.target = &TargetOf(options);
  Stopwatch watch;
  ASSIGN_OR_RETURN(compiled.module, ImportGraph(model, options));
  watch.AddTo(compiled.times.import);

  const auto observe = [&](const passes::PassReport& report, const ir::Module& module) -> Status {
    compiled.times.each_pass.emplace_back(report.pass->name, report.seconds);
    return observer ? observer(report, module) : Status();
  };
  const passes::PassContext context = ContextOf(model, options);
  const auto run_passes = [&]() -> Status {
    RETURN_IF_ERROR(passes::RunGraphPasses(compiled.module, context, observe));
    compiled.numerics = ir::NumericsOf(compiled.module);
    return passes::RunLoweringPasses(compiled.module, context, observe);
  };
  RETURN_IF_ERROR(WithContext(model.file().path(), run_passes()));
  ASSIGN_OR_RETURN(compiled.built, BuildProgram(compiled.module, model.file(), model.config().vocab,
                                                model.config().context_length));
  for (std::string& kernel : compiled.built.program.kernels) kernel.insert(0, options.emit.symbol_prefix);
  RETURN_IF_ERROR(WithContext(model.file().path(), CheckProgram(compiled.built.program, model.file())));
  watch.AddTo(compiled.times.passes);
  RETURN_IF_ERROR(CheckWeights(model.file(), compiled.module));
  watch.AddTo(compiled.times.check);
  return compiled;
}

Result<CompiledProgram> CompileProgram(const SourceModel& model, const CompileOptions& options,
                                       const passes::PassObserver& observer) {
  ASSIGN_OR_RETURN(CompiledProgram compiled, LowerProgram(model, options, observer));
  Stopwatch watch;
  ASSIGN_OR_RETURN(compiled.object,
                   codegen::EmitObject(compiled.module, *compiled.options.target, options.emit));
  watch.AddTo(compiled.times.codegen);
  return compiled;
}

Result<std::vector<runtime::KernelFn>> LookupKernels(const codegen::LoadedCode& code,
                                                     const runtime::Program& program) {
  std::vector<runtime::KernelFn> kernels;
  for (const std::string& name : program.kernels) {
    ASSIGN_OR_RETURN(void* const address, code.Lookup(name));
    kernels.push_back(reinterpret_cast<runtime::KernelFn>(address));
  }
  return kernels;
}

}  // namespace ggufc::driver
