#include "runtime/store/model_card.h"

#include <algorithm>
#include <cmath>

#include "runtime/exec/program.h"
#include "runtime/store/byte_io.h"
#include "runtime/text/tokenizer_tables.h"
#include "support/check.h"
#include "support/text.h"
#include "support/utf8.h"

namespace ggufc::runtime {
namespace {

// More than any model has; keeps products with the size of a vocabulary far from overflow.
constexpr int64_t kMaxDims = int64_t{1} << 20;
constexpr int64_t kMaxVocab = int64_t{kMaxTokens};
constexpr int64_t kMaxLayers = 4096;
constexpr int64_t kMaxRowBytes = 8 * kMaxDims;

// Texts may be printed to a terminal, so control characters are an error.
Status CheckText(std::string_view field, std::span<const char> value) {
  const std::string_view text = TextOf(value);
  if (text.size() == value.size()) return Err("{}: does not end in a zero", field);
  if (std::ranges::any_of(value.subspan(text.size()), [](char c) { return c != 0; })) {
    return Err("{}: not padded with zeros", field);
  }
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = DecodeUtf8(text.substr(i));
    if (!IsPrintable(c.code)) {
      return Err("{}: byte 0x{:02x} at {} is not printable UTF-8", field, static_cast<uint8_t>(text[i]), i);
    }
    i += c.bytes;
  }
  return {};
}

Status CheckRange(std::string_view field, int64_t value, int64_t least, int64_t most) {
  if (value < least || value > most) return Err("{}: {} ({} to {} are allowed)", field, value, least, most);
  return {};
}

Status CheckCard(const ModelCard& card) {
  RETURN_IF_ERROR(CheckText("name", card.name));
  RETURN_IF_ERROR(CheckText("architecture", card.architecture));
  RETURN_IF_ERROR(CheckText("activations", card.activations));
  RETURN_IF_ERROR(CheckText("compiler_version", card.compiler_version));
  RETURN_IF_ERROR(CheckText("numerics", card.numerics));
  RETURN_IF_ERROR(CheckRange("normalize", card.normalize, 0, 1));
  RETURN_IF_ERROR(CheckRange("layers", card.layers, 0, kMaxLayers));
  RETURN_IF_ERROR(CheckRange("full_dims", card.full_dims, 1, kMaxDims));
  RETURN_IF_ERROR(CheckRange("dims", card.dims, 1, card.full_dims));
  RETURN_IF_ERROR(CheckRange("vocab", card.vocab, 1, kMaxVocab));
  RETURN_IF_ERROR(CheckRange("context_length", card.context_length, 1, kMaxBatchTokens));
  RETURN_IF_ERROR(CheckRange("table_offset", card.table_offset, 0, INT64_MAX));
  RETURN_IF_ERROR(CheckRange("table_row_bytes", card.table_row_bytes, 1, kMaxRowBytes));
  if (card.zero_word != 0 || std::ranges::any_of(card.zero, [](int64_t value) { return value != 0; }))
    return Err("reserved bytes are not 0");
  return {};
}

}  // namespace

void SetText(std::span<char> field, std::string_view text) {
  std::ranges::fill(field, '\0');
  size_t used = 0;
  while (!text.empty()) {
    const Utf8Char c = DecodeUtf8(text);
    if (used + c.bytes >= field.size()) return;
    if (IsPrintable(c.code)) {
      text.copy(field.data() + used, c.bytes);
      used += c.bytes;
    } else {
      field[used++] = '?';
    }
    text.remove_prefix(c.bytes);
  }
}

std::vector<uint8_t> SerializeModelCard(const ModelCard& card) {
  const Status status = CheckCard(card);
  CHECK(status, "{}", status.error().message);
  std::vector<uint8_t> bytes(sizeof(card));
  std::memcpy(bytes.data(), &card, sizeof(card));
  return bytes;
}

