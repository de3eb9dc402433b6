// Lowers one kernel from tensor ops to loops. Holds the loop-stage function under construction and the place of each
// tensor of the kernel in memory. tile_kernel.cpp lowers row-wise kernels, embed and mean_pool; tile_linear.cpp,
// tile_attention.cpp and tile_integer_attention.cpp lower the kernels around the other anchors.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ir/core/builder.h"
#include "passes/kernel/kernel_shape.h"
#include "passes/lower/tile_rows.h"
#include "passes/pass.h"

namespace ggufc::passes {

// A table of the batch that a kernel may read.
using Table = ir::BatchTable;

// A tensor in memory.
struct Memory {
  ir::ValueId ptr;
  ir::Type type;
  int64_t pack = 0;    // of quantised activations
  int64_t stride = 0;  // bytes from one row to the next
};

class KernelTiler {
 public:
  // `dense_result`: the kernel's last result is the model's output, whose rows have no padding.
  KernelTiler(ir::Module& out, const ir::Function& kernel, const PassContext& context, bool dense_result,
              const std::string& name);

  // Builds the function. Its parameters are the kernel's tensors, its results, tables(), and the five of every kernel.
  Result<ir::FunctionId> Run();
  const std::vector<Table>& tables() const { return tables_; }

 private:
  using Rows = std::map<ir::ValueId, Row>;  // the place of each tensor of the kernel, for the current row

  Status CheckTileable() const;  // fails if CheckKernel does, or if an earlier pass has not run
  void RowWise();
  void Embed();
  void MeanPool();
  Status Linear();          // tile_linear.cpp
  void Attention();         // tile_attention.cpp
  void IntegerAttention();  // tile_integer_attention.cpp

  // ---- attention ----
  // Queries [q0, q0 + queries) of a sequence, and the keys [lo, lo + key_count), all that the queries attend to. `lo`
  // is rounded down to a multiple of `align`. All are indices; first_token and first_slot are the sequence's.
  struct QueryTile {
    ir::ValueId first_token, length, first_slot, q0, queries, lo, key_count;
  };
  QueryTile LoadQueryTile(ir::ValueId index, int64_t window, int64_t align);
  // The first and last key that a query attends to, counted from the tile's lo, each in 16 lanes.
  struct Window {
    ir::ValueId first, last;
  };
  Window WindowOf(const QueryTile& tile, ir::ValueId query, int64_t half, bool bounded);
  // Which of the 16 keys of panel number `panel` of the tile are in the window: i1x16.
  ir::ValueId VisibleKeys(const Window& window, ir::ValueId panel);

  ir::ValueId TablePtr(Table table) const;
  // The 32-bit field at byte `field` of an entry, as an index.
  ir::ValueId LoadTable(Table table, ir::ValueId entry, int64_t entry_bytes, int64_t field = 0);
  // Adds the scratch op at the function's entry, wherever the builder is.
  ir::ValueId Scratch(int64_t bytes, const std::string& name);

  int64_t PackOf(const ir::Type& type) const;
  Memory MemoryOf(ir::ValueId tensor) const;         // of a parameter or result
  Row RowAt(const Memory& memory, ir::ValueId row);  // row: an index
  Row WeightRow(ir::ValueId weight);                 // gains and tables: from the first byte on
  Row ScratchRow(ir::ValueId value, const ir::Type& type);
  RowContext ContextOf(ir::ValueId token);
  bool HasOp(ir::OpKind kind) const;
  bool IsResult(ir::ValueId value) const { return uses_[value.index].returned; }
  // The row `token` of `value`: an entry of `rows`, a weight, or the row of a parameter.
  Row RowOf(ir::ValueId value, ir::ValueId token, Rows& rows);
  // Emits the prologue for one row. Results that the kernel returns are written only by the items of column unit 0. The
  // result `last` goes to `last_row` instead of scratch.
  void EmitPrologueRow(ir::ValueId token, ir::ValueId last, const Row& last_row, Rows& rows);

  // ---- linear ----
  struct Range;
  std::vector<Range> Ranges() const;
  void EmitUnit(const Range& range, ir::ValueId unit, int64_t width, ir::ValueId b0, ir::ValueId b1,
                ir::ValueId a, int64_t a_stride);
  void EmitEpilogueRow(const Range& range, ir::ValueId token, ir::ValueId unit, int64_t width,
                       const Row& tile_row);
  void EmitIntegerPanel(ir::ValueId rows, ir::ValueId a, int64_t a_stride, ir::ValueId w, ir::ValueId out,
                        int64_t out_stride);
  // Divides `rows` rows (an index) at `a` into register tiles of at most `height` rows and calls the micro-kernel of
  // each tile's height. The call's last argument is `last_argument`, or the number of the tile if that is invalid.
  void Tiles(int64_t height, ir::ValueId rows, ir::ValueId a, int64_t a_stride, ir::ValueId w,
             ir::ValueId out, int64_t out_stride, const std::function<ir::FunctionId(int)>& micro,
             const ir::ValueId& last_argument);

  ir::Module& module_;
  const ir::Function& kernel_;
  const PassContext& context_;
  const bool dense_result_;
  const KernelShape shape_;
  const std::vector<ValueReads> uses_;
  ir::FunctionId function_;
  std::vector<Table> tables_;
  std::map<ir::ValueId, ir::ValueId> pointer_;  // the kernel's parameters and results -> ptr parameters
  std::map<Table, ir::ValueId> table_ptr_;
  std::map<ir::ValueId, Row> scratch_rows_;
  ir::ValueId integers_;  // scratch for the i16 elements of a head
  ir::ValueId r0_, r1_, c0_, c1_;
  std::unique_ptr<ir::Builder> b_;
  std::unique_ptr<RowEmitter> emit_;
};

}  // namespace ggufc::passes
