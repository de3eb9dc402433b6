// The model card, which describes a compiled model, and golden vectors: token sequences with their expected embeddings,
// equal to the bit.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "support/result.h"

namespace ggufc::runtime {

// Plain data of fixed size, stored in this form (little endian). Texts are UTF-8 without control characters, padded
// with at least one zero.
struct ModelCard {
  char name[128] = {};             // general.name of the model file, truncated to fit
  char architecture[64] = {};      // "gemma-embedding"
  char activations[16] = {};       // "i16", "i8", "i7"
  char compiler_version[32] = {};  // "0.1.0"
  uint32_t zero_word = 0;
  uint32_t normalize = 0;  // 1: embeddings have length 1
  int64_t layers = 0;
  int64_t dims = 0;       // floats per embedding
  int64_t full_dims = 0;  // floats per embedding before it is shortened to `dims`
  int64_t vocab = 0;      // ids are in [0, vocab)
  int64_t context_length = 0;
  // The row of token `id` in the embedding table is table_row_bytes bytes at table_offset + id * table_row_bytes, in
  // kTables or, for a program that was not compiled ahead of time, in the model file.
  int64_t table_offset = 0;
  int64_t table_row_bytes = 0;
  char numerics[192] = {};  // versions of the arithmetic: "embed=1 gelu=1 ..." (ir/core/numerics.def)
  int64_t zero[2] = {};
};
static_assert(sizeof(ModelCard) == 512 && std::has_unique_object_representations_v<ModelCard>);

// Writes `text` to a field of ModelCard. A text that is too long is truncated between characters. Bytes that are not
// printable UTF-8 become '?'.
void SetText(std::span<char> field, std::string_view text);
inline std::string_view TextOf(std::span<const char> field) {
  return {field.data(), strnlen(field.data(), field.size())};
}

std::vector<uint8_t> SerializeModelCard(const ModelCard& card);
// Checks the size, the texts and the range of each number. The error names the field, the value and the limit.
Result<ModelCard> ParseModelCard(std::span<const uint8_t> bytes);
// Fails if a row of some id lies outside the `bytes` bytes of tables (or of the model file).
Status CheckTableFits(const ModelCard& card, int64_t bytes);

struct GoldenVector {
  std::vector<int32_t> ids;
  std::vector<float> embedding;  // [dims], computed in a batch of these ids alone

  bool operator==(const GoldenVector&) const = default;
};

inline constexpr uint32_t kMaxGoldenVectors = 8;

// Little endian: u32 count; u32 dims; u32 lengths[count]; i32 ids[sum of lengths]; f32
// embeddings[count][dims]. 1 to kMaxGoldenVectors vectors, all with the same number of floats.
std::vector<uint8_t> SerializeGolden(std::span<const GoldenVector> golden);
// Fails for a length that does not match the counts, dims other than the model's, ids outside the vocabulary, lengths
// above the context length, and values that are not finite.
Result<std::vector<GoldenVector>> ParseGolden(std::span<const uint8_t> bytes, const ModelCard& card);

}  // namespace ggufc::runtime
