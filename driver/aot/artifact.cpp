#include "driver/aot/artifact.h"

#include <algorithm>
#include <utility>

#include "driver/aot/golden.h"
#include "driver/fingerprint.h"
#include "runtime/api/ggufc.h"
#include "runtime/exec/memory.h"
#include "runtime/store/chunked_table.h"
#include "runtime/store/model_card.h"
#include "runtime/store/program_format.h"
#include "support/check.h"

namespace ggufc::driver {
namespace {

using runtime::GoldenVector;
using runtime::SectionKind;

std::span<const uint8_t> BytesOf(const std::vector<uint64_t>& values) {
  return {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(uint64_t)};
}

}  // namespace

Result<std::unique_ptr<Artifact>> Artifact::Plan(SourceModel& model, ArtifactOptions options) {
  RETURN_IF_ERROR(CheckArtifactName(options.name));
  std::unique_ptr<Artifact> artifact(new Artifact(model, std::move(options)));
  artifact->Progress("passes");
  ASSIGN_OR_RETURN(artifact->plan_,
                   PlanArtifact(model, artifact->options_.compile, artifact->options_.targets));
  ASSIGN_OR_RETURN(artifact->fingerprint_, Fingerprint(model, artifact->options_.compile));
  return artifact;
}

void Artifact::Progress(std::string_view what) const {
  if (options_.progress) options_.progress(what);
}

codegen::ArtifactCode Artifact::CodeOf(const ArtifactPlan& plan) const {
  const auto fingerprint = runtime::ParseFingerprint(fingerprint_);
  CHECK(fingerprint, "{}", fingerprint.error().message);
  codegen::ArtifactCode code;
  code.name = options_.name;
  code.fingerprint = *fingerprint;
  code.main = options_.main;
  if (options_.embed && !sections_.empty()) code.image_bytes = image_bytes();
  for (const TargetPlan& target : plan.targets) {
    code.targets.push_back({.target = target.lowered.options.target,
                            .module = &target.lowered.module,
                            .kernels = target.program.kernels,
                            .program = runtime::SerializeProgram(target.program),
                            .layout = target.layout});
  }
  return code;
}

Status Artifact::Compile() {
  CHECK(object_.empty(), "compiled twice");
  Progress("tokenizer");
  ASSIGN_OR_RETURN(const runtime::Tokenizer* tokenizer, model_.tokenizer());
  tokenizer_ = tokenizer->Serialize();

  // Golden vectors of the right sizes but without values: the object contains the size of the image.
  std::vector<GoldenVector> golden;
  for (std::vector<int32_t>& ids : GoldenSequences(plan_.info.vocab, plan_.info.context_length)) {
    golden.push_back({std::move(ids), std::vector<float>(static_cast<size_t>(plan_.info.dims))});
  }
  golden_ = runtime::SerializeGolden(golden);
  sections_ = {{SectionKind::kModel, 0, sizeof(runtime::ModelCard)},
               {SectionKind::kTokenizer, 0, tokenizer_.size()},
               {SectionKind::kGolden, 0, golden_.size()}};
  for (const WeightsPlan& weights : plan_.weights) {
    sections_.push_back({SectionKind::kWeights, weights.layout, static_cast<uint64_t>(weights.bytes)});
  }
  sections_.push_back({SectionKind::kTables, 0, plan_.table->data.size()});
  const uint64_t chunks = runtime::ChunksOf(plan_.table->data.size(), runtime::kTableChunkBytes);
  sections_.push_back({SectionKind::kTableHashes, 0, chunks * sizeof(uint64_t)});

  Progress("code generation");
  ASSIGN_OR_RETURN(object_, codegen::EmitArtifactObject(CodeOf(plan_)));
  if (options_.embed && object_.size() + runtime::kSectionAlign + image_bytes() >= kMaxObjectBytes) {
    return Err(
        "{}: an object with {} bytes of embedded weights would exceed {} bytes; write the weights to a "
        "separate file (--weights sidecar)",
        model_.file().path(), image_bytes(), kMaxObjectBytes);
  }
  Progress("golden vectors");
  return ComputeGolden();
}

Status Artifact::ComputeGolden() {
  const TargetPlan* runnable = nullptr;
  for (const TargetPlan& target : plan_.targets) {
    if (codegen::HostRuns(*target.lowered.options.target)) runnable = &target;
  }
  std::vector<GoldenVector> golden;
  if (runnable != nullptr) {
    ASSIGN_OR_RETURN(golden, driver::ComputeGolden(model_, *runnable, object_, options_.name));
  } else {
    const codegen::Target* native[] = {&codegen::NativeTarget()};
    ASSIGN_OR_RETURN(const ArtifactPlan other, PlanArtifact(model_, options_.compile, native));
    ASSIGN_OR_RETURN(const std::vector<uint8_t> object, codegen::EmitArtifactObject(CodeOf(other)));
    ASSIGN_OR_RETURN(golden, driver::ComputeGolden(model_, other.targets.front(), object, options_.name));
  }
  const size_t planned = golden_.size();
  golden_ = runtime::SerializeGolden(golden);
  CHECK(golden_.size() == planned, "golden vectors of {} bytes, planned {}", golden_.size(), planned);
  return {};
}

Status Artifact::WriteImage(OutputFile& file, uint64_t base) const {
  const auto fingerprint = runtime::ParseFingerprint(fingerprint_);
  CHECK(fingerprint, "{}", fingerprint.error().message);
  ASSIGN_OR_RETURN(ImageWriter writer, ImageWriter::Begin(file, base, *fingerprint, sections_));
  RETURN_IF_ERROR(writer.WriteSection(SectionKind::kModel, runtime::SerializeModelCard(plan_.info)));
  RETURN_IF_ERROR(writer.WriteSection(SectionKind::kTokenizer, tokenizer_));
  RETURN_IF_ERROR(writer.WriteSection(SectionKind::kGolden, golden_));
  for (const WeightsPlan& weights : plan_.weights) {
    Progress("weights");
    ASSIGN_OR_RETURN(runtime::PageMemory blob,
                     runtime::PageMemory::Allocate(weights.bytes, "packed weights"));
    PackWeights(model_.file(), weights.jobs, blob.data());
    RETURN_IF_ERROR(writer.WriteSection(SectionKind::kWeights, blob.bytes()));
  }
  Progress("embedding table");
  // In slices, because OutputFile copies the bytes of a call.
  constexpr size_t kSlice = 64 * runtime::kTableChunkBytes;
  std::vector<uint64_t> hashes;
  for (auto rest = plan_.table->data; !rest.empty(); rest = rest.subspan(std::min(kSlice, rest.size()))) {
    const auto slice = rest.first(std::min(kSlice, rest.size()));
    const std::vector<uint64_t> some = runtime::HashChunks(slice);
    hashes.insert(hashes.end(), some.begin(), some.end());
    RETURN_IF_ERROR(writer.Write(slice));
  }
  model_.file().Release(*plan_.table);
  RETURN_IF_ERROR(writer.WriteSection(SectionKind::kTableHashes, BytesOf(hashes)));
  return writer.Finish();
}

Status Artifact::WriteWeights(OutputFile& file) const {
  CHECK(!object_.empty() && !options_.embed, "Compile() did not run, or the weights are embedded");
  return WriteImage(file, 0);
}

Status Artifact::WriteObject(OutputFile& file) const {
  CHECK(!object_.empty(), "Compile() did not run");
  const auto write = [&](const std::vector<uint8_t>& object) {
    return file.Write({reinterpret_cast<const char*>(object.data()), object.size()});
  };
  if (!options_.embed) return write(object_);
  std::vector<uint8_t> object = object_;
  codegen::ReserveImage(object, image_bytes());
  RETURN_IF_ERROR(write(object));
  return WriteImage(file, object.size());
}

}  // namespace ggufc::driver
