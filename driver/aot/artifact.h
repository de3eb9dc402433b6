// A model compiled ahead of time: an object file with the code of several targets, the image that it reads at run time,
// and the C header of both. runtime/api/code.h and runtime/store/image_format.h say what the two hold.
//
// Nothing depends on when, where or how often this runs: equal models and options give equal bytes.
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

// An object with embedded weights stays below this: code that is linked with the small code model reaches 2 GiB, and
// tools that read objects expect no more.
inline constexpr uint64_t kMaxObjectBytes = uint64_t{1} << 31;

struct ArtifactOptions {
  std::string name;                                     // NAME; passes CheckArtifactName
  std::vector<const codegen::Target*> targets;          // at least one; order and repetitions do not matter
  CompileOptions compile;                               // all but target and emit
  bool embed = false;                                   // the image into the object
  bool main = false;                                    // an object that defines main() too
  std::function<void(std::string_view)> progress = {};  // is told what is done next
};

// NAME is a C identifier of 1 to 64 characters that does not begin with "ggufc" (the runtime's own names). It may be a
// keyword: it only ever stands before an underscore, as in NAME_open.
Status CheckArtifactName(std::string_view name);
// `text` with every character that cannot stand in an identifier replaced by "_", and one put before a digit that it begins
// with. What is empty, too long or begins with "ggufc" stays so, and does not pass the check.
std::string MakeArtifactName(std::string_view text);

class Artifact {
 public:
  // Checks the name, runs the passes for each target and reads the file once more for its fingerprint. There is no code
  // yet. An error where the file was replaced meanwhile.
  static Result<std::unique_ptr<Artifact>> Plan(SourceModel& model, ArtifactOptions options);
  Artifact(const Artifact&) = delete;
  Artifact& operator=(const Artifact&) = delete;

  const ArtifactPlan& plan() const { return plan_; }
  // What one of the targets becomes, or all of them in one text.
  Result<std::string> PrintLlvm() const { return codegen::PrintArtifactLlvm(CodeOf(plan_)); }
  Result<std::string> PrintAssembly() const { return codegen::PrintArtifactAssembly(CodeOf(plan_)); }

  // Generates code and computes the golden vectors with it, or, where this machine runs none of the targets, with code
  // of the best target that it runs: the bits are the same by contract.
  Status Compile();

  // After Compile(). The size of the image, and of the object without it.
  uint64_t image_bytes() const { return driver::ImageBytes(sections_); }
  uint64_t code_bytes() const { return object_.size(); }
  size_t code_targets() const { return plan_.targets.size(); }
  // The object; with embedded weights, followed by the image. The sidecar. The header. Each into an empty file.
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