Result<ModelCard> ParseModelCard(std::span<const uint8_t> bytes) {
  ModelCard card;
  if (bytes.size() != sizeof(card))
    return Err(ErrorKind::kBadFile, "model: {} bytes, expected {}", bytes.size(), sizeof(card));
  std::memcpy(&card, bytes.data(), sizeof(card));
  RETURN_IF_ERROR(WithContext("model", WithKind(ErrorKind::kBadFile, CheckCard(card))));
  return card;
}

Status CheckTableFits(const ModelCard& card, int64_t bytes) {
  const int64_t table = card.vocab * card.table_row_bytes;  // 2^47 at most
  if (table > bytes || card.table_offset > bytes - table) {
    return Err(ErrorKind::kBadFile,
               "model: {} rows of {} bytes at offset {} lie outside the {} bytes of tables", card.vocab,
               card.table_row_bytes, card.table_offset, bytes);
  }
  return {};
}

std::vector<uint8_t> SerializeGolden(std::span<const GoldenVector> golden) {
  CHECK(!golden.empty() && golden.size() <= kMaxGoldenVectors, "{} golden vectors", golden.size());
  const size_t dims = golden[0].embedding.size();
  ByteWriter writer;
  writer.Put(static_cast<uint32_t>(golden.size()));
  writer.Put(static_cast<uint32_t>(dims));
  for (const GoldenVector& vector : golden) writer.Put(static_cast<uint32_t>(vector.ids.size()));
  for (const GoldenVector& vector : golden) writer.PutAll(vector.ids);
  for (const GoldenVector& vector : golden) {
    CHECK(vector.embedding.size() == dims, "{} and {} floats", vector.embedding.size(), dims);
    writer.PutAll(vector.embedding);
  }
  return writer.Take();
}

namespace {

Result<std::vector<GoldenVector>> ReadGolden(std::span<const uint8_t> bytes, const ModelCard& card) {
  ByteReader reader(bytes);
  uint32_t count = 0, dims = 0;
  RETURN_IF_ERROR(reader.Get("count", count));
  RETURN_IF_ERROR(CheckRange("count", count, 1, kMaxGoldenVectors));
  RETURN_IF_ERROR(reader.Get("dims", dims));
  if (dims != card.dims) return Err("dims: {}, but the model's embeddings have {}", dims, card.dims);
  std::vector<uint32_t> lengths(count);
  RETURN_IF_ERROR(reader.GetAll("lengths", lengths));
  // The sum is bounded before anything of that size is allocated.
  size_t rest = count * static_cast<size_t>(dims) * sizeof(float);
  for (const uint32_t length : lengths) {
    RETURN_IF_ERROR(CheckRange("length", length, 1, card.context_length));
    rest += length * sizeof(int32_t);
  }
  if (rest != reader.left()) return Err("{} bytes of ids and embeddings, expected {}", reader.left(), rest);

  std::vector<GoldenVector> golden(count);
  for (size_t i = 0; i < count; ++i) {
    golden[i].ids.resize(lengths[i]);
    RETURN_IF_ERROR(reader.GetAll("ids", golden[i].ids));
    for (const int32_t id : golden[i].ids) RETURN_IF_ERROR(CheckRange("id", id, 0, card.vocab - 1));
  }
  for (GoldenVector& vector : golden) {
    vector.embedding.resize(dims);
    RETURN_IF_ERROR(reader.GetAll("embeddings", vector.embedding));
    if (!std::ranges::all_of(vector.embedding, [](float value) { return std::isfinite(value); })) {
      return Err("embeddings: a value is not finite");
    }
  }
  return golden;
}

}  // namespace

Result<std::vector<GoldenVector>> ParseGolden(std::span<const uint8_t> bytes, const ModelCard& card) {
  return WithContext("golden", WithKind(ErrorKind::kBadFile, ReadGolden(bytes, card)));
}

}  // namespace ggufc::runtime
