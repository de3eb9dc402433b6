#include "frontend/arch/architecture.h"

#include <fmt/ranges.h>

#include "frontend/arch/gemma_embedding.h"
#include "ir/core/weight_layout.h"
#include "support/text.h"

namespace ggufc::frontend {
namespace {

struct Architecture {
  std::string_view name;  // `general.architecture`
  Result<Hparams> (*read)(const GgufFile&);
  Result<ir::Module> (*import)(const GgufFile&, const Hparams&, const ImportOptions&);
};

constexpr Architecture kArchitectures[] = {
    {"gemma-embedding", ReadGemmaEmbeddingHparams, ImportGemmaEmbedding},
};

// What GGUF files are that are no models: `general.type`, which models have too or lack. Projectors were once told by
// their architecture alone.
Status CheckIsModel(const GgufFile& file) {
  constexpr std::string_view kType = "general.type";
  constexpr std::string_view kProjector =
      "a multimodal projector, which adds images or sound to a language model";
  ASSIGN_OR_RETURN(const std::string_view type, file.GetStringOr(kType, "model"));
  const auto refuse = [&](std::string_view what) {
    return Err("{}: key '{}': {}: the file is {}, not a model", file.path(), kType, Quoted(type), what);
  };
  if (type == "adapter") return refuse("an adapter (LoRA), which changes another file's model");
  if (type == "mmproj") return refuse(kProjector);
  if (type == "imatrix")
    return refuse("an importance matrix, which says how to quantise another file's model");
  if (type != "model") {
    return Err("{}: key '{}': {} ('model' is expected)", file.path(), kType, Quoted(type));
  }
  const MetadataEntry* const name = file.Find("general.architecture");
  if (name != nullptr && name->type == ValueType::kString &&
      file.GetString("general.architecture").value() == "clip") {
    return Err("{}: key 'general.architecture': 'clip': the file is {}, not a model", file.path(),
               kProjector);
  }
  return {};
}

Result<const Architecture*> FindArchitecture(const GgufFile& file) {
  RETURN_IF_ERROR(CheckIsModel(file));
  ASSIGN_OR_RETURN(const std::string_view name, file.GetString("general.architecture"));
  std::vector<std::string_view> known;
  for (const Architecture& architecture : kArchitectures) {
    if (architecture.name == name) return &architecture;
    known.push_back(architecture.name);
  }
  return Err("{}: key 'general.architecture': {} is not supported (known: {})", file.path(), Quoted(name),
             fmt::join(known, ", "));
}

}  // namespace

Result<Hparams> ReadHparams(const GgufFile& file) {
  ASSIGN_OR_RETURN(const Architecture* architecture, FindArchitecture(file));
  return architecture->read(file);
}

Result<ir::Module> ImportModel(const GgufFile& file, const Hparams& config, const ImportOptions& options) {
  ASSIGN_OR_RETURN(const Architecture* architecture, FindArchitecture(file));
  if (!config.unsupported.empty()) {
    return Err(ErrorKind::kBadFile, "{}: {} ({} are supported)", file.path(), config.unsupported,
               kSupportedTypes);
  }
  return architecture->import(file, config, options);
}

ir::WeightSource FileWeights(const GgufFile& file) {
  return ir::WeightsFromTensors(
      [&file](const ir::Module& module, ir::WeightId id) -> Result<std::vector<uint8_t>> {
        ASSIGN_OR_RETURN(const Tensor* tensor, file.GetTensor(module.weight(id).name));
        return std::vector<uint8_t>(tensor->data.begin(), tensor->data.end());
      });
}

}  // namespace ggufc::frontend
