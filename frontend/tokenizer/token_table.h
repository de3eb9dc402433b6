// The vocabulary of a synthetic model: built in, or imported from a Hugging Face tokenizer.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/result.h"

namespace ggufc::frontend {

inline constexpr std::string_view kSpace = "\u2581";  // how pieces spell a space

// One entry per token id, as in vocabulary.h.
struct TokenTable {
  std::vector<std::string> pieces;
  std::vector<float> scores;
  std::vector<int32_t> types;  // TokenType
  uint32_t bos = 0;
  uint32_t eos = 0;
  uint32_t unknown = 0;
  std::optional<uint32_t> padding;
};

// The score of pieces that no merge makes.
inline constexpr float kUnreachableScore = -1e6f;

// <pad> <eos> <bos> <unk>, 256 byte tokens, U+2581, the printable ASCII characters, a few hundred common
// English pieces, then <unusedN> up to `vocab` entries. Each piece is made of two earlier ones, and earlier
// pieces have higher scores, so that BPE reaches every piece and a shorter table is a prefix of a longer one.
// Errors: vocab below kLeastBuiltinVocabulary.
inline constexpr uint64_t kLeastBuiltinVocabulary = 4 + 256 + 1;
Result<TokenTable> BuiltinTokens(uint64_t vocab);

// Reads the BPE model of a tokenizer.json; Gemma's is the one this is made for.
//
// Pieces: `model.vocab`. Ids it leaves out are filled with <unusedN> up to `vocab` entries; added tokens whose
// id is past the end are left out, as Gemma's own GGUF leaves out <image_soft_token>.
//
// Scores: minus the rank of the first merge that makes a piece. The converter that wrote the file listed all
// ways to make one piece together (but for runs of one whitespace character, which are matched whole), so
// merging by score is merging by rank.
//
// Types: added tokens are CONTROL if special, else USER_DEFINED (with plain spaces for U+2581, as in converted
// GGUF files); <0xNN> is BYTE; the unknown token UNKNOWN; fillers UNUSED; all else NORMAL.
//
// The file is untrusted: every shape and type is checked, also that no object repeats a key; errors name the file and
// the place. At most 64 MB. Memory: about six times the file.
Result<TokenTable> ReadTokenizerJson(const std::string& path, uint64_t vocab);
// The same from text in memory; `name` stands for the path in messages.
Result<TokenTable> ParseTokenizerJson(const std::string& name, std::string_view text, uint64_t vocab);

}  // namespace ggufc::frontend
