#include "runtime/tokenizer_tables.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "runtime/utf8.h"

namespace ggufc::runtime {
namespace {

constexpr size_t kMaxTokens = size_t{1} << 24;
// Far longer than any piece of a trained vocabulary (Gemma's longest has 93 bytes). Special pieces are tried
// at every position of a text, so for them the limit also bounds what a hostile vocabulary can make that
// cost.
constexpr size_t kMaxPieceBytes = 4096;
constexpr size_t kMaxSpecialBytes = 512;
// Half full and linearly probed, a run of this length does not happen by chance; only pieces chosen to
// collide make one, and they would make building and searching quadratic.
constexpr size_t kMaxProbes = 1024;

uint32_t TagOf(uint64_t hash) { return static_cast<uint32_t>(hash >> 32); }

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

}  // namespace

void AppendWithMarks(std::string_view text, std::string& out) {
  size_t begin = 0;
  for (size_t space = text.find(' '); space != text.npos; space = text.find(' ', begin)) {
    out.append(text, begin, space - begin).append(kSpaceMark);
    begin = space + 1;
  }
  out.append(text, begin);
}

uint64_t TokenizerTables::Hash(std::string_view piece) {
  constexpr uint64_t kMultiplier = 0x9FB21C651E98DF25u;
  uint64_t hash = piece.size() * kMultiplier;
  const char* data = piece.data();
  size_t left = piece.size();
  const auto mix = [&hash](uint64_t word) {
    hash = (hash ^ word) * kMultiplier;
    hash ^= hash >> 32;
  };
  for (; left >= 8; data += 8, left -= 8) {
    uint64_t word;
    std::memcpy(&word, data, 8);
    mix(word);
  }
  uint64_t tail = 0;
  for (size_t i = 0; i < left; ++i) tail |= static_cast<uint64_t>(static_cast<uint8_t>(data[i])) << (8 * i);
  mix(tail);
  hash *= kMultiplier;
  return hash ^ hash >> 29;
}

Result<TokenizerTables> TokenizerTables::Build(const VocabularyView& vocabulary) {
  const size_t tokens = vocabulary.pieces.size();
  if (tokens == 0 || tokens > kMaxTokens) {
    return Err("vocabulary: {} pieces (1 to {} are allowed)", tokens, kMaxTokens);
  }
  if (vocabulary.scores.size() != tokens || vocabulary.types.size() != tokens) {
    return Err("vocabulary: {} pieces, but {} scores and {} types", tokens, vocabulary.scores.size(),
               vocabulary.types.size());
  }
  RETURN_IF_ERROR(CheckId("BOS", vocabulary.bos, vocabulary.add_bos, tokens));
  RETURN_IF_ERROR(CheckId("EOS", vocabulary.eos, vocabulary.add_eos, tokens));
  RETURN_IF_ERROR(CheckId("unknown", vocabulary.unknown, false, tokens));

  TokenizerTables tables;
  RETURN_IF_ERROR(tables.AddPieces(vocabulary));
  const auto missing = std::ranges::find(tables.byte_tokens, -1);
  if (vocabulary.unknown == kNoToken && missing != tables.byte_tokens.end()) {
    return Err("vocabulary: no unknown token, and no token for byte 0x{:02X}",
               missing - tables.byte_tokens.begin());
  }
  RETURN_IF_ERROR(tables.BuildSlots());
  tables.BuildTrie();
  return tables;
}

Status TokenizerTables::AddPieces(const VocabularyView& vocabulary) {
  const size_t tokens = vocabulary.pieces.size();
  offsets.reserve(tokens + 1);
  types.reserve(tokens);
  merge_orders.reserve(tokens);
  offsets.push_back(0);
  byte_tokens.fill(-1);
  for (size_t i = 0; i < tokens; ++i) {
    const std::string_view piece = vocabulary.pieces[i];
    const int32_t type = vocabulary.types[i];
    if (type < 0 || type > static_cast<int32_t>(TokenType::kByte)) {
      return Err("vocabulary: token {}: type {} (0 to 6 are known)", i, type);
    }
    const size_t limit = IsSpecial(static_cast<TokenType>(type)) ? kMaxSpecialBytes : kMaxPieceBytes;
    if (piece.size() > limit) {
      return Err("vocabulary: token {}: a piece of {} bytes and type {} (the limit is {})", i, piece.size(),
                 type, limit);
    }
    if (std::isnan(vocabulary.scores[i])) return Err("vocabulary: token {}: the score is not a number", i);
    AppendWithMarks(piece, blob);
    if (blob.size() > std::numeric_limits<uint32_t>::max()) {
      return Err("vocabulary: token {}: the pieces are longer than 4 GiB together", i);
    }
    offsets.push_back(static_cast<uint32_t>(blob.size()));
    types.push_back(static_cast<TokenType>(type));
    merge_orders.push_back(MergeOrder(vocabulary.scores[i]));
    if (types.back() == TokenType::kByte) RETURN_IF_ERROR(AddByteToken(static_cast<int32_t>(i)));
  }
  return {};
}

Status TokenizerTables::AddByteToken(int32_t id) {
  const std::string_view piece = Piece(id);
  const bool shaped = piece.size() == 6 && piece.starts_with("<0x") && piece.ends_with('>');
  const int high = shaped ? HexDigit(piece[3]) : -1;
  const int low = shaped ? HexDigit(piece[4]) : -1;
  if (high < 0 || low < 0) return Err("vocabulary: token {}: byte token `{}` is not `<0xNN>`", id, piece);
  int32_t& token = byte_tokens[static_cast<size_t>(high * 16 + low)];
  if (token < 0) token = id;
  return {};
}

// Of two tokens with the same piece the first counts.
Status TokenizerTables::BuildSlots() {
  const auto mergeable = static_cast<size_t>(std::ranges::count_if(types, IsMergeable));
  slots.resize(std::bit_ceil(2 * mergeable + 1));
  joints.resize((size_t{1} << kJointBits) / 64);
  const size_t mask = slots.size() - 1;
  for (size_t i = 0; i < types.size(); ++i) {
    const auto id = static_cast<int32_t>(i);
    const std::string_view piece = Piece(id);
    if (!IsMergeable(types[i]) || piece.empty()) continue;
    const uint64_t hash = Hash(piece);
    size_t slot = hash & mask;
    size_t probes = 0;
    while (slots[slot].id >= 0 && (slots[slot].tag != TagOf(hash) || Piece(slots[slot].id) != piece)) {
      if (++probes > kMaxProbes)
        return Err("vocabulary: token {}: its piece collides with {} others", i, probes);
      slot = (slot + 1) & mask;
    }
    if (slots[slot].id >= 0) continue;
    slots[slot] = {TagOf(hash), id};
    longest_piece = std::max(longest_piece, static_cast<uint32_t>(piece.size()));
    AddJoints(piece);
  }
  return {};
}

void TokenizerTables::AddJoints(std::string_view piece) {
  Utf8Char left = DecodeUtf8(piece);
  piece.remove_prefix(left.bytes);
  while (!piece.empty()) {
    const Utf8Char right = DecodeUtf8(piece);
    const uint32_t bit = JointBit(left.code, right.code);
    joints[bit / 64] |= uint64_t{1} << (bit % 64);
    piece.remove_prefix(right.bytes);
    left = right;
  }
}

// Breadth first over the sorted pieces: a node is a range of them that agrees on its first `depth` bytes.
void TokenizerTables::BuildTrie() {
  std::vector<int32_t> sorted;
  for (size_t i = 0; i < types.size(); ++i) {
    if (IsSpecial(types[i]) && offsets[i] != offsets[i + 1]) sorted.push_back(static_cast<int32_t>(i));
  }
  std::ranges::stable_sort(sorted, {}, [this](int32_t id) { return Piece(id); });
  struct Range {
    size_t begin, end, depth;
  };
  std::vector<Range> ranges = {{0, sorted.size(), 0}};
  trie.emplace_back();
  trie_labels.push_back(0);
  for (size_t node = 0; node < ranges.size(); ++node) {
    auto [begin, end, depth] = ranges[node];
    // Equal pieces lie together, lowest id first.
    while (begin < end && Piece(sorted[begin]).size() == depth) {
      if (trie[node].id < 0) trie[node].id = sorted[begin];
      ++begin;
    }
    trie[node].first_child = static_cast<uint32_t>(trie.size());
    while (begin < end) {
      const char label = Piece(sorted[begin])[depth];
      size_t next = begin + 1;
      while (next < end && Piece(sorted[next])[depth] == label) ++next;
      ranges.push_back({begin, next, depth + 1});
      trie.emplace_back();
      trie_labels.push_back(static_cast<uint8_t>(label));
      ++trie[node].children;
      if (node == 0) starts_special[static_cast<uint8_t>(label)] = 1;
      begin = next;
    }
  }
}

int32_t TokenizerTables::Find(std::string_view text) const {
  if (text.size() > longest_piece) return -1;
  const uint64_t hash = Hash(text);
  const size_t mask = slots.size() - 1;
  for (size_t slot = hash & mask; slots[slot].id >= 0; slot = (slot + 1) & mask) {
    if (slots[slot].tag == TagOf(hash) && Piece(slots[slot].id) == text) return slots[slot].id;
  }
  return -1;
}

SpecialMatch TokenizerTables::MatchSpecial(std::string_view text, bool control) const {
  SpecialMatch match;
  size_t node = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const TrieNode& parent = trie[node];
    if (parent.children == 0) break;
    const uint8_t* labels = trie_labels.data() + parent.first_child;
    const void* child = std::memchr(labels, static_cast<uint8_t>(text[i]), parent.children);
    if (child == nullptr) break;
    node = parent.first_child + static_cast<size_t>(static_cast<const uint8_t*>(child) - labels);
    const int32_t id = trie[node].id;
    if (id >= 0 && (control || types[static_cast<size_t>(id)] == TokenType::kUserDefined)) {
      match = {id, static_cast<uint32_t>(i + 1)};
    }
  }
  return match;
}

}  // namespace ggufc::runtime
