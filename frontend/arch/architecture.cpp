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

Result<const Architecture*> FindArchitecture(const GgufFile& file) {
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
