#include "runtime/text/tokenizer.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "support/utf8.h"

namespace ggufc::runtime {
namespace {

// Turns fragments without special pieces into ids. Holds the scratch memory of one Encode call.
class Merger {
 public:
  Merger(const TokenizerTables& tables, std::vector<int32_t>& ids) : tables_(tables), ids_(ids) {}

  void EncodeFragment(std::string_view text) {
    text_ = text;
    uint32_t left = 0;
    for (size_t position = 0; position < text.size();) {
      const Utf8Char c = DecodeUtf8(text.substr(position));
      if (!symbols_.empty() && !tables_.MayJoin(left, c.code)) EncodeSegment(position);
      symbols_.push_back({.begin = static_cast<uint32_t>(position)});
      left = c.code;
      position += c.bytes;
    }
    if (!symbols_.empty()) EncodeSegment(text.size());
  }

  const EncodeStats& stats() const { return stats_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  // A run of characters that has become one, in a list in text order; it ends where the next one begins.
  struct Symbol {
    uint32_t begin;
    uint32_t previous = kNone;
    uint32_t next = kNone;
    int32_t id = -1;      // the piece it is; -1 for a character that has not been merged
    int32_t joined = -1;  // the piece that it and its successor would form, or -1
  };

  // Heap entries order by merge order, then by position. One is stale, and skipped, when its symbol no longer
  // forms a piece of that order with its successor. (If it forms another one of the same order, that is the
  // next merge all the same: the entry that was pushed for it is equal.)
  static uint64_t Entry(uint32_t order, uint32_t symbol) {
    return static_cast<uint64_t>(order) << 32 | symbol;
  }

  uint32_t OrderOf(int32_t id) const { return tables_.merge_orders[static_cast<size_t>(id)]; }

  int32_t Find(size_t begin, size_t end) {
    ++stats_.lookups;
    return tables_.Find(text_.substr(begin, end - begin));
  }

  // Looks up what symbol `i` forms with its successor, and returns whether that is a piece.
  bool Rejoin(uint32_t i) {
    Symbol& symbol = symbols_[i];
    const Symbol& next = symbols_[symbol.next];
    // The sentinel at the end has no successor.
    symbol.joined = next.next == kNone ? -1 : Find(symbol.begin, symbols_[next.next].begin);
    return symbol.joined >= 0;
  }

  void Push(uint32_t i) {
    ++stats_.heap_pushes;
    heap_.push_back(Entry(OrderOf(symbols_[i].joined), i));
  }

  // Merges the characters in symbols_, which end at `end`, appends their ids and clears symbols_.
  void EncodeSegment(size_t end) {
    ++stats_.segments;
    const auto count = static_cast<uint32_t>(symbols_.size());
    symbols_.push_back({.begin = static_cast<uint32_t>(end)});
    for (uint32_t i = 0; i < count; ++i) {
      if (i > 0) symbols_[i].previous = i - 1;
      symbols_[i].next = i + 1;
    }
    for (uint32_t i = 0; i < count; ++i) {
      if (Rejoin(i)) Push(i);
    }
    std::ranges::make_heap(heap_, std::greater<>());
    while (!heap_.empty()) {
      std::ranges::pop_heap(heap_, std::greater<>());
      const uint64_t entry = heap_.back();
      heap_.pop_back();
      ++stats_.heap_pops;
      const auto i = static_cast<uint32_t>(entry);
      const int32_t joined = symbols_[i].joined;
      if (joined >= 0 && Entry(OrderOf(joined), i) == entry) MergeWithNext(i);
    }
    for (uint32_t i = 0; i < count; i = symbols_[i].next) {
      const Symbol& symbol = symbols_[i];
      if (symbol.id >= 0) {
        ids_.push_back(symbol.id);
      } else {
        EmitCharacter(symbol.begin, symbols_[symbol.next].begin);
      }
    }
    symbols_.clear();
  }

  void MergeWithNext(uint32_t i) {
    ++stats_.merges;
    Symbol& symbol = symbols_[i];
    Symbol& absorbed = symbols_[symbol.next];
    symbol.id = symbol.joined;
    symbol.next = absorbed.next;
    absorbed.joined = -1;
    symbols_[symbol.next].previous = i;
    const auto push = [this](uint32_t changed) {
      if (!Rejoin(changed)) return;
      Push(changed);
      std::ranges::push_heap(heap_, std::greater<>());
    };
    push(i);
    if (symbol.previous != kNone) push(symbol.previous);
  }

  void EmitCharacter(size_t begin, size_t end) {
    if (const int32_t id = Find(begin, end); id >= 0) {
      ids_.push_back(id);
      return;
    }
    const auto token_of = [this](char c) { return tables_.byte_tokens[static_cast<uint8_t>(c)]; };
    const std::string_view bytes = text_.substr(begin, end - begin);
    if (std::ranges::any_of(bytes, [&](char c) { return token_of(c) < 0; })) {
      ids_.push_back(static_cast<int32_t>(tables_.header.unknown));
      return;
    }
    for (const char c : bytes) ids_.push_back(token_of(c));
  }

  const TokenizerTables& tables_;
  std::vector<int32_t>& ids_;
  std::string_view text_;
  std::vector<Symbol> symbols_;
  std::vector<uint64_t> heap_;
  EncodeStats stats_;
};

// Cuts the special pieces out of `text`, leftmost-longest: appends their ids to `ids` and calls `encode` for each
// fragment in between that is not empty, in the order of the text.
template <typename EncodeFragment>
void CutOutSpecial(const TokenizerTables& tables, std::string_view text, bool control,
                   std::vector<int32_t>& ids, const EncodeFragment& encode) {
  size_t begin = 0;
  const auto encode_until = [&](size_t end) {
    if (end > begin) encode(text.substr(begin, end - begin));
  };
  for (size_t position = 0; position < text.size();) {
    SpecialMatch match;
    if (tables.starts_special[static_cast<uint8_t>(text[position])]) {
      match = tables.MatchSpecial(text.substr(position), control);
    }
    if (match.id < 0) {
      ++position;
      continue;
    }
    encode_until(position);
    ids.push_back(match.id);
    position += match.bytes;
    begin = position;
  }
  encode_until(text.size());
}

}  // namespace

Result<Tokenizer> Tokenizer::Create(const VocabularyView& vocabulary, RepeatedPieces* repeated) {
  ASSIGN_OR_RETURN(std::vector<uint8_t> bytes, BuildTokenizerTables(vocabulary, repeated));
  ASSIGN_OR_RETURN(Tokenizer tokenizer, FromBytes(bytes));
  tokenizer.storage_ = std::move(bytes);
  return tokenizer;
}

Result<Tokenizer> Tokenizer::FromBytes(std::span<const uint8_t> bytes) {
  Tokenizer tokenizer;
  ASSIGN_OR_RETURN(tokenizer.tables_, TokenizerTables::FromBytes(bytes));
  return tokenizer;
}

Status Tokenizer::Encode(std::string_view text, std::vector<int32_t>& ids, const EncodeOptions& options,
                         EncodeStats* stats) const {
  const bool add_bos = options.add_bos.value_or(HasFlag(TokenizerHeader::kAddBos));
  const bool add_eos = options.add_eos.value_or(HasFlag(TokenizerHeader::kAddEos));
  const auto bos = static_cast<int32_t>(tables_.header.bos);
  const auto eos = static_cast<int32_t>(tables_.header.eos);
  if (add_bos && bos < 0) return Err("BOS is to be added, but the vocabulary has none");
  if (add_eos && eos < 0) return Err("EOS is to be added, but the vocabulary has none");
  if (text.size() > kMaxTextBytes) {
    return Err("the text has {} bytes (the limit is {})", text.size(), kMaxTextBytes);
  }
  ids.clear();
  if (add_bos) ids.push_back(bos);
  Merger merger(tables_, ids);
  // The space prefix goes before every fragment that begins the text or follows a piece that was cut out of it.
  const std::string_view prefix = HasFlag(TokenizerHeader::kAddSpacePrefix) ? kSpaceMark : "";
  std::string marked;
  CutOutSpecial(tables_, text, options.parse_control, ids, [&](std::string_view fragment) {
    marked.assign(prefix);
    AppendWithMarks(fragment, marked);
    CutOutSpecial(tables_, marked, false, ids, [&](std::string_view rest) { merger.EncodeFragment(rest); });
  });
  if (add_eos) ids.push_back(eos);
  if (stats != nullptr) *stats = merger.stats();
  return {};
}

bool Tokenizer::Truncate(std::vector<int32_t>& ids, size_t max) const {
  if (ids.size() <= max) return false;
  const uint32_t eos = tables_.header.eos;
  const bool ends_in_eos = eos != kNoToken && static_cast<uint32_t>(ids.back()) == eos;
  ids.resize(max);
  if (ends_in_eos && max > 0) ids.back() = static_cast<int32_t>(eos);
  return true;
}

}  // namespace ggufc::runtime
