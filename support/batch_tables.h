// The tables that describe a batch to generated code. Sequences lie packed one after another, without padding; the
// tables say where each token, sequence and attention tile is. Made once a batch by the runtime (and by the
// interpreter), read by kernels: this layout is part of the contract between them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ggufc {

// Keys are laid out in panels of 16 and values in blocks of 32 per sequence, so a sequence takes a multiple of 32 key
// slots.
inline constexpr int32_t kKeyPanel = 16;
inline constexpr int32_t kKeyBlock = 32;
// Queries of one attention work item. 16 queries times 3 heads fill four 12-row tiles; their score rows for
// 2,048 keys (393 KB) stay inside a 1 MB L2.
inline constexpr int32_t kQueryTile = 16;

struct SequenceEntry {
  int32_t first_token;  // index of its first token in the batch
  int32_t length;       // tokens, > 0
  int32_t first_slot;   // index of its first key slot
  int32_t reserved;     // 0
};

struct QueryTileEntry {
  int32_t first_token;  // of the sequence
  int32_t length;       // of the sequence
  int32_t first_slot;   // of the sequence
  int32_t first_query;  // position in the sequence of the tile's first query; the tile has at most kQueryTile
};

struct BatchTables {
  std::vector<int32_t> positions;           // [T] a token's position in its sequence
  std::vector<int32_t> key_slots;           // [T] a token's key slot in the batch
  std::vector<SequenceEntry> sequences;     // [B]
  std::vector<QueryTileEntry> query_tiles;  // [Q], by sequence and position
  int64_t tokens = 0;
};

// `lengths`: tokens of each sequence, each > 0; their sum fits int32.
BatchTables MakeBatchTables(std::span<const int32_t> lengths);

}  // namespace ggufc
