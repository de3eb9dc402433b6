// The plan of an ahead-of-time model, made before anything is written: the program of each target, the distinct layouts of
// packed weights that those programs read, and the embedding table that all of them read in place.
//
// Targets with equal weight layouts share one section of packed weights. With i16 activations all targets share it; with i8
// and i7 targets with a dot of four bytes have another layout than those without.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "codegen/target.h"
#include "driver/compile.h"
#include "frontend/gguf/gguf_reader.h"
#include "runtime/exec/program.h"
#include "runtime/store/model_card.h"
#include "support/result.h"

namespace ggufc::driver {

struct TargetPlan {
  CompiledProgram lowered;   // without object code; its program's kFile arguments point into the model's file
  runtime::Program program;  // the same program with kFile arguments that point into the table's section
  uint64_t layout = 0;       // LayoutHash of the weights that it reads
};

struct WeightsPlan {
  uint64_t layout = 0;
  std::span<const runtime::PackJob> jobs;
  int64_t bytes = 0;
};

// Move-only, because `weights` refers to `targets`.
struct ArtifactPlan {
  std::vector<TargetPlan> targets;   // least capable first
  std::vector<WeightsPlan> weights;  // one per layout, in the order of the targets
  const frontend::Tensor* table = nullptr;
  runtime::ModelCard info;

  ArtifactPlan() = default;
  ArtifactPlan(ArtifactPlan&&) = default;
  ArtifactPlan& operator=(ArtifactPlan&&) = default;
};

// Identifies a layout of packed weights and table: XXH3-64 over everything that determines their bytes, except the values.
// The runtime refuses code and weights with different layout hashes.
uint64_t LayoutHash(const frontend::GgufFile& file, const BuiltProgram& built, const frontend::Tensor& table);

// The embedding table: the one tensor that kernels read in place in the file.
Result<const frontend::Tensor*> TableOf(const frontend::GgufFile& file, const runtime::Program& program);
// The model card; `table_offset` is the offset of the embedding table.
runtime::ModelCard MakeModelCard(const SourceModel& model, const CompiledProgram& compiled,
                                 const frontend::Tensor& table, int64_t table_offset);

// Runs the passes for each of `targets`, in any order and with repetitions. `options.target` is not used.
Result<ArtifactPlan> PlanArtifact(const SourceModel& model, const CompileOptions& options,
                                  std::span<const codegen::Target* const> targets);

}  // namespace ggufc::driver
