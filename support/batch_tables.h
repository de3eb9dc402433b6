// The tables that describe a batch to generated code: the place of each token, sequence and attention query tile.
// Sequences are packed one after another, without padding. The runtime and the interpreter make the tables once per
// batch and kernels read them, so this layout is part of the contract between runtime and generated code.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ggufc {

// Per sequence, keys are laid out in panels of 16 and values in blocks of 32, so each sequence has a multiple of 32
// key slots.
inline constexpr int32_t kKeyPanel = 16;
inline constexpr int32_t kKeyBlock = 32;
// Queries per attention work item. 16 queries of 3 heads fill four 12-row register tiles; their score rows for 2,048
// keys (393 KB) fit in an L2 cache of 1 MB.
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
  std::vector<QueryTileEntry> query_tiles;  // [Q], ordered by sequence and position
  int64_t tokens = 0;
};

// `lengths`: tokens of each sequence, each > 0; their sum fits int32.
BatchTables MakeBatchTables(std::span<const int32_t> lengths);

}  // namespace ggufc
