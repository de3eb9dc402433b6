// The tables behind the tokenizer: flat arrays of plain data that refer to each other by index only, so that
// they can be written to a file and used where it is mapped. Made by tokenizer_builder.h, never changed.
//
//   pieces    all pieces one after another in one blob, spaces written as U+2581
//   slots     open-addressing hash over the pieces that BPE may produce: linear probing, at most half full
//   joints    a filter over pairs of adjacent characters (a Bloom filter with one hash): the bit of a pair
//             that stands side by side in no such piece is clear, save for collisions
//   trie      the pieces that are matched in the text before BPE, breadth first: the children of a node lie
//             together, and the nodes' children in the order of the nodes. User-defined pieces with spaces
//             written as U+2581, control and unknown pieces literally
//
// As bytes (version 2, little endian; in version 1 all pieces of the trie had U+2581 for spaces): TokenizerHeader, then byte_tokens, joints, slots, offsets,
// merge_orders, types, trie, trie_labels and blob, each from the next multiple of kArrayAlign on. The counts
// in the header decide where everything is.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "support/result.h"

namespace ggufc::runtime {

// Token types as GGUF numbers them (`tokenizer.ggml.token_type`).
enum class TokenType : uint8_t {
  kUndefined = 0,  // treated as kNormal
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,  // treated as kNormal, as llama.cpp does
  kByte = 6,
};

inline constexpr uint32_t kNoToken = UINT32_MAX;
inline constexpr size_t kMaxTokens = size_t{1} << 24;
// Far longer than any piece of a trained vocabulary (Gemma's longest has 93 bytes). Special pieces are tried
// at every position of a text, so for them the limit also bounds what a hostile vocabulary can make that
// cost. In the tables a piece may be three times as long: a space becomes kSpaceMark.
inline constexpr size_t kMaxPieceBytes = 4096;
inline constexpr size_t kMaxSpecialBytes = 512;
// Half full and linearly probed, a run of this length does not happen by chance; only pieces chosen to
// collide make one, and they would make building and searching quadratic.
inline constexpr size_t kMaxProbes = 1024;

// U+2581 LOWER ONE EIGHTH BLOCK, SentencePiece's space.
inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";

// Appends `text` with every space written as kSpaceMark.
void AppendWithMarks(std::string_view text, std::string& out);

struct TokenizerHeader {
  static constexpr std::array<char, 8> kMagic = {'G', 'G', 'U', 'F', 'C', 'T', 'O', 'K'};
  static constexpr uint32_t kVersion = 2;
  enum Flag : uint32_t { kAddBos = 1, kAddEos = 2, kAddSpacePrefix = 4, kAllFlags = 7 };

  std::array<char, 8> magic = kMagic;
  uint32_t version = kVersion;
  uint32_t flags = 0;
  uint32_t bos = kNoToken;
  uint32_t eos = kNoToken;
  uint32_t unknown = kNoToken;  // may be absent only where all 256 byte tokens are there
  uint32_t longest_piece = 0;   // bytes, over the pieces in `slots`
  uint32_t tokens = 0;          // 1 to kMaxTokens
  uint32_t slots = 0;           // a power of two
  uint32_t trie_nodes = 0;      // at least the root
  uint32_t blob_bytes = 0;
  std::array<uint32_t, 4> zero = {};
};
static_assert(sizeof(TokenizerHeader) == 64 && std::has_unique_object_representations_v<TokenizerHeader>);

struct SpecialMatch {
  int32_t id = -1;  // -1: no match
  uint32_t bytes = 0;
};

// Views into the bytes of the tables.
struct TokenizerTables {
  struct Slot {
    uint32_t tag = 0;  // upper half of the hash: most misses end here, without a look at the blob
    int32_t id = -1;   // -1: empty
  };
  struct TrieNode {
    uint32_t first_child = 0;
    uint16_t children = 0;
    uint16_t zero = 0;
    int32_t id = -1;  // the token that ends here, or -1
  };
  static_assert(sizeof(Slot) == 8 && std::has_unique_object_representations_v<Slot>);
  static_assert(sizeof(TrieNode) == 12 && std::has_unique_object_representations_v<TrieNode>);

  // Where the arrays begin, in bytes from the header on, and where the last one ends.
  struct Layout {
    static constexpr size_t kArrayAlign = 64;
    explicit Layout(const TokenizerHeader& header);
    size_t byte_tokens, joints, slots, offsets, merge_orders, types, trie, trie_labels, blob, end;
  };

  // Uses `bytes` in place; they start at a multiple of 8 and outlive the tables. Checks all that keeps the
  // methods below, and the tokenizer, from reading outside and from running long: sizes, every index, that a
  // search in the slots ends within kMaxProbes and one in the trie at its leaves. What the pieces are it
  // takes on trust. A few linear scans: 1 ms for 262,144 tokens. Errors name the field, its value and the
  // limit.
  static Result<TokenizerTables> FromBytes(std::span<const uint8_t> bytes);

  // The lower bits give a piece's first slot, the upper half its tag. Part of the format.
  static uint64_t Hash(std::string_view piece);
  static uint32_t TagOf(uint64_t hash) { return static_cast<uint32_t>(hash >> 32); }

  // The bit of a pair of characters in the joints. Part of the format. 128 KB, which stays in L2; Gemma's
  // vocabulary of 262144 pieces sets 3 % of the bits, so that hardly a pair looks joined by collision.
  static constexpr uint32_t kJointBits = 20;
  static uint32_t JointBit(uint32_t left, uint32_t right) {
    const uint64_t pair = (static_cast<uint64_t>(left) << 32 | right) * 0x9E3779B97F4A7C15u;
    return static_cast<uint32_t>((pair ^ pair >> 29) * 0xBF58476D1CE4E5B9u >> (64 - kJointBits));
  }

  std::string_view Piece(int32_t id) const {
    const auto i = static_cast<size_t>(id);
    return {blob.data() + offsets[i], offsets[i + 1] - offsets[i]};
  }

  // The id of the piece that BPE may produce with exactly this text, or -1.
  int32_t Find(std::string_view text) const;

  // False: no piece that BPE may produce has these two characters side by side.
  bool MayJoin(uint32_t left, uint32_t right) const {
    const uint32_t bit = JointBit(left, right);
    return (joints[bit / 64] >> (bit % 64)) & 1;
  }

  // The longest special piece at the start of `text`; without `control`, only user-defined ones.
  SpecialMatch MatchSpecial(std::string_view text, bool control) const;

  std::span<const uint8_t> bytes;  // all of it
  TokenizerHeader header;
  std::span<const int32_t> byte_tokens;  // by byte: its token, or -1
  std::span<const uint64_t> joints;      // 2^kJointBits bits
  std::span<const Slot> slots;
  std::span<const uint32_t> offsets;       // tokens + 1, into the blob
  std::span<const uint32_t> merge_orders;  // by token: the smaller, the earlier it is merged (a higher score)
  std::span<const TokenType> types;        // by token
  std::span<const TrieNode> trie;          // node 0 is the root
  std::span<const uint8_t> trie_labels;    // by node: the byte that leads to it; ascending among siblings
  std::string_view blob;
  // By byte: some special piece begins with it. Found from the trie when the tables are opened.
  std::array<uint8_t, 256> starts_special = {};

 private:
  Status CheckHeader() const;
  Status CheckPieces() const;
  Status CheckSlots() const;
  Status CheckTrie() const;
};

}  // namespace ggufc::runtime
