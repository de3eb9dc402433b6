#include "runtime/text/tokenizer_builder.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <ranges>
#include <string>
#include <utility>

#include "support/text.h"
#include "support/utf8.h"

namespace ggufc::runtime {
namespace {

using Slot = TokenizerTables::Slot;
using TrieNode = TokenizerTables::TrieNode;

// Maps scores to integers whose ascending order is the scores' descending order. Equal scores, and both
// zeros, give equal integers: ties are then broken by position.
uint32_t MergeOrder(float score) {
  const auto bits = std::bit_cast<uint32_t>(score == 0.0f ? 0.0f : score);
  const uint32_t ascending = bits >> 31 ? ~bits : bits | 0x80000000u;
  return ~ascending;
}

bool IsSpecial(TokenType type) {
  return type == TokenType::kUserDefined || type == TokenType::kControl || type == TokenType::kUnknown;
}

// What BPE may produce. Special pieces cannot occur in what BPE sees when control tokens are parsed, and byte
// pieces stand for bytes, not for the text `<0x41>`.
bool IsMergeable(TokenType type) {
  return type == TokenType::kNormal || type == TokenType::kUnused || type == TokenType::kUndefined;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

Status CheckId(std::string_view name, uint32_t id, bool needed, size_t tokens) {
  if (id == kNoToken && !needed) return {};
  if (id == kNoToken) return Err("vocabulary: {} is to be added, but the vocabulary has none", name);
  if (id >= tokens) return Err("vocabulary: {} is token {}, but there are only {} tokens", name, id, tokens);
  return {};
}

class TableBuilder {
 public:
  explicit TableBuilder(const VocabularyView& vocabulary) : vocabulary_(vocabulary) {}

  Result<std::vector<uint8_t>> Build() {
    RETURN_IF_ERROR(CheckVocabulary());
    RETURN_IF_ERROR(AddPieces());
    const auto missing = std::ranges::find(byte_tokens_, -1);
    if (vocabulary_.unknown == kNoToken && missing != byte_tokens_.end()) {
      return Err("vocabulary: no unknown token, and no token for byte 0x{:02X}",
                 missing - byte_tokens_.begin());
    }
    AddTrie();
    return Assemble();
  }

  const RepeatedPieces& repeated() const { return repeated_; }

 private:
  std::string_view Piece(int32_t id) const {
    const auto i = static_cast<size_t>(id);
    return {blob_.data() + offsets_[i], offsets_[i + 1] - offsets_[i]};
  }

  Status CheckVocabulary() const {
    const size_t tokens = vocabulary_.pieces.size();
    if (tokens == 0 || tokens > kMaxTokens) {
      return Err("vocabulary: {} pieces (1 to {} are allowed)", tokens, kMaxTokens);
    }
    if (vocabulary_.scores.size() != tokens || vocabulary_.types.size() != tokens) {
      return Err("vocabulary: {} pieces, but {} scores and {} types", tokens, vocabulary_.scores.size(),
                 vocabulary_.types.size());
    }
    RETURN_IF_ERROR(CheckId("BOS", vocabulary_.bos, vocabulary_.add_bos, tokens));
    RETURN_IF_ERROR(CheckId("EOS", vocabulary_.eos, vocabulary_.add_eos, tokens));
    return CheckId("unknown", vocabulary_.unknown, false, tokens);
  }

  Status AddPieces() {
    const size_t tokens = vocabulary_.pieces.size();
    offsets_.reserve(tokens + 1);
    types_.reserve(tokens);
    merge_orders_.reserve(tokens);
    offsets_.push_back(0);
    byte_tokens_.fill(-1);
    for (size_t i = 0; i < tokens; ++i) {
      const std::string_view piece = vocabulary_.pieces[i];
      const int32_t type = vocabulary_.types[i];
      if (type < 0 || type > static_cast<int32_t>(TokenType::kByte)) {
        return Err("vocabulary: token {}: type {} (0 to 6 are known)", i, type);
      }
      const size_t limit = IsSpecial(static_cast<TokenType>(type)) ? kMaxSpecialBytes : kMaxPieceBytes;
      if (piece.size() > limit) {
        return Err("vocabulary: token {}: a piece of {} bytes and type {} (the limit is {})", i, piece.size(),
                   type, limit);
      }
      if (std::isnan(vocabulary_.scores[i])) return Err("vocabulary: token {}: the score is not a number", i);
      AppendWithMarks(piece, blob_);
      // Strictly less, so that the nodes of the trie, at most one a byte and the root, can be counted too.
      if (blob_.size() >= std::numeric_limits<uint32_t>::max()) {
        return Err("vocabulary: token {}: the pieces are longer than 4 GiB together", i);
      }
      offsets_.push_back(static_cast<uint32_t>(blob_.size()));
      types_.push_back(static_cast<TokenType>(type));
      merge_orders_.push_back(MergeOrder(vocabulary_.scores[i]));
      if (types_.back() == TokenType::kByte) RETURN_IF_ERROR(AddByteToken(static_cast<int32_t>(i)));
    }
    return {};
  }

  Status AddByteToken(int32_t id) {
    const std::string_view piece = Piece(id);
    const bool shaped = piece.size() == 6 && piece.starts_with("<0x") && piece.ends_with('>');
    const int high = shaped ? HexDigit(piece[3]) : -1;
    const int low = shaped ? HexDigit(piece[4]) : -1;
    if (high < 0 || low < 0)
      return Err("vocabulary: token {}: byte token {} is not `<0xNN>`", id, Quoted(piece));
    int32_t& token = byte_tokens_[static_cast<size_t>(high) * 16 + static_cast<size_t>(low)];
    if (token < 0) token = id;
    return {};
  }

  // Of two tokens with the same piece the first counts.
  Status AddSlots(std::span<Slot> slots, std::span<uint64_t> joints) {
    const size_t mask = slots.size() - 1;
    for (size_t i = 0; i < types_.size(); ++i) {
      const auto id = static_cast<int32_t>(i);
      const std::string_view piece = Piece(id);
      if (!IsMergeable(types_[i]) || piece.empty()) continue;
      const uint64_t hash = TokenizerTables::Hash(piece);
      const uint32_t tag = TokenizerTables::TagOf(hash);
      size_t slot = hash & mask;
      size_t probes = 0;
      while (slots[slot].id >= 0 && (slots[slot].tag != tag || Piece(slots[slot].id) != piece)) {
        if (++probes > kMaxProbes) {
          return Err("vocabulary: token {}: its piece collides with {} others", i, probes);
        }
        slot = (slot + 1) & mask;
      }
      if (slots[slot].id >= 0) {
        AddRepeated(slots[slot].id, id);
        continue;
      }
      slots[slot] = {tag, id};
      longest_piece_ = std::max(longest_piece_, static_cast<uint32_t>(piece.size()));
      AddJoints(piece, joints);
    }
    return {};
  }

  void AddRepeated(int32_t a, int32_t b) {
    const auto [earlier, later] = std::minmax(a, b);
    ++repeated_.count;
    if (repeated_.first < 0 || later < repeated_.first) repeated_ = {repeated_.count, later, earlier};
  }

  // Pieces that are both matched whole and made by merges.
  void FindRepeatedInSlots(std::span<const Slot> slots) {
    const size_t mask = slots.size() - 1;
    for (const TrieNode& node : trie_) {
      if (node.id < 0) continue;
      const std::string_view piece = Piece(node.id);
      const uint64_t hash = TokenizerTables::Hash(piece);
      const uint32_t tag = TokenizerTables::TagOf(hash);
      size_t slot = hash & mask;
      // A piece that is there was inserted within kMaxProbes steps.
      for (size_t probes = 0; probes <= kMaxProbes && slots[slot].id >= 0; ++probes) {
        if (slots[slot].tag == tag && Piece(slots[slot].id) == piece) {
          AddRepeated(slots[slot].id, node.id);
          break;
        }
        slot = (slot + 1) & mask;
      }
    }
  }

  // What is looked for in the text: a user-defined piece spells spaces as marks, others are taken literally.
  std::string_view SpelledInText(int32_t id) const {
    const auto i = static_cast<size_t>(id);
    return types_[i] == TokenType::kUserDefined ? Piece(id) : vocabulary_.pieces[i];
  }

  static void AddJoints(std::string_view piece, std::span<uint64_t> joints) {
    Utf8Char left = DecodeUtf8(piece);
    piece.remove_prefix(left.bytes);
    while (!piece.empty()) {
      const Utf8Char right = DecodeUtf8(piece);
      const uint32_t bit = TokenizerTables::JointBit(left.code, right.code);
      joints[bit / 64] |= uint64_t{1} << (bit % 64);
      piece.remove_prefix(right.bytes);
      left = right;
    }
  }

  // Breadth first over the sorted pieces: a node is a range of them that agrees on its first `depth` bytes.
  void AddTrie() {
    std::vector<int32_t> sorted;
    for (size_t i = 0; i < types_.size(); ++i) {
      if (IsSpecial(types_[i]) && offsets_[i] != offsets_[i + 1]) sorted.push_back(static_cast<int32_t>(i));
    }
    std::ranges::stable_sort(sorted, {}, [this](int32_t id) { return SpelledInText(id); });
    struct Range {
      size_t begin, end, depth;
    };
    std::vector<Range> ranges = {{0, sorted.size(), 0}};
    trie_.emplace_back();
    trie_labels_.push_back(0);
    for (size_t node = 0; node < ranges.size(); ++node) {
      auto [begin, end, depth] = ranges[node];
      // Equal pieces lie together, lowest id first.
      while (begin < end && SpelledInText(sorted[begin]).size() == depth) {
        if (trie_[node].id < 0) {
          trie_[node].id = sorted[begin];
        } else {
          AddRepeated(trie_[node].id, sorted[begin]);
        }
        ++begin;
      }
      trie_[node].first_child = static_cast<uint32_t>(trie_.size());
      while (begin < end) {
        const char label = SpelledInText(sorted[begin])[depth];
        size_t next = begin + 1;
        while (next < end && SpelledInText(sorted[next])[depth] == label) ++next;
        ranges.push_back({begin, next, depth + 1});
        trie_.emplace_back();
        trie_labels_.push_back(static_cast<uint8_t>(label));
        ++trie_[node].children;
        begin = next;
      }
    }
  }

  // The slots, by far the largest of the tables, are made where they stay.
  Result<std::vector<uint8_t>> Assemble() {
    const auto mergeable = static_cast<size_t>(std::ranges::count_if(types_, IsMergeable));
    TokenizerHeader header = {
        .flags = (vocabulary_.add_bos ? TokenizerHeader::kAddBos : 0u) |
                 (vocabulary_.add_eos ? TokenizerHeader::kAddEos : 0u) |
                 (vocabulary_.add_space_prefix ? TokenizerHeader::kAddSpacePrefix : 0u),
        .bos = vocabulary_.bos,
        .eos = vocabulary_.eos,
        .unknown = vocabulary_.unknown,
        .tokens = static_cast<uint32_t>(types_.size()),
        .slots = static_cast<uint32_t>(std::bit_ceil(2 * mergeable + 1)),
        .trie_nodes = static_cast<uint32_t>(trie_.size()),
        .blob_bytes = static_cast<uint32_t>(blob_.size()),
    };
    const TokenizerTables::Layout layout(header);
    std::vector<uint8_t> bytes(layout.end);
    const auto put = [&bytes](size_t offset, const auto& values) {
      const auto source = std::as_bytes(std::span(values));
      if (!source.empty()) std::memcpy(bytes.data() + offset, source.data(), source.size());
    };
    const std::span slots(reinterpret_cast<Slot*>(bytes.data() + layout.slots), header.slots);
    const std::span joints(reinterpret_cast<uint64_t*>(bytes.data() + layout.joints),
                           (size_t{1} << TokenizerTables::kJointBits) / 64);
    std::ranges::fill(slots, Slot());
    RETURN_IF_ERROR(AddSlots(slots, joints));
    FindRepeatedInSlots(slots);
    header.longest_piece = longest_piece_;
    put(0, std::span(&header, 1));
    put(layout.byte_tokens, byte_tokens_);
    put(layout.offsets, offsets_);
    put(layout.merge_orders, merge_orders_);
    put(layout.types, types_);
    put(layout.trie, trie_);
    put(layout.trie_labels, trie_labels_);
    put(layout.blob, blob_);
    return bytes;
  }

  const VocabularyView& vocabulary_;
  std::array<int32_t, 256> byte_tokens_ = {};
  std::vector<uint32_t> offsets_;
  std::vector<uint32_t> merge_orders_;
  std::vector<TokenType> types_;
  std::vector<TrieNode> trie_;
  std::vector<uint8_t> trie_labels_;
  std::string blob_;
  uint32_t longest_piece_ = 0;
  RepeatedPieces repeated_;
};

}  // namespace

Result<std::vector<uint8_t>> BuildTokenizerTables(const VocabularyView& vocabulary,
                                                  RepeatedPieces* repeated) {
  TableBuilder builder(vocabulary);
  Result<std::vector<uint8_t>> bytes = builder.Build();
  if (repeated != nullptr) *repeated = builder.repeated();
  return bytes;
}

}  // namespace ggufc::runtime
