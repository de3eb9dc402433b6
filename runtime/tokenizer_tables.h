// The tables behind the tokenizer, built once from a vocabulary and never changed. They are flat arrays of
// plain data that refer to each other by index only, so that they can be written to a file and used where it
// is mapped.
//
//   pieces    all pieces one after another in one blob, spaces written as U+2581
//   slots     open-addressing hash over the pieces that BPE may produce: linear probing, at most half full
//   joints    a filter over pairs of adjacent characters (a Bloom filter with one hash): the bit of a pair
//   that
//             stands side by side in no such piece is clear, save for collisions
//   trie      the pieces that are matched in the text before BPE; the children of a node lie together
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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

// A vocabulary as a model file gives it. Nothing is copied; the three spans have one entry per token.
struct VocabularyView {
  std::span<const std::string_view> pieces = {};
  std::span<const float> scores = {};
  std::span<const int32_t> types = {};
  uint32_t bos = kNoToken;
  uint32_t eos = kNoToken;
  uint32_t unknown = kNoToken;  // may be absent only where all 256 byte tokens are there
  bool add_bos = false;
  bool add_eos = false;
  bool add_space_prefix = false;
};

// U+2581 LOWER ONE EIGHTH BLOCK, SentencePiece's space.
inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";

// Appends `text` with every space written as kSpaceMark.
void AppendWithMarks(std::string_view text, std::string& out);

struct SpecialMatch {
  int32_t id = -1;  // -1: no match
  uint32_t bytes = 0;
};

struct TokenizerTables {
  struct Slot {
    uint32_t tag = 0;  // upper half of the hash: most misses end here, without a look at the blob
    int32_t id = -1;   // -1: empty
  };
  struct TrieNode {
    uint32_t first_child = 0;
    uint16_t children = 0;
    int32_t id = -1;  // the token that ends here, or -1
  };

  // Errors name the token, its value and the limit. O(bytes of all pieces), save for sorting the special
  // ones.
  static Result<TokenizerTables> Build(const VocabularyView& vocabulary);

  // The lower bits give a piece's first slot. Part of the tables' format.
  static uint64_t Hash(std::string_view piece);

  std::string_view Piece(int32_t id) const {
    const auto i = static_cast<size_t>(id);
    return std::string_view(blob.data() + offsets[i], offsets[i + 1] - offsets[i]);
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

  std::string blob;
  std::vector<uint32_t> offsets;       // tokens + 1
  std::vector<TokenType> types;        // by token
  std::vector<uint32_t> merge_orders;  // by token: the smaller, the earlier it is merged (a higher score)
  std::vector<Slot> slots;             // a power of two
  std::vector<uint64_t> joints;        // 2^kJointBits bits
  std::vector<TrieNode> trie;          // node 0 is the root
  std::vector<uint8_t> trie_labels;    // by node: the byte that leads to it
  std::array<uint8_t, 256> starts_special = {};  // by byte: some special piece begins with it
  std::array<int32_t, 256> byte_tokens = {};     // by byte: its token, or -1
  uint32_t longest_piece = 0;                    // bytes, over the pieces in `slots`

 private:
  // 128 KB, which stays in L2. Gemma's vocabulary of 262144 pieces sets 3 % of the bits, so that hardly a
  // pair looks joined by collision.
  static constexpr uint32_t kJointBits = 20;

  static uint32_t JointBit(uint32_t left, uint32_t right) {
    const uint64_t pair = (static_cast<uint64_t>(left) << 32 | right) * 0x9E3779B97F4A7C15u;
    return static_cast<uint32_t>((pair ^ pair >> 29) * 0xBF58476D1CE4E5B9u >> (64 - kJointBits));
  }

  Status AddPieces(const VocabularyView& vocabulary);
  Status AddByteToken(int32_t id);
  Status BuildSlots();
  void AddJoints(std::string_view piece);
  void BuildTrie();
};

}  // namespace ggufc::runtime
