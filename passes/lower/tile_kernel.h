// One kernel on its way from tensor ops to loops: the loop-stage function under construction, where each tensor of the
// kernel lies, and the ways to lower each kind of kernel (tile_kernel.cpp: row-wise kinds; tile_linear.cpp;
// tile_attention.cpp).
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

// The tables a kernel may read beside its tensors (support/batch_tables.h), in the order of `forward`'s parameters.
enum class Table : uint8_t { kIds, kPositions, kKeySlots, kSequences, kQueryTiles };
inline constexpr int kTableCount = 5;

// A tensor in memory: rows of `stride` bytes.
struct Memory {
  ir::ValueId ptr;
  ir::Type type;
  int64_t pack = 0;    // of quantised activations
  int64_t stride = 0;  // bytes
};

class KernelTiler {
 public:
  // `dense_result`: the kernel's last result is the model's output, rows without padding.
  KernelTiler(ir::Module& out, const ir::Function& kernel, const PassContext& context, bool dense_result,
              const std::string& name);

  // Builds the function: parameters are the kernel's tensors, its results, tables(), and the five every kernel has.
  Result<ir::FunctionId> Run();
  const std::vector<Table>& tables() const { return tables_; }

 private:
  using Rows = std::map<ir::ValueId, Row>;  // the place of each tensor of the kernel, for the row at hand

  Status CheckTileable() const;  // the parts fit together, and the passes before this one have run
  void RowWise();
  void Embed();
  void MeanPool();
  Status Linear();          // tile_linear.cpp
  void Attention();         // tile_attention.cpp
  void IntegerAttention();  // tile_integer_attention.cpp

  // ---- attention ----
  // Queries [q0, q0 + queries) of a sequence, and the keys [lo, lo + key_count) that some of them see; lo moves back to a
  // multiple of `align`. All are indices; first_token and first_slot are the sequence's.
  struct QueryTile {
    ir::ValueId first_token, length, first_slot, q0, queries, lo, key_count;
  };
  QueryTile LoadQueryTile(ir::ValueId index, int64_t window, int64_t align);
  // The keys that a query sees, first to last, counted from the tile's lo: in 16 lanes.
  struct Window {
    ir::ValueId first, last;
  };
  Window WindowOf(const QueryTile& tile, ir::ValueId query, int64_t half, bool bounded);
  // Which of the 16 keys of the tile's panel number `panel` are in the window.
  ir::ValueId Sees(const Window& window, ir::ValueId panel);

  ir::ValueId TablePtr(Table table) const;
  // The 32-bit field at `field` bytes of an entry, as an index.
  ir::ValueId LoadTable(Table table, ir::ValueId entry, int64_t entry_bytes, int64_t field = 0);
  // Scratch is allocated at the function's entry, wherever the builder is.
  ir::ValueId Scratch(int64_t bytes, const std::string& name);

  int64_t PackOf(const ir::Type& type) const;
  Memory MemoryOf(ir::ValueId tensor) const;         // of a parameter or result
  Row RowAt(const Memory& memory, ir::ValueId row);  // row: an index
  Row WeightRow(ir::ValueId weight);                 // gains and tables: the whole of it
  Row ScratchRow(ir::ValueId value, const ir::Type& type);
  RowContext ContextOf(ir::ValueId token);
  bool Has(ir::OpKind kind) const;
  bool IsResult(ir::ValueId value) const { return uses_[value.index].returned; }
  // Where `value` of row `token` is: known, or a parameter's row.
  Row Find(ir::ValueId value, ir::ValueId token, Rows& rows);
  // Runs the prologue for one row. Results that the kernel returns are written by the items of column unit 0 only.
  // The result `last` goes to `last_row` instead of scratch of its own.
  void PrologueRow(ir::ValueId token, ir::ValueId last, const Row& last_row, Rows& rows);

  // ---- linear ----
  struct Range;
  std::vector<Range> Ranges() const;
  void Unit(const Range& range, ir::ValueId unit, int64_t width, ir::ValueId b0, ir::ValueId b1,
            ir::ValueId a, int64_t a_stride);
  void EpilogueRow(const Range& range, ir::ValueId token, ir::ValueId unit, int64_t width,
                   const Row& tile_row);
  void IntegerPanel(ir::ValueId rows, ir::ValueId a, int64_t a_stride, ir::ValueId w, ir::ValueId out,
                    int64_t out_stride);
  // Calls the micro-kernel of the right height, 1 to `height`, for each register tile of `rows` rows (an index) at `a`.
  // Its last argument is `last_argument`, or the tile's number where that is invalid.
  void Tiles(int64_t height, ir::ValueId rows, ir::ValueId a, int64_t a_stride, ir::ValueId w,
             ir::ValueId out, int64_t out_stride, const std::function<ir::FunctionId(int)>& micro,
             const ir::ValueId& last_argument);

  ir::Module& module_;
  const ir::Function& kernel_;
  const PassContext& context_;
  const bool dense_result_;
  const KernelShape shape_;
  const std::vector<ValueUses> uses_;
  ir::FunctionId function_;
  std::vector<Table> tables_;
  std::map<ir::ValueId, ir::ValueId> pointer_;  // the kernel's parameters and results -> ptr parameters
  std::map<Table, ir::ValueId> table_ptr_;
  std::map<ir::ValueId, Row> scratch_rows_;
  ir::ValueId integers_;  // scratch for a head's i16 elements
  ir::ValueId r0_, r1_, c0_, c1_;
  std::unique_ptr<ir::Builder> b_;
  std::unique_ptr<RowEmitter> emit_;
};

}  // namespace ggufc::passes
