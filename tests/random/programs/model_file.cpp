#include "model_file.h"

#include <unistd.h>

#include "frontend/gguf/gguf_writer.h"
#include "ir/core/weight_layout.h"
#include "support/check.h"

namespace ggufc::programs {
namespace {

using frontend::GgmlType;

GgmlType TypeOf(ir::Scalar scalar) {
  switch (scalar) {
    case ir::Scalar::kF32:
      return GgmlType::F32;
    case ir::Scalar::kF16:
      return GgmlType::F16;
    case ir::Scalar::kBF16:
      return GgmlType::BF16;
    case ir::Scalar::kQ8_0:
      return GgmlType::Q8_0;
    default:
      CHECK(false, "weights cannot be {}", ir::Name(scalar));
  }
}

}  // namespace

Result<frontend::GgufFile> WriteWeights(const ir::Module& graph, const ir::WeightSource& weights,
                                        const std::string& folder) {
  const std::string path = fmt::format("{}/weights-{}.gguf", folder, getpid());
  ASSIGN_OR_RETURN(frontend::GgufWriter writer, frontend::GgufWriter::Create(path));
  RETURN_IF_ERROR(writer.AddString("general.architecture", "random"));
  for (const ir::Weight& weight : graph.weights) {
    if (weight.def != ir::Weight::Def::kTensor) continue;
    const uint64_t shape[] = {static_cast<uint64_t>(weight.type.columns()),
                              static_cast<uint64_t>(weight.type.rows().size)};
    RETURN_IF_ERROR(writer.AddTensor(weight.name, TypeOf(weight.type.scalar),
                                     std::span(shape).first(static_cast<size_t>(weight.type.rank))));
  }
  for (uint32_t i = 0; i < graph.weights.size(); ++i) {
    const ir::Weight& weight = graph.weights[i];
    if (weight.def != ir::Weight::Def::kTensor) continue;
    // A weight without a layout has the file's bytes; a vector also has padding after them.
    ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, weights.bytes(graph, {i}));
    const auto size = static_cast<size_t>(ir::FileBytes(weight.type));
    RETURN_IF_ERROR(writer.WriteTensorData(weight.name, std::span(bytes).first(size)));
  }
  RETURN_IF_ERROR(writer.Finish());
  Result<frontend::GgufFile> file = frontend::GgufFile::Open(path);
  unlink(path.c_str());
  return file;
}

}  // namespace ggufc::programs
