#include <unordered_set>

#include "frontend/tokenizer/token_table.h"
#include "frontend/tokenizer/vocabulary.h"

namespace ggufc::frontend {
namespace {

// Pieces inside words, shortest first, then words that begin after a space.
constexpr std::string_view kInnerPieces[] = {
    "th",  "he",  "in",  "er",  "an",  "re",  "on",   "at",   "en",   "or",   "es",   "is",
    "it",  "st",  "ed",  "ou",  "al",  "ar",  "le",   "nd",   "ng",   "se",   "ve",   "ic",
    "as",  "ly",  "ll",  "ur",  "ch",  "us",  "ion",  "ing",  "ent",  "ter",  "est",  "ers",
    "ate", "ver", "all", "ess", "ect", "ist", "able", "ment", "tion", "ally", "ness", "ould",
};
constexpr std::string_view kWords[] = {
    "the",    "of",       "and",   "to",     "in",     "a",         "is",      "that",    "for",     "it",
    "as",     "was",      "with",  "be",     "by",     "on",        "not",     "he",      "this",    "are",
    "or",     "his",      "from",  "at",     "which",  "but",       "have",    "an",      "had",     "they",
    "you",    "were",     "their", "one",    "all",    "we",        "can",     "her",     "has",     "there",
    "been",   "if",       "more",  "when",   "will",   "would",     "who",     "so",      "no",      "said",
    "what",   "up",       "its",   "about",  "into",   "than",      "them",    "only",    "other",   "new",
    "some",   "could",    "time",  "these",  "two",    "may",       "then",    "do",      "first",   "any",
    "my",     "now",      "such",  "like",   "our",    "over",      "man",     "me",      "even",    "most",
    "made",   "after",    "also",  "did",    "many",   "before",    "must",    "through", "years",   "where",
    "much",   "your",     "way",   "well",   "down",   "should",    "because", "each",    "just",    "those",
    "people", "how",      "too",   "little", "state",  "good",      "very",    "make",    "world",   "still",
    "see",    "own",      "work",  "men",    "long",   "here",      "get",     "both",    "between", "life",
    "being",  "under",    "never", "day",    "same",   "another",   "know",    "while",   "last",    "might",
    "us",     "great",    "old",   "year",   "off",    "come",      "since",   "against", "go",      "came",
    "right",  "used",     "take",  "three",  "search", "query",     "result",  "title",   "none",    "text",
    "task",   "document", "code",  "model",  "vector", "embedding",
};

class Builder {
 public:
  explicit Builder(uint64_t vocab) : vocab_(vocab) {}

  TokenTable Build() {
    table_.padding = Append("<pad>", TokenType::kControl);
    table_.eos = Append("<eos>", TokenType::kControl);
    table_.bos = Append("<bos>", TokenType::kControl);
    table_.unknown = Append("<unk>", TokenType::kUnknown);
    for (int byte = 0; byte < 256; ++byte) Append(fmt::format("<0x{:02X}>", byte), TokenType::kByte);
    AppendNormal(std::string(kSpace));
    for (char c = '!'; c <= '~'; ++c) AppendNormal(std::string(1, c));
    for (const std::string_view piece : kInnerPieces) AppendPrefixes("", piece);
    for (const std::string_view word : kWords) AppendPrefixes(kSpace, word);
    for (size_t n = 0; table_.pieces.size() < vocab_; ++n)
      Append(fmt::format("<unused{}>", n), TokenType::kUnused);
    return std::move(table_);
  }

 private:
  uint32_t Append(std::string piece, TokenType type) {
    const auto id = static_cast<uint32_t>(table_.pieces.size());
    table_.scores.push_back(type == TokenType::kNormal   ? -static_cast<float>(id)
                            : type == TokenType::kUnused ? kUnreachableScore
                                                         : 0.0f);
    table_.types.push_back(static_cast<int32_t>(type));
    table_.pieces.push_back(std::move(piece));
    return id;
  }

  void AppendNormal(std::string piece) {
    if (table_.pieces.size() == vocab_ || !seen_.insert(piece).second) return;
    Append(std::move(piece), TokenType::kNormal);
  }

  // Appends every prefix of `lead` + `text` that is longer than one character. Each prefix is the previous one and one more
  // character.
  void AppendPrefixes(std::string_view lead, std::string_view text) {
    for (size_t length = lead.empty() ? 2 : 1; length <= text.size(); ++length) {
      AppendNormal(std::string(lead) + std::string(text.substr(0, length)));
    }
  }

  uint64_t vocab_;
  TokenTable table_;
  std::unordered_set<std::string> seen_;
};

}  // namespace

Result<TokenTable> BuiltinTokens(uint64_t vocab) {
  if (vocab < kLeastBuiltinVocabulary || vocab > kMaxVocabulary) {
    return Err("vocabulary: {} entries ({} to {} are allowed without a tokenizer)", vocab,
               kLeastBuiltinVocabulary, kMaxVocabulary);
  }
  return Builder(vocab).Build();
}

}  // namespace ggufc::frontend
