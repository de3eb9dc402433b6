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

TestVocabulary BasicVocabulary(bool bytes) {
  TestVocabulary v;
  v.options.unknown = static_cast<uint32_t>(v.Add("<unk>", 0, TokenType::kUnknown));
  v.options.bos = static_cast<uint32_t>(v.Add("<s>", 0, TokenType::kControl));
  v.options.eos = static_cast<uint32_t>(v.Add("</s>", 0, TokenType::kControl));
  if (bytes) v.AddByteTokens();
  return v;
}

TestVocabulary RandomVocabulary(std::mt19937_64& random) {
  static constexpr std::string_view kAlphabet[] = {"a", "b", "é", "日", "▁", "\n", " "};
  const auto below = [&](uint64_t limit) { return random() % limit; };
  TestVocabulary v = BasicVocabulary(below(2) == 0);
  v.options.add_space_prefix = below(4) == 0;
  const uint64_t letters = 2 + below(std::size(kAlphabet) - 1);
  const uint64_t pieces = below(60);
  const uint64_t scores = 1 + below(8);
  for (uint64_t i = 0; i < pieces; ++i) {
    std::string piece;
    for (uint64_t n = 1 + below(5); n > 0; --n) piece += kAlphabet[below(letters)];
    const TokenType rare[] = {TokenType::kUserDefined, TokenType::kControl, TokenType::kUnused};
    const auto type = below(12) == 0 ? rare[below(3)] : TokenType::kNormal;
    v.Add(piece, -static_cast<float>(below(scores)), type);
  }
  return v;
}

}  // namespace ggufc::runtime
