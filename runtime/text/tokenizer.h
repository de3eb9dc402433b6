// SentencePiece BPE, the `llama` tokenizer model of GGUF: text in, token ids out.
//
//   1. Control, unknown and user-defined pieces are cut out of the text as it is, leftmost-longest (the added
//      tokens of Hugging Face's tokenizers, which are matched before normalisation). A user-defined piece
//      spells a space as U+2581: the piece of two marks takes two marks, not two spaces.
//   2. In each fragment in between spaces become U+2581; nothing else is normalised.
//   3. User-defined pieces are cut out of the fragment again: now the piece of two marks takes any mix of two
//      spaces and marks. tokenizers has merges for such runs, and they come before all others; a GGUF file has
//      one score for all user-defined pieces, which cannot say that.
//   4. What is left starts as characters. The adjacent pair whose joined text is the piece with the highest
//      score is merged, the leftmost of equals first, until no pair forms a piece.
//   5. A character that is no piece becomes its UTF-8 bytes' tokens `<0xNN>`, or the unknown token where the
//      vocabulary lacks one of them. An invalid byte is a character of its own (utf8.h).
//
// Step 4 is done piecewise: where no piece has two neighbouring characters side by side, no merge can cross,
// so the text is cut there. In running text that gives about a word a segment, and a heap that stays in L1; a
// text that has no such place costs O(n log n) time and O(n) memory.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "runtime/text/tokenizer_builder.h"
#include "runtime/text/tokenizer_tables.h"
#include "support/result.h"

namespace ggufc::runtime {

struct EncodeOptions {
  std::optional<bool> add_bos = {};  // absent: as the vocabulary says
  std::optional<bool> add_eos = {};
  bool parse_control = true;  // false: control and unknown pieces in the text are plain text
};

// What one call did, for tests of its complexity.
struct EncodeStats {
  uint64_t segments = 0;
  uint64_t lookups = 0;  // of a pair or a character in the table of pieces
  uint64_t heap_pushes = 0;
  uint64_t heap_pops = 0;
  uint64_t merges = 0;
};

// Immutable once made; any number of threads may encode with it at a time. Move-only.
class Tokenizer {
 public:
  // The longest text that Encode takes, in bytes. Working memory is at most about 100 bytes a byte of text.
  static constexpr size_t kMaxTextBytes = size_t{1} << 28;

  // Copies what it needs from the view, and fills in `repeated`. Errors name the token, its value and the limit.
  static Result<Tokenizer> Create(const VocabularyView& vocabulary, RepeatedPieces* repeated = nullptr);

  // The tables as bytes (tokenizer_tables.h). The same vocabulary gives the same bytes.
  std::vector<uint8_t> Serialize() const { return {tables_.bytes.begin(), tables_.bytes.end()}; }

  // From what Serialize gave, in place: `bytes` start at a multiple of 8 and outlive the tokenizer. They may
  // come from anywhere: whatever they hold, no method reads outside of them or runs longer than its text
  // justifies, and ids are below size(). 2 ms for 262,144 pieces. Errors name the field, its value and the
  // limit.
  static Result<Tokenizer> FromBytes(std::span<const uint8_t> bytes);

  Tokenizer(Tokenizer&&) = default;
  Tokenizer& operator=(Tokenizer&&) = default;

  // Replaces the contents of `ids` by the tokens of `text`, BOS and EOS included where asked for. The text
  // may hold any bytes, NUL too. Errors: a text that is too long, BOS or EOS asked of a vocabulary that has
  // none.
  Status Encode(std::string_view text, std::vector<int32_t>& ids, const EncodeOptions& options = {},
                EncodeStats* stats = nullptr) const;

  // Cuts `ids` to `max` tokens from the end, but keeps an EOS that stands there. Returns whether it cut.
  bool Truncate(std::vector<int32_t>& ids, size_t max) const;

  size_t size() const { return tables_.types.size(); }
  // Of a token below size(). Spaces are written as U+2581; a byte token is spelled `<0xNN>`.
  std::string_view Piece(int32_t id) const { return tables_.Piece(id); }
  TokenType Type(int32_t id) const { return tables_.types[static_cast<size_t>(id)]; }

 private:
  Tokenizer() = default;

  bool HasFlag(TokenizerHeader::Flag flag) const { return (tables_.header.flags & flag) != 0; }

  std::vector<uint8_t> storage_;  // of Create; what tables_ views (a move leaves the bytes where they are)
  TokenizerTables tables_;
};

}  // namespace ggufc::runtime
