#include "reference_bpe.h"

#include <algorithm>
#include <cstdlib>
#include <random>

namespace ggufc::runtime {
namespace {

// The length of the character at the start of `text` by the well-formedness patterns of the Unicode standard,
// or 1.
size_t CharacterLength(std::string_view text) {
  struct Pattern {
    unsigned char first_low, first_high, second_low, second_high;
    size_t length;
  };
  static constexpr Pattern kPatterns[] = {{0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
                                          {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3},
                                          {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
                                          {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4}};
  const auto within = [&](size_t i, unsigned char low, unsigned char high) {
    return i < text.size() && static_cast<unsigned char>(text[i]) >= low &&
           static_cast<unsigned char>(text[i]) <= high;
  };
  for (const Pattern& p : kPatterns) {
    bool all = within(0, p.first_low, p.first_high) && within(1, p.second_low, p.second_high);
    for (size_t i = 2; i < p.length; ++i) all = all && within(i, 0x80, 0xBF);
    if (all) return p.length;
  }
  return 1;
}

std::string Utf8(uint32_t code) {
  const auto byte = [](uint32_t value) { return static_cast<char>(value); };
  if (code < 0x80) return {byte(code)};
  if (code < 0x800) return {byte(0xC0 | code >> 6), byte(0x80 | (code & 0x3F))};
  if (code < 0x10000)
    return {byte(0xE0 | code >> 12), byte(0x80 | (code >> 6 & 0x3F)), byte(0x80 | (code & 0x3F))};
  return {byte(0xF0 | code >> 18), byte(0x80 | (code >> 12 & 0x3F)), byte(0x80 | (code >> 6 & 0x3F)),
          byte(0x80 | (code & 0x3F))};
}

}  // namespace

std::string Marked(std::string_view text) {
  std::string marked;
  for (const char c : text) marked += c == ' ' ? std::string("\u2581") : std::string(1, c);
  return marked;
}

ReferenceTokenizer::ReferenceTokenizer(const VocabularyView& vocabulary)
    : scores_(vocabulary.scores.begin(), vocabulary.scores.end()),
      types_(vocabulary.types.begin(), vocabulary.types.end()),
      unknown_(static_cast<int32_t>(vocabulary.unknown)),
      add_space_prefix_(vocabulary.add_space_prefix) {
  for (size_t i = 0; i < types_.size(); ++i) {
    const auto id = static_cast<int32_t>(i);
    const std::string literal(vocabulary.pieces[i]);
    const std::string piece = Marked(literal);
    if (piece.empty()) continue;
    switch (static_cast<TokenType>(types_[i])) {
      case TokenType::kByte:
        bytes_.try_emplace(static_cast<int>(std::strtol(piece.substr(3, 2).c_str(), nullptr, 16)), id);
        break;
      case TokenType::kControl:
      case TokenType::kUnknown:
        added_.try_emplace(literal, id);
        longest_added_ = std::max(longest_added_, literal.size());
        break;
      case TokenType::kUserDefined:
        added_.try_emplace(piece, id);
        longest_added_ = std::max(longest_added_, piece.size());
        break;
      default:
        mergeable_.try_emplace(piece, id);
    }
  }
}

// The text in parts: an added piece and its id, or text between two of them and -1.
std::vector<std::pair<std::string, int32_t>> ReferenceTokenizer::Split(const std::string& text,
                                                                       bool control) const {
  std::vector<std::pair<std::string, int32_t>> parts;
  for (size_t position = 0; position < text.size();) {
    bool found = false;
    for (size_t length = std::min(longest_added_, text.size() - position); length > 0 && !found; --length) {
      const auto it = added_.find(text.substr(position, length));
      if (it == added_.end()) continue;
      const auto type = static_cast<TokenType>(types_[static_cast<size_t>(it->second)]);
      if (!control && type != TokenType::kUserDefined) continue;
      parts.emplace_back(*it);
      position += length;
      found = true;
    }
    if (found) continue;
    if (parts.empty() || parts.back().second >= 0) parts.emplace_back("", -1);
    parts.back().first += text[position++];
  }
  return parts;
}

std::vector<int32_t> ReferenceTokenizer::Encode(std::string_view text, bool parse_control) const {
  std::vector<int32_t> ids;
  for (const auto& [raw, raw_id] : Split(std::string(text), parse_control)) {
    if (raw_id >= 0) {
      ids.push_back(raw_id);
      continue;
    }
    const std::string normalized = Marked((add_space_prefix_ ? " " : "") + raw);
    for (const auto& [part, id] : Split(normalized, false)) {
      if (id >= 0) {
        ids.push_back(id);
      } else {
        EncodeFragment(part, ids);
      }
    }
  }
  return ids;
}

void ReferenceTokenizer::EncodeFragment(const std::string& fragment, std::vector<int32_t>& ids) const {
  std::vector<std::string> symbols;
  for (size_t i = 0; i < fragment.size(); i += symbols.back().size()) {
    symbols.push_back(fragment.substr(i, CharacterLength(std::string_view(fragment).substr(i))));
  }
  while (true) {
    size_t best = symbols.size();
    float best_score = 0;
    for (size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto piece = mergeable_.find(symbols[i] + symbols[i + 1]);
      if (piece == mergeable_.end()) continue;
      const float score = scores_[static_cast<size_t>(piece->second)];
      if (best != symbols.size() && score <= best_score) continue;
      best = i;
      best_score = score;
    }
    if (best == symbols.size()) break;
    symbols[best] += symbols[best + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
  for (const std::string& symbol : symbols) {
    if (const auto piece = mergeable_.find(symbol); piece != mergeable_.end()) {
      ids.push_back(piece->second);
      continue;
    }
    std::vector<int32_t> fallback;
    for (const char c : symbol) {
      if (const auto byte = bytes_.find(static_cast<unsigned char>(c)); byte != bytes_.end()) {
        fallback.push_back(byte->second);
      }
    }
    if (fallback.size() != symbol.size()) fallback.assign(1, unknown_);
    ids.insert(ids.end(), fallback.begin(), fallback.end());
  }
}

std::string Spelled(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  std::string text;
  for (const int32_t id : ids) {
    const std::string piece(tokenizer.Piece(id));
    if (tokenizer.Type(id) == TokenType::kByte) {
      text += static_cast<char>(std::strtol(piece.substr(3, 2).c_str(), nullptr, 16));
    } else {
      text += piece;
    }
  }
  return text;
}

std::string RandomText(uint64_t seed, size_t max_characters, bool valid) {
  static constexpr std::string_view kWords[] = {
      "the",  "embedding", "ing",       "naïve",   "поиск",  "日本語", "<b>",
      "<h1>", "<bos>",     "<unused5>", "<unused", "<0x41>", "</",     "l’été",
      "▁▁",   "a ▁b",      "'s",        "...",     "1,234",  "<unk>",  "==="};
  std::mt19937_64 random(seed);
  const auto below = [&](uint64_t limit) { return random() % limit; };
  std::string text;
  const size_t count = below(max_characters + 1);
  for (size_t i = 0; i < count; ++i) {
    switch (below(valid ? 8 : 9)) {
      case 0:
      case 1:
        text += static_cast<char>('a' + below(26));
        break;
      case 2:
        text += kWords[below(std::size(kWords))];
        break;
      case 3:
        text.append(1 + below(below(8) == 0 ? 40 : 3), ' ');
        break;
      case 4:
        text += "\u2581";
        break;
      case 5:
        text.append(1 + below(4), below(2) ? '\n' : '\t');
        break;
      case 6: {
        auto code = static_cast<uint32_t>(below(below(2) ? 0x3000 : 0x110000));
        if (code >= 0xD800 && code < 0xE000) code -= 0x800;
        text += Utf8(code);
        break;
      }
      case 7:
        text += static_cast<char>(below(128));
        break;
      default:
        text += static_cast<char>(128 + below(128));
    }
  }
  return text;
}

}  // namespace ggufc::runtime
