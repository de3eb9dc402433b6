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

std::function<Status(int64_t, int64_t)> CheckOf(const runtime::ChunkedTable& table, int64_t offset) {
  return [&table, offset](int64_t place, int64_t bytes) { return table.Check(place - offset, bytes); };
}

Result<std::shared_ptr<LoadedProgram>> LoadedProgram::Make(std::shared_ptr<SourceModel> model,
                                                           const CompileOptions& options, bool hash) {
  ASSIGN_OR_RETURN(CompiledProgram compiled, WithKind(ErrorKind::kBadFile, CompileProgram(*model, options)));
  return Load(std::move(model), std::move(compiled), hash);
}

Result<std::shared_ptr<LoadedProgram>> LoadedProgram::Load(std::shared_ptr<SourceModel> model,
                                                           CompiledProgram own, bool hash) {
  auto loaded = std::make_shared<LoadedProgram>();
  loaded->model = std::move(model);
  loaded->compiled = std::move(own);
  CompiledProgram& compiled = loaded->compiled;
  const runtime::Program& program = compiled.built.program;
  const frontend::GgufFile& file = loaded->model->file();
  Stopwatch watch;
  ASSIGN_OR_RETURN(codegen::LoadedCode code, codegen::LoadedCode::Load(compiled.object));
  ASSIGN_OR_RETURN(loaded->kernels, LookupKernels(code, program));
  loaded->code = std::move(code);
  watch.AddTo(compiled.times.load);
  ASSIGN_OR_RETURN(loaded->weights, runtime::PageMemory::Allocate(program.weights_bytes, "packed weights"));
  PackWeights(file, compiled.built.jobs, loaded->weights.data());
  watch.AddTo(compiled.times.pack);
  ASSIGN_OR_RETURN(const frontend::Tensor* const table,
                   WithKind(ErrorKind::kBadFile, TableOf(file, program)));
  loaded->info = MakeModelCard(*loaded->model, compiled, *table, table->data.data() - file.bytes().data());
  if (hash) {
    loaded->weights_hash = Hash64(loaded->weights.bytes());
    loaded->table_hashes = HashTable(file, table->data);
    loaded->table = runtime::ChunkedTable(table->data, loaded->table_hashes, TableName(file.path()));
    watch.AddTo(loaded->hash_seconds);
  }
  return loaded;
}

Result<std::unique_ptr<runtime::Embedder>> MakeEmbedder(const std::shared_ptr<LoadedProgram>& loaded,
                                                        std::shared_ptr<const runtime::Tokenizer> tokenizer,
                                                        const runtime::FingerprintBytes& fingerprint,
                                                        const runtime::ExecutorOptions& executor) {
  runtime::EmbedderParts parts;
  parts.info = loaded->info;
  parts.fingerprint = fingerprint;
  parts.target = loaded->compiled.options.target->name();
  parts.tokenizer = std::move(tokenizer);
  parts.program = loaded->compiled.built.program;
  parts.kernels = loaded->kernels;
  parts.weights = loaded->weights.bytes();
  parts.tables = loaded->model->file().bytes();
  if (!loaded->table_hashes.empty()) {
    parts.check_tables = CheckOf(loaded->table, loaded->info.table_offset);
  }
  parts.check_all = [loaded = loaded.get()] { return loaded->Check(); };
  parts.keep_alive = loaded;
  return runtime::Embedder::Create(std::move(parts), executor);
}

Result<std::unique_ptr<runtime::Embedder>> MakeEmbedder(std::shared_ptr<SourceModel> model,
                                                        CompiledProgram compiled,
                                                        const runtime::ExecutorOptions& executor) {
  ASSIGN_OR_RETURN(const std::shared_ptr<LoadedProgram> loaded,
                   LoadedProgram::Load(std::move(model), std::move(compiled), /*hash=*/false));
  return MakeEmbedder(loaded, nullptr, {}, executor);
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
