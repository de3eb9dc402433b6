#include "passes/lower/tile_kernel.h"

#include <algorithm>

#include "passes/kernel/check_kernel.h"
#include "passes/lower/tile_math.h"

namespace ggufc::passes {

using ir::Attr;
using ir::OpKind;
using ir::Scalar;
using ir::Type;
using ir::ValueId;

KernelTiler::KernelTiler(ir::Module& out, const ir::Function& kernel, const PassContext& context,
                         bool dense_result, const std::string& name)
    : module_(out),
      kernel_(kernel),
      context_(context),
      dense_result_(dense_result),
      shape_(ShapeOf(kernel)),
      uses_(CountReads(kernel)) {
  const auto use = [&](Table table, bool needed) {
    if (needed) tables_.push_back(table);
  };
  use(Table::kIds, HasOp(OpKind::kEmbed));
  use(Table::kPositions, HasOp(OpKind::kRopeTable));
  use(Table::kKeySlots, HasOp(OpKind::kKeyPanels) || HasOp(OpKind::kValuePanels));
  use(Table::kSequences, HasOp(OpKind::kMeanPool));
  use(Table::kQueryTiles, HasOp(OpKind::kAttention));

  ir::Function function;
  function.name = name;
  function.kind = ir::Function::Kind::kKernel;
  function.domain = kernel.domain;
  for (const ValueId param : kernel.params) pointer_[param] = function.AddParam(ir::PtrType(), "in");
  for (const ValueId result : kernel.op(kernel.block(kernel.body).ops.back()).operands) {
    pointer_[result] = function.AddParam(ir::PtrType(), "out");
  }
  for (const Table table : tables_) {
    table_ptr_[table] = function.AddParam(ir::PtrType(), ir::Name(table));
  }
  const ir::ItemParams item = ir::AddItemParams(function);
  r0_ = item.r0;
  r1_ = item.r1;
  c0_ = item.c0;
  c1_ = item.c1;
  function_ = module_.AddFunction(std::move(function));
  b_ = std::make_unique<ir::Builder>(module_, function_);
  emit_ = std::make_unique<RowEmitter>(*b_);
}

Status KernelTiler::CheckTileable() const {
  RETURN_IF_ERROR(CheckKernel(kernel_));
  if (HasOp(OpKind::kRope)) return Err("kernel @{}: rope has no table; run rope-tables first", kernel_.name);
  if (!shape_.anchor.valid()) return {};
  const ir::Op& anchor = kernel_.op(shape_.anchor);
  if (anchor.kind == OpKind::kAttention && anchor.Int(Attr::kLayout) != 1) {
    return Err("kernel @{}: attention reads keys that are not in panels; run assign-layouts first",
               kernel_.name);
  }
  if (anchor.kind == OpKind::kLinear && anchor.Int(Attr::kUnit) != 0) {
    return CheckUnit(kernel_, shape_, anchor.Int(Attr::kUnit));
  }
  return {};
}

Result<ir::FunctionId> KernelTiler::Run() {
  RETURN_IF_ERROR(CheckTileable());
  const OpKind anchor = shape_.anchor.valid() ? kernel_.op(shape_.anchor).kind : OpKind::kReturn;
  switch (anchor) {
    case OpKind::kEmbed:
      Embed();
      break;
    case OpKind::kLinear:
      RETURN_IF_ERROR(Linear());
      break;
    case OpKind::kAttention:
      if (kernel_.op(shape_.anchor).Int(Attr::kDots) == 0) {
        Attention();
      } else {
        IntegerAttention();
      }
      break;
    case OpKind::kMeanPool:
      MeanPool();
      break;
    default:
      RowWise();
  }
  b_->Return({});
  return function_;
}

bool KernelTiler::HasOp(OpKind kind) const {
  const auto& ops = kernel_.block(kernel_.body).ops;
  return std::any_of(ops.begin(), ops.end(), [&](ir::OpId id) { return kernel_.op(id).kind == kind; });
}

ValueId KernelTiler::TablePtr(Table table) const { return table_ptr_.at(table); }

ValueId KernelTiler::LoadTable(Table table, ValueId entry, int64_t entry_bytes, int64_t field) {
  const ValueId byte = b_->Add(b_->Mul(entry, b_->Index(entry_bytes)), b_->Index(field));
  return b_->Convert(b_->Load(ir::I32Type(), TablePtr(table), byte), ir::IndexType());
}

ValueId KernelTiler::Scratch(int64_t bytes, const std::string& name) {
  ir::Function& function = module_.function(function_);
  const ValueId result = function.AddValue(ir::PtrType(), ir::Value::Def::kResult, name);
  ir::Op op{.kind = OpKind::kScratch,
            .operands = {},
            .results = {result},
            .attrs = {},
            .regions = {},
            .callee = {}};
  op.Set(ir::AttrValue::Int(Attr::kBytes, RoundUp(bytes, 64)));
  const ir::OpId id = function.AddOp(std::move(op));
  auto& entry = function.block(function.body).ops;
  entry.insert(entry.begin(), id);
  return result;
}

int64_t KernelTiler::PackOf(const Type& type) const {
  return ir::IsActivationQuant(type.scalar) ? context_.target.Pack(type.scalar) : 0;
}

Memory KernelTiler::MemoryOf(ValueId tensor) const {
  const Type& type = kernel_.type(tensor);
  const ValueId last = kernel_.op(kernel_.block(kernel_.body).ops.back()).operands.back();
  const bool dense = dense_result_ && tensor == last;
  return {pointer_.at(tensor), type, PackOf(type),
          RowStride(type.scalar, type.columns(), PackOf(type), dense)};
}

Row KernelTiler::RowAt(const Memory& memory, ValueId row) {
  const ValueId byte = b_->Mul(row, b_->Index(memory.stride));
  return {{memory.ptr, byte}, memory.type.columns(), memory.type.scalar,
          memory.pack,        memory.type.columns(), {}};
}

Row KernelTiler::WeightRow(ValueId weight) {
  const Type& type = kernel_.type(weight);
  return {{pointer_.at(weight), b_->Index(0)}, type.columns(), type.scalar, 0, 0, {}};
}

Row KernelTiler::ScratchRow(ValueId value, const Type& type) {
  auto it = scratch_rows_.find(value);
  if (it == scratch_rows_.end()) {
    const int64_t pack = PackOf(type);
    const ValueId ptr = Scratch(RowStride(type.scalar, type.columns(), pack), "row");
    const Row row{{ptr, {}}, type.columns(), type.scalar, pack, type.columns(), {}};
    it = scratch_rows_.emplace(value, row).first;
  }
  Row row = it->second;
  row.place.byte = b_->Index(0);
  return row;
}

RowContext KernelTiler::ContextOf(ValueId token) {
  RowContext context;
  if (HasOp(OpKind::kRopeTable)) context.position = LoadTable(Table::kPositions, token, 4);
  int64_t integers = 0;  // elements of the largest head
  for (const ir::OpId id : kernel_.block(kernel_.body).ops) {
    const ir::Op& op = kernel_.op(id);
    if (!IsPanels(op)) continue;
    if (!context.key_slot.valid()) context.key_slot = LoadTable(Table::kKeySlots, token, 4);
    if (op.Int(Attr::kDots) != 0) integers = std::max(integers, op.Int(Attr::kHeadDim));
  }
  if (integers > 0 && !integers_.valid()) integers_ = Scratch(integers * 2, "integers");
  context.integers = integers_;
  return context;
}

Row KernelTiler::RowOf(ValueId value, ValueId token, Rows& rows) {
  if (const auto it = rows.find(value); it != rows.end()) return it->second;
  const bool weight =
      kernel_.type(value).rank == 1 || kernel_.type(value).dims[0].symbol == ir::Symbol::kNone;
  const Row row = weight ? WeightRow(value) : RowAt(MemoryOf(value), token);
  rows.emplace(value, row);
  return row;
}

void KernelTiler::EmitPrologueRow(ValueId token, ValueId last, const Row& last_row, Rows& rows) {
  RowContext context = ContextOf(token);
  const bool split = kernel_.domain.cols > 1;
  for (const ir::OpId id : shape_.prologue) {
    const ir::Op& op = kernel_.op(id);
    const ValueId result = op.results[0];
    std::vector<Row> inputs;
    for (const ValueId operand : op.operands) inputs.push_back(RowOf(operand, token, rows));
    Row to;
    bool copy_out = false;
    if (result == last) {
      to = last_row;
      copy_out = IsResult(result);
    } else if (IsResult(result) && !split) {
      to = RowAt(MemoryOf(result), token);
    } else {
      to = ScratchRow(result, kernel_.type(result));
      copy_out = IsResult(result);
    }
    if (IsPanels(op)) {
      to.place.byte = b_->Index(0);  // addressed by key slot, not by row
      context.kv_heads = kernel_.type(result).columns() / op.Int(Attr::kHeadDim);
    }
    emit_->Emit(op, inputs, to, context);
    rows[result] = to;
    if (copy_out) {
      const ValueId first = b_->Emit(OpKind::kCmpEq, {c0_, b_->Index(0)});
      b_->If(first, [&] { emit_->Copy(to, RowAt(MemoryOf(result), token)); });
    }
  }
}

void KernelTiler::RowWise() {
  b_->For(r0_, r1_, 1, [&](ValueId row) {
    Rows rows;
    EmitPrologueRow(row, {}, {}, rows);
  });
}

void KernelTiler::Embed() {
  const ir::Op& op = kernel_.op(shape_.anchor);
  const Memory out = MemoryOf(op.results[0]);
  const ValueId table = pointer_.at(op.operands[1]);
  const Type& type = kernel_.type(op.operands[1]);
  const int64_t columns = type.columns();
  const ValueId factor = b_->F32V(op.Float(Attr::kScale));
  b_->For(r0_, r1_, 1, [&](ValueId row) {
    const ValueId id = LoadTable(Table::kIds, row, 4);
    const Row to = RowAt(out, row);
    const auto store = [&](ValueId value, ValueId byte, int64_t lanes) {
      b_->Store(b_->Mul(value, factor), to.place.ptr, b_->Add(to.place.byte, byte), lanes);
    };
    if (type.scalar == Scalar::kQ8_0) {
      // A block of ggml's q8_0: an f16 scale, then 32 int8.
      constexpr int64_t kBlock = 2 + ir::kQuantBlock;
      const ValueId from = b_->Mul(id, b_->Index(columns / ir::kQuantBlock * kBlock));
      b_->For(b_->Index(0), b_->Index(columns / ir::kQuantBlock), 1, [&](ValueId block) {
        const ValueId at = b_->Add(from, b_->Mul(block, b_->Index(kBlock)));
        const ValueId half = b_->Load(Type::MakeScalar(Scalar::kF16), table, at);
        const ValueId scale = b_->Splat(b_->Convert(half, ir::F32Type()));
        const ValueId first = b_->Mul(block, b_->Index(ir::kQuantBlock * kFloat));
        for (int64_t part = 0; part < ir::kQuantBlock; part += ir::kLanes) {
          const ValueId bytes =
              b_->Load(Type::Vector(Scalar::kI8, ir::kLanes), table, b_->Add(at, b_->Index(2 + part)));
          const ValueId q = b_->Convert(b_->Convert(bytes, ir::I32x16()), ir::F32x16());
          store(b_->Mul(q, scale), b_->Add(first, b_->Index(part * kFloat)), 0);
        }
      });
      return;
    }
    const int64_t element = type.scalar == Scalar::kF32 ? 4 : 2;
    const ValueId from = b_->Mul(id, b_->Index(columns * element));
    emit_->ForChunks(columns, [&](ValueId byte, int64_t lanes) {
      const ValueId at = element == 4 ? byte : b_->Div(byte, b_->Index(2));
      ValueId value = b_->Load(Type::Vector(type.scalar, ir::kLanes), table, b_->Add(from, at), lanes);
      if (element != 4) value = b_->Convert(value, ir::F32x16());
      store(value, byte, lanes);
    });
  });
}

// Tokens are added in order, first to last, so the sum does not depend on the other sequences of the batch.
void KernelTiler::MeanPool() {
  const ir::Op& op = kernel_.op(shape_.anchor);
  const Memory out = MemoryOf(op.results[0]);
  constexpr int64_t kEntry = 16;  // SequenceEntry
  b_->For(r0_, r1_, 1, [&](ValueId sequence) {
    const ValueId first = LoadTable(Table::kSequences, sequence, kEntry, 0);
    const ValueId length = LoadTable(Table::kSequences, sequence, kEntry, 4);
    const Row sum = ScratchRow(op.results[0], out.type);
    emit_->Fill(sum, 0);
    b_->For(first, b_->Add(first, length), 1, [&](ValueId token) {
      Rows rows;
      EmitPrologueRow(token, {}, {}, rows);
      emit_->AddTo(sum, RowOf(op.operands[0], token, rows));
    });
    const ValueId count = b_->Convert(b_->Convert(length, ir::I32Type()), ir::F32Type());
    emit_->Scale(sum, b_->Div(b_->F32(1), count), RowAt(out, sequence));
  });
}

}  // namespace ggufc::passes
