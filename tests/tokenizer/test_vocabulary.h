// A vocabulary that owns its pieces, for small ones written by hand and for imported ones.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/text/tokenizer.h"

namespace ggufc::runtime {

struct TestVocabulary {
  std::vector<std::string> pieces;
  std::vector<float> scores;
  std::vector<int32_t> types;
  VocabularyView options;  // only the ids and flags; View() fills in the rest

  // Returns the new token's id.
  int32_t Add(std::string_view piece, float score = 0, TokenType type = TokenType::kNormal);
  // <0x00> to <0xFF>; returns the id of the first.
  int32_t AddByteTokens();

  // Valid until the vocabulary changes or dies.
  VocabularyView View();

 private:
  std::vector<std::string_view> views_;
};

// <unk> <s> </s>, then the bytes if asked for.
TestVocabulary BasicVocabulary(bool bytes = true);

// Few letters, few scores and many pieces, so that ties, overlaps and stale heap entries are common.
TestVocabulary RandomVocabulary(std::mt19937_64& random);

}  // namespace ggufc::runtime
