// Every row of the golden embeddings (made by others, in float64) on every target and in every activation mode: close
// enough to the truth, and the same bits on every target.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "test_models.h"

namespace ggufc::testing {
namespace {

struct GoldenRow {
  std::vector<int32_t> ids;
  std::vector<double> embedding;
};

std::map<std::string, std::vector<GoldenRow>> LoadGoldens() {
  std::ifstream file(DataPath("embeddings.json"));
  std::map<std::string, std::vector<GoldenRow>> rows;
  for (const auto& row : nlohmann::json::parse(file))
    rows[row["model"]].push_back({row["ids"], row["embedding"]});
  return rows;
}

class GoldenTest : public ::testing::TestWithParam<std::string> {};

TEST_P(GoldenTest, EveryRowOnEveryTargetAndMode) {
  const std::vector<GoldenRow> rows = LoadGoldens().at(GetParam());
  ASSERT_EQ(rows.size(), 12u);
  const auto model = Value(driver::SourceModel::Open(DataPath(GetParam())));
  const frontend::GgmlType type = (*model->file().GetTensor("blk.0.attn_q.weight"))->type;
  std::vector<ir::Scalar> modes = {ir::Scalar::kQ16};
  if (type == frontend::GgmlType::Q8_0) modes = {ir::Scalar::kQ16, ir::Scalar::kQ8, ir::Scalar::kQ7};
  // In replaced form one model is enough: the ops that have intrinsics are tested in both forms in tests/codegen.
  const std::vector<Build> builds =
      GetParam() == std::string("tiny-q8_0.gguf") ? BuildsInEveryForm() : AllBuilds();
  for (const ir::Scalar mode : modes) {
    std::vector<std::vector<float>> first;
    for (const Build& build : builds) {
      SCOPED_TRACE(build.Name() + " " + driver::ActivationsName(mode));
      const auto embedder = PoisonedEmbedder(model, CompileFor(*model, build, mode), {.threads = 1});
      std::vector<std::vector<float>> results;
      for (const GoldenRow& row : rows) {
        Batch batch;
        batch.Add(row.ids);
        results.push_back(Embed(*embedder, batch));
        ASSERT_EQ(results.back().size(), row.embedding.size());
        EXPECT_LE(CosineDistance(results.back().data(), row.embedding.data(), embedder->dims()),
                  Tolerance(type, mode))
            << row.ids.size() << " tokens";
      }
      if (first.empty()) first = results;
      EXPECT_EQ(results, first) << "bits differ from those of " << builds[0].Name();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenTest,
                         ::testing::Values("tiny-q8_0.gguf", "tiny-nodense.gguf", "tiny-f32.gguf",
                                           "tiny-f16.gguf", "tiny-bf16.gguf"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
                           return name;
                         });

}  // namespace
}  // namespace ggufc::testing
