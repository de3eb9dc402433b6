#include "driver/aot/artifact_plan.h"

#include <algorithm>
#include <map>

#include "runtime/api/ggufc.h"
#include "runtime/store/byte_io.h"
#include "support/check.h"
#include "support/hash.h"
#include "support/text.h"

namespace ggufc::driver {
namespace {

using runtime::Arg;
using runtime::ArgKind;

}  // namespace

Result<const frontend::Tensor*> TableOf(const frontend::GgufFile& file, const runtime::Program& program) {
  const frontend::Tensor* table = nullptr;
  for (const Arg& arg : program.args) {
    if (arg.kind != ArgKind::kFile) continue;
    const auto tensor = std::ranges::find(file.tensors(), file.bytes().data() + arg.offset,
                                          [](const frontend::Tensor& t) { return t.data.data(); });
    CHECK(tensor != file.tensors().end(), "no tensor at offset {}", arg.offset);
    if (table != nullptr && table != &*tensor) {
      return Err("{}: tensors {} and {} are both read in place; a model has one such table", file.path(),
                 Quoted(table->name), Quoted(tensor->name));
    }
    table = &*tensor;
  }
  CHECK(table != nullptr, "the program reads no embedding table");
  return table;
}

runtime::ModelCard MakeModelCard(const SourceModel& model, const CompiledProgram& compiled,
                                 const frontend::Tensor& table, int64_t table_offset) {
  const frontend::Hparams& config = model.config();
  const CompileOptions& options = compiled.options;
  runtime::ModelCard info;
  // If the key is missing or is not a string, the model has no name.
  runtime::SetText(info.name, model.file().GetStringOr("general.name", "").value_or(""));
  runtime::SetText(info.architecture, config.architecture);
  runtime::SetText(info.activations, ActivationsName(options.activations));
  runtime::SetText(info.compiler_version, ggufc_version());
  runtime::SetText(info.numerics, compiled.numerics);
  info.normalize = options.normalize ? 1 : 0;
  info.layers = config.layers;
  info.full_dims = config.output_dim;
  info.dims = options.dims > 0 ? options.dims : config.output_dim;
  info.vocab = config.vocab;
  info.context_length = config.context_length;
  info.table_offset = table_offset;
  info.table_row_bytes = static_cast<int64_t>(table.row_bytes());
  return info;
}

uint64_t LayoutHash(const frontend::GgufFile& file, const BuiltProgram& built,
                    const frontend::Tensor& table) {
  std::map<const uint8_t*, std::string_view> names;
  for (const frontend::Tensor& tensor : file.tensors()) names[tensor.data.data()] = tensor.name;
  runtime::ByteWriter writer;
  const auto put_text = [&](std::string_view text) {
    writer.Put(static_cast<uint32_t>(text.size()));
    writer.PutAll(text);
  };
  writer.Put(built.program.weights_bytes);
  writer.Put(static_cast<uint32_t>(built.jobs.size()));
  for (const runtime::PackJob& job : built.jobs) {
    writer.Put(static_cast<uint8_t>(job.kind));
    for (const int64_t value : {job.offset, job.granule, job.pack, job.unit, job.positions, job.head_dim}) {
      writer.Put(value);
    }
    writer.Put(job.factor);
    writer.Put(job.theta);
    writer.Put(static_cast<uint32_t>(job.sources.size()));
    for (const runtime::PackSource& source : job.sources) {
      put_text(names.at(source.data));
      writer.Put(static_cast<uint8_t>(source.type));
      writer.Put(source.rows);
      writer.Put(source.columns);
    }
  }
  put_text(table.name);
  writer.Put(static_cast<uint64_t>(table.data.size()));
  return Hash64(writer.Take());
}

Result<ArtifactPlan> PlanArtifact(const SourceModel& model, const CompileOptions& options,
                                  std::span<const codegen::Target* const> targets) {
  ArtifactPlan plan;
  for (const codegen::Target& target : codegen::Targets()) {
    if (std::ranges::find(targets, &target) == targets.end()) continue;
    TargetPlan& part = plan.targets.emplace_back();
    CompileOptions target_options = options;
    target_options.target = &target;
    ASSIGN_OR_RETURN(part.lowered, LowerProgram(model, target_options));
    const BuiltProgram& built = part.lowered.built;
    ASSIGN_OR_RETURN(const frontend::Tensor* table, TableOf(model.file(), built.program));
    CHECK(plan.table == nullptr || plan.table == table, "targets read different tables");
    plan.table = table;
    part.program = built.program;
    for (Arg& arg : part.program.args) {
      if (arg.kind == ArgKind::kFile) arg.offset = 0;
    }
    part.program.file_bytes = static_cast<int64_t>(table->data.size());
    part.layout = LayoutHash(model.file(), built, *table);
  }
  CHECK(!plan.targets.empty(), "no targets");
  // plan.weights refers to elements of plan.targets, which must not move from here on.
  for (const TargetPlan& part : plan.targets) {
    if (std::ranges::find(plan.weights, part.layout, &WeightsPlan::layout) != plan.weights.end()) continue;
    plan.weights.push_back({part.layout, part.lowered.built.jobs, part.program.weights_bytes});
  }
  plan.info = MakeModelCard(model, plan.targets.front().lowered, *plan.table, 0);
  return plan;
}

}  // namespace ggufc::driver
