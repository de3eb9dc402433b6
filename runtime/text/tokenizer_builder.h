// From a vocabulary to the tokenizer's tables.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "runtime/text/tokenizer_tables.h"
#include "support/result.h"

namespace ggufc::runtime {

// A vocabulary as a model file gives it. Nothing is copied; the three spans have one entry per token.
struct VocabularyView {
  std::span<const std::string_view> pieces = {};
  std::span<const float> scores = {};
  std::span<const int32_t> types = {};
  uint32_t bos = kNoToken;
  uint32_t eos = kNoToken;
  uint32_t unknown = kNoToken;  // may be absent only where all 256 byte tokens are there
  bool add_bos = false;
  bool add_eos = false;
  bool add_space_prefix = false;
};

// Tokens whose piece an earlier token has. Only the first of equal pieces is ever given; but a control, unknown or
// user-defined piece and one that merging may produce are each given in their own way. A byte token is no piece of
// text and repeats none. Two spellings of a space are one.
struct RepeatedPieces {
  size_t count = 0;
  int32_t first = -1;    // the lowest of these tokens
  int32_t earlier = -1;  // and one before it with the same piece
};

// The tables as bytes, for TokenizerTables::FromBytes; the same vocabulary gives the same bytes. `repeated`, where it
// is not null, is filled in. Errors name the token, its value and the limit. O(bytes of all pieces), save for sorting
// the special ones.
Result<std::vector<uint8_t>> BuildTokenizerTables(const VocabularyView& vocabulary,
                                                  RepeatedPieces* repeated = nullptr);

}  // namespace ggufc::runtime
