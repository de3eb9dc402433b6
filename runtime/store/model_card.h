// What an ahead-of-time model says about itself, and golden vectors: token sequences with the embeddings that
// they must give, to the bit.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "support/result.h"

namespace ggufc::runtime {

// Plain data of fixed size, stored as it is (little endian). Texts are UTF-8 without control characters,
// padded with zeros, of which there is at least one.
struct ModelCard {
  char name[128] = {};             // general.name of the model file, cut where it is longer
  char architecture[64] = {};      // "gemma-embedding"
  char activations[16] = {};       // "i16", "i8", "i7"
  char compiler_version[32] = {};  // "0.1.0"
  uint32_t zero_word = 0;
  uint32_t normalize = 0;  // 1: embeddings have length 1
  int64_t layers = 0;
  int64_t dims = 0;       // floats of an embedding
  int64_t full_dims = 0;  // floats of one that is not cut short
  int64_t vocab = 0;      // ids are in [0, vocab)
  int64_t context_length = 0;
  // The row of token `id` in the embedding table: table_row_bytes bytes from table_offset + id *
  // table_row_bytes on, in kTables (or in the model file, in a program that was not compiled ahead of time).
  int64_t table_offset = 0;
  int64_t table_row_bytes = 0;
  char numerics[192] = {};  // versions of the arithmetic: "embed=1 gelu=1 ..." (ir/core/numerics.def)
  int64_t zero[2] = {};
};
static_assert(sizeof(ModelCard) == 512 && std::has_unique_object_representations_v<ModelCard>);

// Puts `text` into a field of ModelCard. What does not fit is cut off, between characters; a byte that may
// not stand there becomes '?'.
void SetText(std::span<char> field, std::string_view text);
inline std::string_view TextOf(std::span<const char> field) {
  return {field.data(), strnlen(field.data(), field.size())};
}

std::vector<uint8_t> SerializeModelCard(const ModelCard& info);
// Checks size, texts and the range of every number. The error names field, value and limit.
Result<ModelCard> ParseModelCard(std::span<const uint8_t> bytes);
// Whether the rows of all ids lie within `bytes` of tables (or of the model file).
Status CheckTableFits(const ModelCard& info, int64_t bytes);

struct GoldenVector {
  std::vector<int32_t> ids;
  std::vector<float> embedding;  // [dims], of these ids alone in a batch

  bool operator==(const GoldenVector&) const = default;
};

inline constexpr uint32_t kMaxGoldenVectors = 8;

// Little endian: u32 count; u32 dims; u32 lengths[count]; i32 ids[sum of lengths]; f32
// embeddings[count][dims]. At most kMaxGoldenVectors, at least one, each with the same number of floats.
std::vector<uint8_t> SerializeGolden(std::span<const GoldenVector> golden);
// Refuses what is not as long as it says, another number of dims than the model's, ids and lengths outside
// the model's, values that are not finite.
Result<std::vector<GoldenVector>> ParseGolden(std::span<const uint8_t> bytes, const ModelCard& info);

}  // namespace ggufc::runtime
