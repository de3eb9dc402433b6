#include "support/batch_tables.h"

#include "support/check.h"

namespace ggufc {

BatchTables MakeBatchTables(std::span<const int32_t> lengths) {
  BatchTables tables;
  int32_t token = 0, slot = 0;
  for (const int32_t length : lengths) {
    CHECK(length > 0 && length <= INT32_MAX - token, "length {}", length);
    tables.sequences.push_back({token, length, slot, 0});
    for (int32_t q = 0; q < length; q += kQueryTile) tables.query_tiles.push_back({token, length, slot, q});
    for (int32_t i = 0; i < length; ++i) {
      tables.positions.push_back(i);
      tables.key_slots.push_back(slot + i);
    }
    token += length;
    slot += (length + kKeyBlock - 1) / kKeyBlock * kKeyBlock;
  }
  tables.tokens = token;
  return tables;
}

}  // namespace ggufc
