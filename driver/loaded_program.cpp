#include "driver/loaded_program.h"

#include <algorithm>
#include <utility>

#include "driver/aot/artifact_plan.h"
#include "runtime/store/image_format.h"
#include "support/hash.h"

namespace ggufc::driver {
namespace {

// The hashes of its chunks. Pages go back to the system as they are read.
std::vector<uint64_t> HashTable(const frontend::GgufFile& file, std::span<const uint8_t> table) {
  constexpr size_t kSlice = 64 * runtime::kTableChunkBytes;
  std::vector<uint64_t> hashes;
  for (; !table.empty(); table = table.subspan(std::min(kSlice, table.size()))) {
    const auto slice = table.first(std::min(kSlice, table.size()));
    const std::vector<uint64_t> some = runtime::HashChunks(slice);
    hashes.insert(hashes.end(), some.begin(), some.end());
    file.Release(slice);
  }
  return hashes;
}

}  // namespace

std::string TableName(const std::string& path) {
  return fmt::format("{}: embedding table, which is not what was compiled", path);
}

Result<std::shared_ptr<LoadedProgram>> LoadedProgram::Make(std::shared_ptr<SourceModel> model,
                                                           const CompileOptions& options, bool hash) {
  auto fresh = std::make_shared<LoadedProgram>();
  fresh->model = std::move(model);
  ASSIGN_OR_RETURN(fresh->compiled,
                   WithKind(ErrorKind::kBadFile, driver::CompileProgram(*fresh->model, options)));
  CompiledProgram& compiled = fresh->compiled;
  const runtime::Program& program = compiled.built.program;
  const frontend::GgufFile& file = fresh->model->file();
  Stopwatch watch;
  ASSIGN_OR_RETURN(codegen::LoadedCode code, codegen::LoadedCode::Load(compiled.object));
  ASSIGN_OR_RETURN(fresh->kernels, LookupKernels(code, program));
  fresh->code = std::move(code);
  watch.AddTo(compiled.times.load);
  ASSIGN_OR_RETURN(fresh->weights, runtime::PageMemory::Allocate(program.weights_bytes, "packed weights"));
  PackWeights(file, compiled.built.jobs, fresh->weights.data());
  watch.AddTo(compiled.times.pack);
  ASSIGN_OR_RETURN(const frontend::Tensor* const table,
                   WithKind(ErrorKind::kBadFile, TableOf(file, program)));
  fresh->info = MakeModelCard(*fresh->model, options, *table, table->data.data() - file.bytes().data());
  if (hash) {
    fresh->weights_hash = Hash64(fresh->weights.bytes());
    fresh->table_hashes = HashTable(file, table->data);
    fresh->table = runtime::ChunkedTable(table->data, fresh->table_hashes, TableName(file.path()));
    watch.AddTo(fresh->hash_seconds);
  }
  return fresh;
}

Status LoadedProgram::Check() const {
  if (table_hashes.empty()) return {};
  if (const uint64_t hash = Hash64(weights.bytes()); hash != weights_hash) {
    return Err(ErrorKind::kBadFile, "packed weights in memory: their hash is {:016x}, expected {:016x}", hash,
               weights_hash);
  }
  return table.CheckAll();
}

}  // namespace ggufc::driver
