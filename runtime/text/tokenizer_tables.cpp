#include "runtime/text/tokenizer_tables.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace ggufc::runtime {
namespace {

constexpr size_t kMaxMarkedBytes = kSpaceMark.size() * kMaxPieceBytes;
constexpr size_t kMaxTrieDepth = kSpaceMark.size() * kMaxSpecialBytes;

template <typename T>
std::span<const T> ArrayAt(std::span<const uint8_t> bytes, size_t offset, size_t count) {
  return {reinterpret_cast<const T*>(bytes.data() + offset), count};
}

// Whether `id` is a token, or -1.
bool IsTokenOrNone(int32_t id, uint32_t tokens) { return static_cast<uint32_t>(id) + 1 <= tokens; }

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

TokenizerTables::Layout::Layout(const TokenizerHeader& header) {
  // Counts have 32 bits and elements 12 bytes at most: no sum comes near 2^64.
  size_t next = sizeof(TokenizerHeader);
  const auto place = [&next](size_t count, size_t element_bytes) {
    const size_t begin = (next + kArrayAlign - 1) / kArrayAlign * kArrayAlign;
    next = begin + count * element_bytes;
    return begin;
  };
  byte_tokens = place(256, sizeof(int32_t));
  joints = place((size_t{1} << kJointBits) / 64, sizeof(uint64_t));
  slots = place(header.slots, sizeof(Slot));
  offsets = place(size_t{header.tokens} + 1, sizeof(uint32_t));
  merge_orders = place(header.tokens, sizeof(uint32_t));
  types = place(header.tokens, sizeof(TokenType));
  trie = place(header.trie_nodes, sizeof(TrieNode));
  trie_labels = place(header.trie_nodes, 1);
  blob = place(header.blob_bytes, 1);
  end = next;
}

Result<TokenizerTables> TokenizerTables::FromBytes(std::span<const uint8_t> bytes) {
  if (reinterpret_cast<uintptr_t>(bytes.data()) % alignof(uint64_t) != 0) {
    return Err("tokenizer: its tables lie at {}, which is no multiple of {}", fmt::ptr(bytes.data()),
               alignof(uint64_t));
  }
  TokenizerTables tables;
  if (bytes.size() < sizeof(tables.header)) {
    return Err(ErrorKind::kBadFile, "tokenizer: {} bytes, too short for a header of {}", bytes.size(),
               sizeof(tables.header));
  }
  std::memcpy(&tables.header, bytes.data(), sizeof(tables.header));
  const TokenizerHeader& header = tables.header;
  const auto checked = [](Status status) {
    return WithContext("tokenizer", WithKind(ErrorKind::kBadFile, std::move(status)));
  };
  RETURN_IF_ERROR(checked(tables.CheckHeader()));
  const Layout layout(header);
  if (layout.end != bytes.size()) {
    return Err(ErrorKind::kBadFile,
               "tokenizer: {} bytes, expected {} for {} tokens, {} slots, {} nodes and {} bytes of pieces",
               bytes.size(), layout.end, header.tokens, header.slots, header.trie_nodes, header.blob_bytes);
  }
  tables.bytes = bytes;
  tables.byte_tokens = ArrayAt<int32_t>(bytes, layout.byte_tokens, 256);
  tables.joints = ArrayAt<uint64_t>(bytes, layout.joints, (size_t{1} << kJointBits) / 64);
  tables.slots = ArrayAt<Slot>(bytes, layout.slots, header.slots);
  tables.offsets = ArrayAt<uint32_t>(bytes, layout.offsets, size_t{header.tokens} + 1);
  tables.merge_orders = ArrayAt<uint32_t>(bytes, layout.merge_orders, header.tokens);
  tables.types = ArrayAt<TokenType>(bytes, layout.types, header.tokens);
  tables.trie = ArrayAt<TrieNode>(bytes, layout.trie, header.trie_nodes);
  tables.trie_labels = ArrayAt<uint8_t>(bytes, layout.trie_labels, header.trie_nodes);
  tables.blob = {reinterpret_cast<const char*>(bytes.data() + layout.blob), header.blob_bytes};
  RETURN_IF_ERROR(checked(tables.CheckPieces()));
  RETURN_IF_ERROR(checked(tables.CheckSlots()));
  RETURN_IF_ERROR(checked(tables.CheckTrie()));
  for (size_t i = 0; i < tables.trie[0].children; ++i) tables.starts_special[tables.trie_labels[1 + i]] = 1;
  return tables;
}

Status TokenizerTables::CheckHeader() const {
  if (header.magic != TokenizerHeader::kMagic) return Err("header: no tokenizer tables");
  if (header.version != TokenizerHeader::kVersion) {
    return Err("header: version {} (this program reads {})", header.version, TokenizerHeader::kVersion);
  }
  if ((header.flags & ~uint32_t{TokenizerHeader::kAllFlags}) != 0)
    return Err("header: flags 0x{:x}", header.flags);
  if (header.zero != decltype(header.zero){}) return Err("header: reserved bytes are not 0");
  if (header.tokens < 1 || header.tokens > kMaxTokens) {
    return Err("header: {} tokens (1 to {} are allowed)", header.tokens, kMaxTokens);
  }
  const auto check_id = [this](const char* name, uint32_t id, bool needed) -> Status {
    if (id == kNoToken && !needed) return {};
    if (id >= header.tokens) return Err("header: {} is token {} of {}", name, id, header.tokens);
    return {};
  };
  RETURN_IF_ERROR(check_id("BOS", header.bos, (header.flags & TokenizerHeader::kAddBos) != 0));
  RETURN_IF_ERROR(check_id("EOS", header.eos, (header.flags & TokenizerHeader::kAddEos) != 0));
  RETURN_IF_ERROR(check_id("unknown", header.unknown, false));
  if (!std::has_single_bit(header.slots)) return Err("header: {} slots, not a power of two", header.slots);
  if (header.trie_nodes < 1) return Err("header: a trie without a root");
  if (header.longest_piece > kMaxMarkedBytes) {
    return Err("header: a longest piece of {} bytes (at most {})", header.longest_piece, kMaxMarkedBytes);
  }
  return {};
}

Status TokenizerTables::CheckPieces() const {
  for (size_t byte = 0; byte < byte_tokens.size(); ++byte) {
    if (!IsTokenOrNone(byte_tokens[byte], header.tokens)) {
      return Err("byte 0x{:02X}: token {} of {}", byte, byte_tokens[byte], header.tokens);
    }
    if (byte_tokens[byte] < 0 && header.unknown == kNoToken) {
      return Err("byte 0x{:02X}: no token, and no unknown token", byte);
    }
  }
  if (offsets.front() != 0 || offsets.back() != header.blob_bytes) {
    return Err("pieces: from {} to {}, expected 0 to {}", offsets.front(), offsets.back(), header.blob_bytes);
  }
  for (size_t i = 0; i < types.size(); ++i) {
    if (offsets[i] > offsets[i + 1] || offsets[i + 1] - offsets[i] > kMaxMarkedBytes) {
      return Err("token {}: its piece lies from {} to {} (at most {} bytes)", i, offsets[i], offsets[i + 1],
                 kMaxMarkedBytes);
    }
    if (types[i] > TokenType::kByte) return Err("token {}: type {}", i, static_cast<int>(types[i]));
  }
  return {};
}

Status TokenizerTables::CheckSlots() const {
  size_t filled = 0;
  // Of filled slots up to here, in a row. The row that ends the table goes on at its start.
  size_t row = 0, longest_row = 0;
  while (row < slots.size() && slots[slots.size() - 1 - row].id >= 0) ++row;
  for (size_t i = 0; i < slots.size(); ++i) {
    if (!IsTokenOrNone(slots[i].id, header.tokens)) {
      return Err("slot {}: token {} of {}", i, slots[i].id, header.tokens);
    }
    const size_t is_filled = slots[i].id >= 0;
    filled += is_filled;
    // 0 where it is empty; without a branch, which would be mispredicted every other time.
    row = (row + 1) & (0 - is_filled);
    longest_row = std::max(longest_row, row);
  }
  if (2 * filled > slots.size()) {
    return Err("slots: {} of {} are filled (at most half)", filled, slots.size());
  }
  if (longest_row > kMaxProbes) {
    return Err("slots: {} pieces collide in a row (at most {})", longest_row, kMaxProbes);
  }
  return {};
}

// In breadth-first order, where each node's children follow on those of the node before it, every node but
// the root is the child of exactly one node before it: a tree, with nothing left to check but its depth.
Status TokenizerTables::CheckTrie() const {
  size_t first_child = 1;
  size_t depth = 0, level_end = 1;  // of the node at hand; where the next level begins
  for (size_t i = 0; i < trie.size(); ++i) {
    const TrieNode& node = trie[i];
    if (i == level_end) {
      ++depth;
      level_end = first_child;
    }
    if (node.first_child != first_child || node.children > trie.size() - first_child || node.zero != 0) {
      return Err("node {} of {}: children {} + {}, expected them from {} on", i, trie.size(),
                 node.first_child, node.children, first_child);
    }
    if (!IsTokenOrNone(node.id, header.tokens))
      return Err("node {}: token {} of {}", i, node.id, header.tokens);
    for (size_t child = 1; child < node.children; ++child) {
      if (trie_labels[first_child + child - 1] >= trie_labels[first_child + child]) {
        return Err("node {}: the labels of its children do not ascend", i);
      }
    }
    first_child += node.children;
    if (i + 1 == first_child && first_child < trie.size()) {
      return Err("node {}: no node's child", first_child);
    }
  }
  if (depth > kMaxTrieDepth) return Err("trie: {} levels (at most {})", depth, kMaxTrieDepth);
  return {};
}

int32_t TokenizerTables::Find(std::string_view text) const {
  if (text.size() > header.longest_piece) return -1;
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
