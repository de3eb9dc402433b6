// Row-wise work as loop IR: one row of an activation at a time, 16 columns at a time. Reductions use 16 partial sums
// that the fixed tree of reduce_add combines, on every target.
#pragma once

#include <map>
#include <vector>

#include "ir/core/builder.h"

namespace ggufc::passes {

// Where a row of f32 lies: its first byte is at ptr + byte.
struct Place {
  ir::ValueId ptr;
  ir::ValueId byte;
};

// A row, or some columns of one. f32 rows are `columns` floats at `place`. A quantised row is a record (docs/ir.md):
// `place` is where the whole record begins, `record_columns` its length, and block 0 of these columns is the record's block
// `first_block` (an index value; invalid: 0).
struct Row {
  Place place;
  int64_t columns = 0;
  ir::Scalar scalar = ir::Scalar::kF32;
  int64_t pack = 0;
  int64_t record_columns = 0;
  ir::ValueId first_block;
};

// Layout of quantised records. pack 2: i16 elements; pack 4: i8 elements and a compensation a block.
int64_t RecordScaleOffset(int64_t columns, int64_t pack);
int64_t RecordCompensationOffset(int64_t columns, int64_t pack);
// Bytes from one row to the next of an activation with `columns` columns; `dense`: f32 rows without padding.
int64_t RowStride(ir::Scalar scalar, int64_t columns, int64_t pack, bool dense = false);

// Bytes of a key slot, all kv heads together, in panels of `columns` columns made by `op` (key_panels or value_panels).
int64_t PanelSlotBytes(const ir::Op& op, int64_t columns);

// What row-wise ops need to know of the row besides its data.
struct RowContext {
  ir::ValueId position;  // of the token in its sequence (index); needed by rope_table
  ir::ValueId key_slot;  // of the token in the batch (index); needed by key_panels and value_panels
  ir::ValueId head;      // first head of the columns at hand (index); needed by the same
  int64_t kv_heads = 0;  // needed by the same
  ir::ValueId integers;  // scratch for a head's i16 elements; needed by the same where dots are of 16 bits
};

class RowEmitter {
 public:
  explicit RowEmitter(ir::Builder& builder) : b_(builder) {}

  // Emits a tensor op on one row. `inputs` are its operands in order; weights (gains, tables) are rows too.
  void Emit(const ir::Op& op, const std::vector<Row>& inputs, const Row& output, const RowContext& context);

  void Copy(const Row& from, const Row& to);
  void Fill(const Row& to, double value);
  void AddTo(const Row& sum, const Row& x);
  void Scale(const Row& x, ir::ValueId factor, const Row& to);  // factor: f32
  // A head's row as i16 at `to`, for exact dots (docs/ir.md): returns the scale, f32. `bound_norm`: the norm of each block
  // is bounded besides the magnitude of each element.
  ir::ValueId QuantizeHead(const Row& x, bool bound_norm, const Place& to);

  // Runs `body` over a row's bytes, 16 floats a turn: (byte offset of the chunk, lanes in it or 0 for all).
  void ForChunks(int64_t columns, const std::function<void(ir::ValueId, int64_t)>& body);

 private:
  ir::ValueId LoadChunk(const Row& row, ir::ValueId byte, int64_t lanes);
  void StoreChunk(ir::ValueId value, const Row& row, ir::ValueId byte, int64_t lanes);
  // Sum over a row of what `term` adds to the running sum: f32.
  ir::ValueId Sum(int64_t columns,
                  const std::function<ir::ValueId(ir::ValueId byte, int64_t lanes, ir::ValueId sum)>& term);
  Row Columns(const Row& row, int64_t first, int64_t count);
  ir::ValueId OrNan(ir::ValueId x, ir::ValueId finite);
  void RmsNorm(const Row& x, const Row& gain, const Row& to, int64_t group, double eps);
  void Rope(const Row& x, const Row& table, const Row& to, int64_t head_dim, ir::ValueId position);
  void Quantize(const Row& x, const Row& to);
  void KeyPanels(const Row& x, const Row& to, int64_t head_dim, const RowContext& context);
  void IntegerPanels(const Row& x, const Row& to, const ir::Op& op, const RowContext& context);
  void L2Normalize(const Row& x, const Row& to);
  void Map(const std::vector<Row>& inputs, const Row& to,
           const std::function<ir::ValueId(const std::vector<ir::ValueId>&)>& body);

  ir::Builder& b_;
};

}  // namespace ggufc::passes
