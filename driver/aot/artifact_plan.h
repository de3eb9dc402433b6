// What an ahead-of-time model consists of, decided before anything is written: the program of each target, the distinct
// arrangements of packed weights that those programs read, and the table that all of them read in place.
//
// Targets whose passes chose the same weight layouts share one section of packed weights: with i16 activations all
// do, with i8 and i7 those with a dot of four bytes have another than those without.
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
  runtime::Program program;  // the same, with kFile arguments that point into the table's section
  uint64_t layout = 0;       // of the weights that it reads
};

struct WeightsPlan {
  uint64_t layout = 0;
  std::span<const runtime::PackJob> jobs;
  int64_t bytes = 0;
};

// Move-only: `weights` views `targets`.
struct ArtifactPlan {
  std::vector<TargetPlan> targets;   // least capable first
  std::vector<WeightsPlan> weights;  // each layout once, in the order of the targets
  const frontend::Tensor* table = nullptr;
  runtime::ModelCard info;

  ArtifactPlan() = default;
  ArtifactPlan(ArtifactPlan&&) = default;
  ArtifactPlan& operator=(ArtifactPlan&&) = default;
};

// Identifies an arrangement of packed weights and of the table: XXH3-64 over all that decides their bytes but the values
// themselves. Code and weights that differ in it refuse each other.
uint64_t LayoutHash(const frontend::GgufFile& file, const BuiltProgram& built, const frontend::Tensor& table);

// The one tensor that kernels read where it lies in the file, the embedding table.
Result<const frontend::Tensor*> TableOf(const frontend::GgufFile& file, const runtime::Program& program);
// What the model says about itself; its table begins at `table_offset`.
runtime::ModelCard MakeModelCard(const SourceModel& model, const CompiledProgram& compiled,
                                 const frontend::Tensor& table, int64_t table_offset);

// Runs the passes for each of `targets`, which may come in any order and repeat. `options.target` does not matter.
Result<ArtifactPlan> PlanArtifact(const SourceModel& model, const CompileOptions& options,
                                  std::span<const codegen::Target* const> targets);

}  // namespace ggufc::driver
