// A model that was compiled in this process, loaded and packed: what its embedder refers to, and what an entry of the cache is
// made of.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "codegen/jit.h"
#include "driver/compile.h"
#include "runtime/api/embedder.h"
#include "runtime/exec/memory.h"
#include "runtime/store/chunked_table.h"
#include "runtime/store/model_card.h"
#include "support/result.h"

namespace ggufc::driver {

struct LoadedProgram {
  std::shared_ptr<SourceModel> model;
  CompiledProgram compiled;
  std::optional<codegen::LoadedCode> code;
  std::vector<runtime::KernelFn> kernels;  // of the program, in the code
  runtime::PageMemory weights;
  runtime::ModelCard info;  // its table_offset counts from the start of the model file
  // With `hash` only: the rest of what Check compares.
  uint64_t weights_hash = 0;
  std::vector<uint64_t> table_hashes;
  runtime::ChunkedTable table;
  double hash_seconds = 0;

  // Loads the object and packs the weights of a model that was compiled.
  static Result<std::shared_ptr<LoadedProgram>> Load(std::shared_ptr<SourceModel> model,
                                                     CompiledProgram compiled, bool hash);
  // Compiles the model first.
  static Result<std::shared_ptr<LoadedProgram>> Make(std::shared_ptr<SourceModel> model,
                                                     const CompileOptions& options, bool hash);
  // Whether packed weights and embedding table are what they were when it was made.
  Status Check() const;
};

// Runs the program. `tokenizer` may be null: then only token ids can be embedded; `fingerprint` may be all zeros.
Result<std::unique_ptr<runtime::Embedder>> MakeEmbedder(const std::shared_ptr<LoadedProgram>& loaded,
                                                        std::shared_ptr<const runtime::Tokenizer> tokenizer,
                                                        const runtime::FingerprintBytes& fingerprint,
                                                        const runtime::ExecutorOptions& executor);
// The same for token ids alone, of a program that is not loaded yet.
Result<std::unique_ptr<runtime::Embedder>> MakeEmbedder(std::shared_ptr<SourceModel> model,
                                                        CompiledProgram compiled,
                                                        const runtime::ExecutorOptions& executor);

// Checks rows of `table`, which begins at `offset` of the model file; `table` must outlive the function.
std::function<Status(int64_t offset, int64_t bytes)> CheckOf(const runtime::ChunkedTable& table,
                                                             int64_t offset);
// The embedding table of a model file in errors about its hashes.
std::string TableName(const std::string& path);

}  // namespace ggufc::driver
