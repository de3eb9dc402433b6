#include "test_vocabulary.h"

#include <fmt/format.h>

namespace ggufc::runtime {

int32_t TestVocabulary::Add(std::string_view piece, float score, TokenType type) {
  pieces.emplace_back(piece);
  scores.push_back(score);
  types.push_back(static_cast<int32_t>(type));
  return static_cast<int32_t>(pieces.size()) - 1;
}

int32_t TestVocabulary::AddByteTokens() {
  const auto first = static_cast<int32_t>(pieces.size());
  for (int byte = 0; byte < 256; ++byte) Add(fmt::format("<0x{:02X}>", byte), 0, TokenType::kByte);
  return first;
}

VocabularyView TestVocabulary::View() {
  views_.assign(pieces.begin(), pieces.end());
  VocabularyView view = options;
  view.pieces = views_;
  view.scores = scores;
  view.types = types;
  return view;
}

}  // namespace ggufc::runtime
