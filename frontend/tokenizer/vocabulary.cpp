#include "frontend/tokenizer/vocabulary.h"

#include <algorithm>
#include <bitset>
#include <cmath>

#include "support/text.h"

namespace ggufc::frontend {
namespace {

constexpr std::string_view kModel = "tokenizer.ggml.model";
constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
constexpr std::string_view kScores = "tokenizer.ggml.scores";
constexpr std::string_view kTypes = "tokenizer.ggml.token_type";
constexpr std::string_view kBos = "tokenizer.ggml.bos_token_id";
constexpr std::string_view kEos = "tokenizer.ggml.eos_token_id";
constexpr std::string_view kUnknown = "tokenizer.ggml.unknown_token_id";

std::optional<uint8_t> HexDigit(char c) {
  if (c >= '0' && c <= '9') return static_cast<uint8_t>(c - '0');
  if (c >= 'A' && c <= 'F') return static_cast<uint8_t>(c - 'A' + 10);
  if (c >= 'a' && c <= 'f') return static_cast<uint8_t>(c - 'a' + 10);
  return std::nullopt;
}

Result<uint32_t> TokenId(const GgufFile& file, std::string_view key, uint32_t fallback, size_t size) {
  ASSIGN_OR_RETURN(const uint32_t id, file.GetU32Or(key, fallback));
  if (id >= size)
    return Err("{}: key {}: token {} of a vocabulary of {}", file.path(), Quoted(key), id, size);
  return id;
}

bool IsSpecial(int32_t type) {
  return type == static_cast<int32_t>(TokenType::kUnknown) ||
         type == static_cast<int32_t>(TokenType::kControl) ||
         type == static_cast<int32_t>(TokenType::kUserDefined);
}

// Checks the arrays' lengths before they are copied. Wrong types are left to the getters, which report them.
Status CheckSize(const GgufFile& file) {
  const MetadataEntry* const tokens = file.Find(kTokens);
  if (tokens == nullptr || tokens->type != ValueType::kArray) return {};
  if (tokens->count == 0 || tokens->count > kMaxVocabulary) {
    return Err("{}: key {}: {} pieces (1 to {} are allowed)", file.path(), Quoted(kTokens), tokens->count,
               kMaxVocabulary);
  }
  for (const std::string_view key : {kScores, kTypes}) {
    const MetadataEntry* const entry = file.Find(key);
    if (entry == nullptr || entry->type != ValueType::kArray || entry->count == tokens->count) continue;
    return Err("{}: key {}: {} elements, but key {} has {} pieces", file.path(), Quoted(key), entry->count,
               Quoted(kTokens), tokens->count);
  }
  return {};
}

Status CheckPieces(const GgufFile& file, const Vocabulary& vocabulary) {
  std::bitset<256> bytes;
  uint64_t special_bytes = 0;
  for (size_t i = 0; i < vocabulary.pieces.size(); ++i) {
    const std::string_view piece = vocabulary.pieces[i];
    const int32_t type = vocabulary.types[i];
    if (piece.empty() || piece.size() > kMaxPieceBytes) {
      return Err("{}: key {}: piece {} has {} bytes (1 to {} are allowed)", file.path(), Quoted(kTokens), i,
                 piece.size(), kMaxPieceBytes);
    }
    if (type < static_cast<int32_t>(TokenType::kNormal) || type > static_cast<int32_t>(TokenType::kByte)) {
      return Err("{}: key {}: element {} is {} (1 to 6 are known)", file.path(), Quoted(kTypes), i, type);
    }
    if (!std::isfinite(vocabulary.scores[i])) {
      return Err("{}: key {}: element {} is not finite", file.path(), Quoted(kScores), i);
    }
    if (IsSpecial(type)) special_bytes += piece.size();
    if (special_bytes > kMaxSpecialBytes) {
      return Err(
          "{}: key {}: control, unknown and user-defined pieces up to {} have {} bytes together ({} are "
          "allowed)",
          file.path(), Quoted(kTokens), i, special_bytes, kMaxSpecialBytes);
    }
    if (type != static_cast<int32_t>(TokenType::kByte)) continue;
    const std::optional<uint8_t> byte = ByteOfPiece(piece);
    if (!byte)
      return Err("{}: key {}: byte token {} is {} (<0xNN> is expected)", file.path(), Quoted(kTokens), i,
                 Quoted(piece));
    if (bytes[*byte])
      return Err("{}: key {}: a second token for byte {}, token {}", file.path(), Quoted(kTokens),
                 Quoted(piece), i);
    bytes.set(*byte);
  }
  return {};
}

// Files whose converter left a key out were made for another beginning or end of a text at times.
void WarnOfDefaults(const GgufFile& file, Vocabulary& vocabulary) {
  const auto warn = [&](std::string_view key, uint32_t id, std::string_view use) {
    if (file.Has(key)) return;
    vocabulary.warnings.push_back(fmt::format("key {} is missing: token {}, {}, is {}", Quoted(key), id,
                                              Quoted(vocabulary.pieces[id]), use));
  };
  if (vocabulary.add_bos) warn(kBos, vocabulary.bos, "put before each text as BOS");
  if (vocabulary.add_eos) warn(kEos, vocabulary.eos, "put after each text as EOS");
  // No byte has two tokens.
  if (std::ranges::count(vocabulary.types, static_cast<int32_t>(TokenType::kByte)) < 256) {
    warn(kUnknown, vocabulary.unknown, "taken for characters that no other token has");
  }
}

}  // namespace

std::optional<uint8_t> ByteOfPiece(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return std::nullopt;
  const std::optional<uint8_t> high = HexDigit(piece[3]);
  const std::optional<uint8_t> low = HexDigit(piece[4]);
  if (!high || !low) return std::nullopt;
  return static_cast<uint8_t>(*high * 16 + *low);
}

Result<Vocabulary> LoadVocabulary(const GgufFile& file) {
  ASSIGN_OR_RETURN(const std::string_view model, file.GetString(kModel));
  if (model != "llama") {
    return Err("{}: key {}: tokenizer {} is not supported ('llama' is)", file.path(), Quoted(kModel),
               Quoted(model));
  }
  RETURN_IF_ERROR(CheckSize(file));
  Vocabulary vocabulary;
  ASSIGN_OR_RETURN(vocabulary.pieces, file.GetStringArray(kTokens));
  ASSIGN_OR_RETURN(vocabulary.scores, file.GetF32Array(kScores));
  ASSIGN_OR_RETURN(vocabulary.types, file.GetI32Array(kTypes));
  const size_t size = vocabulary.pieces.size();
  RETURN_IF_ERROR(CheckPieces(file, vocabulary));
  ASSIGN_OR_RETURN(vocabulary.bos, TokenId(file, kBos, 1, size));
  ASSIGN_OR_RETURN(vocabulary.eos, TokenId(file, kEos, 2, size));
  ASSIGN_OR_RETURN(vocabulary.unknown, TokenId(file, kUnknown, 0, size));
  ASSIGN_OR_RETURN(vocabulary.add_bos, file.GetBoolOr("tokenizer.ggml.add_bos_token", true));
  ASSIGN_OR_RETURN(vocabulary.add_eos, file.GetBoolOr("tokenizer.ggml.add_eos_token", false));
  ASSIGN_OR_RETURN(vocabulary.add_space_prefix, file.GetBoolOr("tokenizer.ggml.add_space_prefix", true));
  WarnOfDefaults(file, vocabulary);
  return vocabulary;
}

}  // namespace ggufc::frontend
