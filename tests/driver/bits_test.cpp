// Pinned bits: tests/data/bits.txt holds, per golden model and activation mode, the numerics versions that the model uses
// and a hash of the bits of its embeddings. Equality between targets, threads and batches is tested elsewhere; this test
// finds a change that moves all of them together.
//
// BLESS=1 adds the rows that are missing. It never changes a row: other bits need a raised version in ir/core/numerics.def,
// which makes another row, and a reason in docs/decisions.md.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "support/hash.h"
#include "test_models.h"

namespace ggufc::testing {
namespace {

std::string BitsPath() { return DataPath("bits.txt"); }

// The part of a row in front of the hash -> the hash.
std::map<std::string, std::string> ReadBits() {
  std::map<std::string, std::string> bits;
  std::ifstream file(BitsPath());
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const size_t space = line.rfind(' ');
    CHECK(space != std::string::npos, "bits.txt: {}", line);
    CHECK(bits.emplace(line.substr(0, space), line.substr(space + 1)).second, "bits.txt: twice: {}", line);
  }
  return bits;
}

// The golden sequences of the model, 2 to 500 tokens, in one batch.
Batch GoldenBatch(const std::string& model) {
  std::ifstream file(DataPath("embeddings.json"));
  Batch batch;
  for (const auto& row : nlohmann::json::parse(file)) {
    if (row["model"] == model) batch.Add(row["ids"].get<std::vector<int32_t>>());
  }
  CHECK(!batch.lengths.empty(), "no golden rows of {}", model);
  return batch;
}

std::string HashOf(const std::vector<float>& values) {
  Hash128Stream hash;
  hash.Update({reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float)});
  return hash.Digest().Text();
}

TEST(Bits, ArePinned) {
  const std::map<std::string, std::string> pinned = ReadBits();
  std::ostringstream missing;
  size_t rows = 0;
  for (const char* name :
       {"tiny-q8_0.gguf", "tiny-nodense.gguf", "tiny-f32.gguf", "tiny-f16.gguf", "tiny-bf16.gguf"}) {
    const auto model = Value(driver::SourceModel::Open(DataPath(name)));
    const Batch batch = GoldenBatch(name);
    for (const ir::Scalar mode : {ir::Scalar::kQ16, ir::Scalar::kQ8, ir::Scalar::kQ7}) {
      driver::CompileOptions options;
      options.activations = mode;
      const std::string key = fmt::format("{} {} {}", name, driver::ActivationsName(mode),
                                          Value(driver::NumericsOf(*model, options)));
      // A model without quantised activations computes the same in every mode.
      if (mode != ir::Scalar::kQ16 && key.find("quantize=") == std::string::npos) continue;
      const Build build = {&codegen::NativeTarget(), false};
      const auto embedder = PoisonedEmbedder(model, CompileFor(*model, build, mode), {.threads = 1});
      const std::string hash = HashOf(Embed(*embedder, batch));
      const auto row = pinned.find(key);
      if (row == pinned.end()) {
        missing << key << " " << hash << "\n";
        continue;
      }
      ++rows;
      EXPECT_EQ(hash, row->second) << "the bits of " << key << " have changed (" << build.Name()
                                   << "). If they must, raise the version of the op in ir/core/numerics.def";
    }
  }
  if (missing.str().empty()) {
    EXPECT_EQ(rows, 9u);
  } else if (std::getenv("BLESS") != nullptr) {
    std::ofstream(BitsPath(), std::ios::app) << missing.str();
    ADD_FAILURE() << "blessed " << BitsPath() << "; run again";
  } else {
    ADD_FAILURE() << BitsPath() << " has no rows for\n" << missing.str() << "BLESS=1 adds them";
  }
}

}  // namespace
}  // namespace ggufc::testing
