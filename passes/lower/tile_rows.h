// Lowers row-wise ops to loop IR: one row of an activation at a time, 16 columns at a time. Reductions have 16 partial
// sums, which the fixed tree of reduce_add combines in the same order on every target.
#pragma once

#include <functional>
#include <vector>

#include "ir/core/builder.h"

namespace ggufc::passes {

// An address: ptr + byte.
struct Place {
  ir::ValueId ptr;
  ir::ValueId byte;
};

// A row, or some columns of one. An f32 row is `columns` floats at `place`. A quantised row is a record (docs/ir.md):
// the record begins at `place` and has `record_columns` columns, and the first of these columns begins the record's
// block `first_block` (an index value; invalid: 0).
struct Row {
  Place place;
  int64_t columns = 0;
  ir::Scalar scalar = ir::Scalar::kF32;
  int64_t pack = 0;
  int64_t record_columns = 0;
  ir::ValueId first_block;
};

// Offsets in a quantised record. pack 2: i16 elements; pack 4: i8 elements, and one compensation per block.
int64_t RecordScaleOffset(int64_t columns, int64_t pack);
int64_t RecordCompensationOffset(int64_t columns, int64_t pack);
// Bytes from one row to the next of an activation with `columns` columns. `dense`: f32 rows without padding.
int64_t RowStride(ir::Scalar scalar, int64_t columns, int64_t pack, bool dense = false);

// Bytes per key slot of the panels that `op` (key_panels or value_panels) makes of `columns` columns, all kv heads
// together.
int64_t PanelSlotBytes(const ir::Op& op, int64_t columns);

// Inputs of row-wise ops that are not in the row's data.
struct RowContext {
  ir::ValueId position;  // of the token in its sequence (index); needed by rope_table
  ir::ValueId key_slot;  // of the token in the batch (index); needed by key_panels and value_panels
  ir::ValueId head;      // of the first column (index; invalid: 0); for key_panels and value_panels
  int64_t kv_heads = 0;  // needed by key_panels and value_panels
  ir::ValueId integers;  // scratch for the i16 elements of a head; needed by panels for 16-bit dots
};

class RowEmitter {
 public:
  explicit RowEmitter(ir::Builder& builder) : b_(builder) {}

  // Emits a tensor op on one row. `inputs` are its operands in order, weights (gains, tables) included.
  void Emit(const ir::Op& op, const std::vector<Row>& inputs, const Row& output, const RowContext& context);

  void Copy(const Row& from, const Row& to);
  void Fill(const Row& to, double value);
  void AddTo(const Row& sum, const Row& x);
  void Scale(const Row& x, ir::ValueId factor, const Row& to);  // factor: f32
  // Quantises the row of a head to i16 at `to`, for exact dots (docs/ir.md), and returns the scale, an f32.
  // `bound_norm`: the scale bounds the norm of each block too, not only the magnitude of each element.
  ir::ValueId QuantizeHead(const Row& x, bool bound_norm, const Place& to);

  // Emits `body` for each chunk of 16 floats of a row. Its arguments are the chunk's byte offset and its lanes, 0 for
  // all.
  void ForChunks(int64_t columns, const std::function<void(ir::ValueId, int64_t)>& body);

 private:
  ir::ValueId LoadChunk(const Row& row, ir::ValueId byte, int64_t lanes);
  void StoreChunk(ir::ValueId value, const Row& row, ir::ValueId byte, int64_t lanes);
  // Sums over a row: `term` takes the running sum and returns it with a chunk added. The result is an f32.
  ir::ValueId Sum(int64_t columns,
                  const std::function<ir::ValueId(ir::ValueId byte, int64_t lanes, ir::ValueId sum)>& term);
  Row Columns(const Row& row, int64_t first, int64_t count);
  ir::ValueId NanUnlessFinite(ir::ValueId x, ir::ValueId condition);
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
