// A model compiled ahead of time: an object file with the code of several targets (runtime/api/code.h), the image that it
// reads at run time (runtime/store/image_format.h), and a C header.
//
// Equal models and options give equal bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/artifact_object.h"
#include "driver/aot/artifact_plan.h"
#include "driver/aot/image_writer.h"
#include "driver/compile.h"
#include "support/os/output_file.h"
#include "support/result.h"

namespace ggufc::driver {

// The size of an object with embedded weights must be below this limit: the small code model reaches 2 GiB, and tools that
// read objects expect no more.
inline constexpr uint64_t kMaxObjectBytes = uint64_t{1} << 31;

struct ArtifactOptions {
  std::string name;                                     // NAME; must pass CheckArtifactName
  std::vector<const codegen::Target*> targets;          // at least one; order and repetitions do not matter
  CompileOptions compile;                               // `target` and `emit` are not used
  bool embed = false;                                   // embed the image in the object
  bool main = false;                                    // define main() too
  std::function<void(std::string_view)> progress = {};  // called with the name of each step
};

// NAME must be a C identifier of 1 to 64 characters that does not begin with "ggufc" (the names of the runtime). It may be
// a keyword, because it is always followed by an underscore, as in NAME_open.
Status CheckArtifactName(std::string_view name);
// `text` as an identifier: "_" replaces every character that identifiers do not allow and precedes a leading digit. The
// result may still be empty, too long or begin with "ggufc".
std::string MakeArtifactName(std::string_view text);

class Artifact {
 public:
  // Checks the name, runs the passes for each target and reads the file again for its fingerprint, without generating code.
  // It is an error if the file was replaced in the meantime.
  static Result<std::unique_ptr<Artifact>> Plan(SourceModel& model, ArtifactOptions options);
  Artifact(const Artifact&) = delete;
  Artifact& operator=(const Artifact&) = delete;

  const ArtifactPlan& plan() const { return plan_; }
  // The LLVM IR and the assembly of all targets, in one text.
  Result<std::string> PrintLlvm() const { return codegen::PrintArtifactLlvm(CodeOf(plan_)); }
  Result<std::string> PrintAssembly() const { return codegen::PrintArtifactAssembly(CodeOf(plan_)); }

  // Generates code and computes the golden vectors with it. If this machine runs none of the targets, the vectors are
  // computed with code for the native target, which gives the same bits.
  Status Compile();

  // After Compile(): the sizes of the image, and of the object without the image.
  uint64_t image_bytes() const { return driver::ImageBytes(sections_); }
  uint64_t code_bytes() const { return object_.size(); }
  // Each writes to an empty file: the object (with embedded weights, followed by the image), the weights file, the header.
  Status WriteObject(OutputFile& file) const;
  Status WriteWeights(OutputFile& file) const;
  Status WriteHeader(OutputFile& file) const;

 private:
  Artifact(SourceModel& model, ArtifactOptions options) : model_(model), options_(std::move(options)) {}
  codegen::ArtifactCode CodeOf(const ArtifactPlan& plan) const;
  Status ComputeGolden();
  Status WriteImage(OutputFile& file, uint64_t base) const;
  void Progress(std::string_view what) const;

  SourceModel& model_;
  const ArtifactOptions options_;
  ArtifactPlan plan_;
  std::string fingerprint_;  // 32 hex digits
  std::vector<uint8_t> object_;
  std::vector<uint8_t> tokenizer_;
  std::vector<uint8_t> golden_;
  std::vector<PlannedSection> sections_;
};

}  // namespace ggufc::driver
