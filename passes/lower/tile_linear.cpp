// Kernels around a linear. Rows are computed in row blocks of TargetInfo::row_block rows. The prologue writes the
// activations of a row block to scratch. Then every column unit of the item is computed for the whole row block, panel
// by panel, so that a panel is read once per row block. The epilogue finishes the rows of a unit while they are in
// cache.
//
// The R rows of a row block are split evenly into n register tiles (11 rows are 6 + 5, not 6 + 5 x 1): tile i covers
// rows [i R / n, (i + 1) R / n). A switch picks the micro-kernel of the tile's height.
#include "passes/lower/tile_kernel.h"
#include "passes/lower/tile_math.h"
#include "passes/lower/tile_micro.h"
#include "support/check.h"

namespace ggufc::passes {

using ir::Attr;
using ir::OpKind;
using ir::Scalar;
using ir::Type;
using ir::ValueId;

namespace {}  // namespace

// Columns of the linear's result, and the chain of epilogue ops that works on them.
struct KernelTiler::Range {
  int64_t first_unit = 0;
  int64_t columns = 0;        // of the values that the chain computes
  int64_t stride = 0;         // the same per unit; the last unit may have fewer
  std::vector<ir::OpId> ops;  // in order; a chain on some of the columns begins with a slice or deinterleave
};

// One range for the whole result if an op reads it or the kernel returns it, one per slice, and one for all ways of the
// deinterleaves together.
std::vector<KernelTiler::Range> KernelTiler::Ranges() const {
  const ir::Op& linear = kernel_.op(shape_.anchor);
  const int64_t unit = linear.Int(Attr::kUnit);
  std::map<ValueId, size_t> range_of;
  std::vector<Range> ranges;
  constexpr size_t kNone = SIZE_MAX;
  size_t whole = kNone, ways = kNone;
  const auto open = [&](int64_t first, int64_t columns, int64_t stride) {
    ranges.push_back({first / unit, columns, stride, {}});
    return ranges.size() - 1;
  };
  const auto open_whole = [&] {
    if (whole == kNone) whole = open(0, kernel_.type(linear.results[0]).columns(), unit);
    return whole;
  };
  if (IsResult(linear.results[0])) open_whole();
  for (const ir::OpId id : shape_.epilogue) {
    const ir::Op& op = kernel_.op(id);
    size_t range = kNone;
    if (op.kind == OpKind::kSlice) {
      range = open(op.Int(Attr::kOffset), op.Int(Attr::kSize), unit);
    } else if (op.kind == OpKind::kDeinterleave) {
      if (ways == kNone) ways = open(0, op.Int(Attr::kSize), op.Int(Attr::kGranule));
      range = ways;
    } else {
      for (const ValueId operand : op.operands) {
        if (operand == linear.results[0]) range = open_whole();
        if (const auto it = range_of.find(operand); it != range_of.end()) range = it->second;
      }
    }
    CHECK(range != kNone, "kernel @{}: epilogue op {} has no operand derived from the linear", kernel_.name,
          ir::Info(op.kind).name);
    ranges[range].ops.push_back(id);
    range_of[op.results[0]] = range;
  }
  return ranges;
}

Status KernelTiler::Linear() {
  const ir::Op& linear = kernel_.op(shape_.anchor);
  const ValueId x = linear.operands[0];
  const Type& x_type = kernel_.type(x);
  const int64_t pack = linear.Int(Attr::kPack), unit = linear.Int(Attr::kUnit);
  if (pack == 0 || unit == 0)
    return Err("kernel @{}: linear has no layout; run assign-layouts first", kernel_.name);
  if (ir::IsActivationQuant(x_type.scalar) != (kernel_.type(linear.operands[1]).scalar == Scalar::kQ8_0)) {
    return Err("kernel @{}: a linear cannot multiply {} activations by {} weights", kernel_.name,
               ir::Name(x_type.scalar), ir::Name(kernel_.type(linear.operands[1]).scalar));
  }
  const bool from_prologue = kernel_.value(x).def == ir::Value::Def::kResult;
  const int64_t row_block = context_.target.row_block;
  const int64_t a_stride = RowStride(x_type.scalar, x_type.columns(), PackOf(x_type));
  const ValueId packed = from_prologue ? Scratch(row_block * a_stride, "acts") : ValueId();

  b_->For(r0_, r1_, row_block, [&](ValueId b0) {
    const ValueId b1 = b_->Min(b_->Add(b0, b_->Index(row_block)), r1_);
    if (!shape_.prologue.empty()) {
      b_->For(b0, b1, 1, [&](ValueId row) {
        Row to;
        if (from_prologue) {
          const ValueId byte = b_->Mul(b_->Sub(row, b0), b_->Index(a_stride));
          to = {{packed, byte}, x_type.columns(), x_type.scalar, PackOf(x_type), x_type.columns(), {}};
        }
        Rows rows;
        EmitPrologueRow(row, from_prologue ? x : ValueId(), to, rows);
      });
    }
    const ValueId a = from_prologue ? packed : b_->PtrAdd(pointer_.at(x), b_->Mul(b0, b_->Index(a_stride)));
    for (const Range& range : Ranges()) {
      const int64_t whole = range.columns / range.stride, rest = range.columns % range.stride;
      const auto emit_units = [&](int64_t lo, int64_t hi, int64_t columns) {
        b_->For(b_->Max(c0_, b_->Index(lo)), b_->Min(c1_, b_->Index(hi)), 1,
                [&](ValueId u) { EmitUnit(range, u, columns, b0, b1, a, a_stride); });
      };
      if (whole > 0) emit_units(range.first_unit, range.first_unit + whole, range.stride);
      if (rest > 0) emit_units(range.first_unit + whole, range.first_unit + whole + 1, rest);
    }
  });
  return {};
}

void KernelTiler::Tiles(int64_t height, ValueId rows, ValueId a, int64_t a_stride, ValueId w, ValueId out,
                        int64_t out_stride, const std::function<ir::FunctionId(int)>& micro,
                        const ValueId& last_argument) {
  const ValueId tiles = b_->Div(b_->Add(rows, b_->Index(height - 1)), b_->Index(height));
  b_->For(b_->Index(0), tiles, 1, [&](ValueId i) {
    const ValueId first = b_->Div(b_->Mul(i, rows), tiles);
    const ValueId end = b_->Div(b_->Mul(b_->Add(i, b_->Index(1)), rows), tiles);
    std::vector<ValueId> arguments = {b_->PtrAdd(a, b_->Mul(first, b_->Index(a_stride))), w,
                                      b_->PtrAdd(out, b_->Mul(first, b_->Index(out_stride))),
                                      b_->Index(out_stride)};
    arguments.push_back(last_argument.valid() ? last_argument : i);
    const ValueId tile_rows = b_->Sub(end, first);
    b_->Switch(tile_rows, height,
               [&](int64_t which) { b_->EmitCall(micro(static_cast<int>(which)), arguments); });
  });
}

// One q8_0 panel for all rows of the row block.
void KernelTiler::EmitIntegerPanel(ValueId rows, ValueId a, int64_t a_stride, ValueId w, ValueId out,
                                   int64_t out_stride) {
  const ir::Op& linear = kernel_.op(shape_.anchor);
  const Type& x_type = kernel_.type(linear.operands[0]);
  IntegerTile tile{1, x_type.columns(), x_type.scalar, linear.Int(Attr::kPack)};
  Tiles(context_.target.Rows(x_type.scalar), rows, a, a_stride, w, out, out_stride,
        [&](int height) {
          tile.rows = height;
          return IntegerMicroKernel(module_, context_.target, tile);
        },
        {});
}

// Column unit number `u` for the rows [b0, b1): its panels, then the epilogue of `range` on `width` columns.
void KernelTiler::EmitUnit(const Range& range, ValueId u, int64_t width, ValueId b0, ValueId b1, ValueId a,
                           int64_t a_stride) {
  const ir::Op& linear = kernel_.op(shape_.anchor);
  const Type& x_type = kernel_.type(linear.operands[0]);
  const Scalar weight = kernel_.type(linear.operands[1]).scalar;
  const int64_t unit = linear.Int(Attr::kUnit), k = x_type.columns();
  const int64_t panels = RoundUp(unit, kPanelColumns) / kPanelColumns;
  const int64_t panel_bytes = PanelBytes(weight, k);
  const ValueId rows = b_->Sub(b1, b0);

  // Without other ops in the epilogue, micro-kernels write whole panels straight to the result. The exception is a
  // target whose micro-kernels add to their output block by block: they write to scratch, which stays in L1, and it is
  // copied.
  ValueId direct;
  if (range.ops.empty()) direct = linear.results[0];
  if (range.ops.size() == 1 && kernel_.op(range.ops[0]).kind == OpKind::kSlice) {
    direct = kernel_.op(range.ops[0]).results[0];
  }
  const bool adds_to_output = weight == Scalar::kQ8_0 && !context_.target.sums_in_registers;
  // All panels of a unit are computed. The result of a slice that ends inside the unit has no room for all of them,
  // unless the linear ends there too.
  const int64_t columns = kernel_.type(linear.operands[1]).dims[0].size;
  const bool cut = width < unit && range.first_unit * unit + range.columns < columns;
  if (direct.valid() && (adds_to_output || cut || !IsResult(direct) || unit % kPanelColumns != 0 ||
                         MemoryOf(direct).stride % (kPanelColumns * kFloat) != 0)) {
    direct = {};
  }
  const int64_t out_stride = direct.valid() ? MemoryOf(direct).stride : panels * kPanelColumns * kFloat;
  ValueId out;
  if (direct.valid()) {
    const ValueId column = b_->Mul(b_->Sub(u, b_->Index(range.first_unit)), b_->Index(unit * kFloat));
    out = b_->PtrAdd(MemoryOf(direct).ptr, b_->Add(b_->Mul(b0, b_->Index(out_stride)), column));
  } else {
    out = ScratchRow(linear.results[0],
                     Type::Tensor(Scalar::kF32, panels * kPanelColumns * context_.target.row_block))
              .place.ptr;
  }

  // Each unit begins a new panel. The last unit may have fewer panels.
  const int64_t last_panels = RoundUp(columns % unit, kPanelColumns) / kPanelColumns;  // 0: all are whole
  ValueId unit_panels = b_->Index(panels);
  if (last_panels != 0 && last_panels != panels) {
    const int64_t all = columns / unit * panels + last_panels;
    unit_panels = b_->Min(unit_panels, b_->Sub(b_->Index(all), b_->Mul(u, b_->Index(panels))));
  }
  b_->For(b_->Index(0), unit_panels, 1, [&](ValueId p) {
    const ValueId index = b_->Add(b_->Mul(u, b_->Index(panels)), p);
    const ValueId w = b_->PtrAdd(pointer_.at(linear.operands[1]), b_->Mul(index, b_->Index(panel_bytes)));
    const ValueId panel_out = b_->PtrAdd(out, b_->Mul(p, b_->Index(kPanelColumns * kFloat)));
    if (weight == Scalar::kQ8_0) {
      EmitIntegerPanel(rows, a, a_stride, w, panel_out, out_stride);
    } else {
      const int64_t w_stride = kPanelColumns * (weight == Scalar::kF32 ? 4 : 2);
      Tiles(
          context_.target.Rows(x_type.scalar), rows, a, a_stride, w, panel_out, out_stride,
          [&](int height) { return FloatMicroKernel(module_, {height, weight, a_stride, w_stride, 0}); },
          b_->Index(k));
    }
  });
  if (direct.valid()) return;

  b_->For(b0, b1, 1, [&](ValueId row) {
    const ValueId byte = b_->Mul(b_->Sub(row, b0), b_->Index(out_stride));
    EmitEpilogueRow(range, row, b_->Sub(u, b_->Index(range.first_unit)), width,
                    {{out, byte}, unit, Scalar::kF32, 0, 0, {}});
  });
}

// `unit` counts from the range's first unit. `width` is less than the range's stride in a narrow last unit.
void KernelTiler::EmitEpilogueRow(const Range& range, ValueId token, ValueId unit, int64_t width,
                                  const Row& tile_row) {
  const ir::Op& linear = kernel_.op(shape_.anchor);
  RowContext context = ContextOf(token);
  Rows rows;
  Row whole = tile_row;
  whole.columns = width;
  rows[linear.results[0]] = whole;

  // The place of the unit's columns of a value that the kernel returns.
  const auto result_row = [&](ValueId value) {
    const Memory memory = MemoryOf(value);
    Row row = RowAt(memory, token);
    row.columns = width;
    if (ir::IsActivationQuant(memory.type.scalar)) {
      row.first_block = b_->Mul(unit, b_->Index(range.stride / ir::kQuantBlock));
    } else {
      row.place.byte = b_->Add(row.place.byte, b_->Mul(unit, b_->Index(range.stride * kFloat)));
    }
    return row;
  };

  for (const ir::OpId id : range.ops) {
    const ir::Op& op = kernel_.op(id);
    const ValueId result = op.results[0];
    if (op.kind == OpKind::kSlice || op.kind == OpKind::kDeinterleave) {
      // A view of the tile.
      Row view = tile_row;
      view.columns = width;
      if (op.kind == OpKind::kDeinterleave) {
        const int64_t first = op.Int(Attr::kWay) * op.Int(Attr::kGranule);
        view.place.byte = b_->Add(view.place.byte, b_->Index(first * kFloat));
      }
      rows[result] = view;
      if (IsResult(result)) emit_->Copy(view, result_row(result));
      continue;
    }
    std::vector<Row> inputs;
    for (const ValueId operand : op.operands) inputs.push_back(RowOf(operand, token, rows));
    Row to;
    if (IsPanels(op)) {
      to = RowAt(MemoryOf(result), token);
      to.place.byte = b_->Index(0);  // addressed by key slot, not by row
      context.head = b_->Mul(unit, b_->Index(range.stride / op.Int(Attr::kHeadDim)));
      context.kv_heads = kernel_.type(result).columns() / op.Int(Attr::kHeadDim);
    } else if (IsResult(result)) {
      to = result_row(result);
    } else {
      to = ScratchRow(result, Type::Tensor(Scalar::kF32, width));
      to.columns = width;
    }
    emit_->Emit(op, inputs, to, context);
    rows[result] = to;
  }
  const bool of_part = !range.ops.empty() && (kernel_.op(range.ops[0]).kind == OpKind::kSlice ||
                                              kernel_.op(range.ops[0]).kind == OpKind::kDeinterleave);
  if (!of_part && IsResult(linear.results[0])) emit_->Copy(whole, result_row(linear.results[0]));
}

}  // namespace ggufc::passes
