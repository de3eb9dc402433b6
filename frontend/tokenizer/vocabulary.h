// The vocabulary of a SentencePiece-style BPE tokenizer in a GGUF file (`tokenizer.ggml.*`, model "llama").
//
// NORMAL pieces spell a space as U+2581. USER_DEFINED pieces may spell it either way: Gemma's tokenizer.json has
// U+2581 in them (its token 138 is two), which stands for U+2581 in the text, and llama.cpp's converter writes
// plain spaces instead. A matcher has to read the two spellings as the first. CONTROL and UNKNOWN pieces are
// spelled as in the text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/gguf/gguf_reader.h"
#include "support/result.h"

namespace ggufc::frontend {

// Values of `tokenizer.ggml.token_type`.
enum class TokenType : int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

inline constexpr uint64_t kMaxVocabulary = 1u << 22;
inline constexpr uint64_t kMaxPieceBytes = 4096;
// Bytes of all control, unknown and user-defined pieces together. The tables that find them in a text take about 40 times
// as much memory. Gemma's pieces have 75 KB.
inline constexpr uint64_t kMaxSpecialBytes = 1u << 18;

// The byte that a piece of the form <0xNN> (two hexadecimal digits of either case) stands for.
std::optional<uint8_t> ByteOfPiece(std::string_view piece);

struct Vocabulary {
  std::vector<std::string_view> pieces;  // by token id; views into the file's mapping
  std::vector<float> scores;             // a higher score is merged first; finite
  std::vector<int32_t> types;            // TokenType
  uint32_t bos = 0;
  uint32_t eos = 0;
  uint32_t unknown = 0;
  bool add_bos = true;
  bool add_eos = false;
  bool add_space_prefix = true;
  std::vector<std::string> warnings;  // ids that were taken by default and matter; without the path
};

// Checked: the model is "llama"; tokens, scores and token types are there and equally long; 1 to
// kMaxVocabulary pieces of 1 to kMaxPieceBytes bytes (any bytes: the tokenizer takes text as it comes); special
// pieces within kMaxSpecialBytes; types known; scores finite; byte tokens well-formed and not repeated; ids in
// range. Absent ids and flags get llama.cpp's defaults for this kind of tokenizer: bos
// 1, eos 2, unknown 0, add_bos, not add_eos, add_space_prefix. A default id that texts can get is warned about: BOS and
// EOS where they are added, unknown where not all bytes have a token.
Result<Vocabulary> LoadVocabulary(const GgufFile& file);

}  // namespace ggufc::frontend
