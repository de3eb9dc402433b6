// Type rules of the ops on whole tensors.
#include "ir/verify/infer_rules.h"

namespace ggufc::ir::rules {

Types InferEmbed(const Site& s) {
  if (s.type(0) != Type::Tensor(Scalar::kI32, Symbol::kT)) return WrongOperand(s, 0, "i32[T]");
  const Type& table = s.type(1);
  if (!table.IsTensor() || table.rank != 2 || !IsFileType(table.scalar) ||
      table.rows().symbol != Symbol::kNone)
    return WrongOperand(s, 1, "a weight [rows, columns]");
  return std::vector{Type::Tensor(Scalar::kF32, Symbol::kT, table.columns())};
}

Types InferRmsNorm(const Site& s) {
  const Type& x = s.type(0);
  if (!IsF32Rows(x)) return WrongOperand(s, 0, "f32[T or B, columns]");
  int64_t group = s.op.Int(Attr::kGroup);
  if (group == 0) group = x.columns();
  if (x.columns() % group != 0)
    return Err("rms_norm: group {} does not divide {} columns", group, x.columns());
  if (s.type(1) != Type::Tensor(Scalar::kF32, group)) {
    return Err("rms_norm: operand 2 is {}, expected f32[{}]", s.type_text(1), group);
  }
  if (s.op.Float(Attr::kEps) < 0)
    return Err("rms_norm: eps is {}, expected 0 or more", s.op.Float(Attr::kEps));
  return std::vector{x};
}

Types InferLinear(const Site& s) {
  const Type &x = s.type(0), &w = s.type(1);
  if (!x.IsTensor() || x.rank != 2 || x.rows().symbol == Symbol::kNone ||
      !(x.scalar == Scalar::kF32 || IsActivationQuant(x.scalar))) {
    return WrongOperand(s, 0, "f32, q16, q8 or q7 [T or B, columns]");
  }
  if (!w.IsTensor() || w.rank != 2 || !IsFileType(w.scalar) || w.rows().symbol != Symbol::kNone) {
    return WrongOperand(s, 1, "a weight [out, in]");
  }
  if (w.columns() != x.columns())
    return Err("linear: operand 1 has {} columns, the weight is {}", x.columns(), s.type_text(1));
  if (IsActivationQuant(x.scalar) && w.scalar != Scalar::kQ8_0)
    return WrongOperand(s, 1, "q8_0 for quantised activations");
  const int64_t pack = s.op.Int(Attr::kPack), unit = s.op.Int(Attr::kUnit);
  if (s.op.Has(Attr::kPack) != s.op.Has(Attr::kUnit))
    return Err("linear: expected both pack and unit, or neither");
  if (s.op.Has(Attr::kPack) && ((pack != 1 && pack != 2 && pack != 4) || unit <= 0)) {
    return Err("linear: pack {} and unit {}, expected pack 1, 2 or 4 and unit more than 0", pack, unit);
  }
  return std::vector{Type::Tensor(Scalar::kF32, x.rows(), w.rows())};
}

Types InferQuantize(const Site& s) {
  const Type& x = s.type(0);
  if (!IsF32Rows(x) || x.columns() % kQuantBlock != 0)
    return WrongOperand(s, 0, "f32[T or B, a multiple of 32]");
  if (s.stated.size() != 1 || !IsActivationQuant(s.stated[0].scalar) ||
      s.stated[0] != x.With(s.stated[0].scalar)) {
    return Err("quantize: the result must be q16, q8 or q7 of the operand's shape {}", s.type_text(0));
  }
  return s.stated;
}

Types InferRopeTable(const Site& s) {
  const Type &x = s.type(0), &table = s.type(1);
  if (!IsF32Rows(x) || x.rows() != Dim(Symbol::kT)) return WrongOperand(s, 0, "f32[T, columns]");
  RETURN_IF_ERROR(CheckHeadDim(s.op, x.columns()));
  const bool fits = table.IsTensor() && table.rank == 2 && table.scalar == Scalar::kF32 &&
                    table.rows().symbol == Symbol::kNone && table.columns() == s.op.Int(Attr::kHeadDim);
  if (!fits) {
    return WrongOperand(s, 1, "f32[positions, head_dim]");
  }
  return std::vector{x};
}

Types InferAttention(const Site& s) {
  const int64_t heads = s.op.Int(Attr::kHeads), kv_heads = s.op.Int(Attr::kKvHeads);
  const int64_t head_dim = s.op.Int(Attr::kHeadDim);
  for (const Attr attr : {Attr::kHeads, Attr::kKvHeads, Attr::kHeadDim})
    RETURN_IF_ERROR(CheckPositive(s.op, attr));
  if (heads % kv_heads != 0)
    return Err("attention: {} heads, expected a multiple of the {} kv_heads", heads, kv_heads);
  if (s.op.Int(Attr::kLayout) > 1) return Err("attention: layout is {} (0 or 1)", s.op.Int(Attr::kLayout));
  RETURN_IF_ERROR(CheckDots(s.op));
  const Type q = Type::Tensor(Scalar::kF32, Symbol::kT, heads * head_dim);
  const Type kv = Type::Tensor(Scalar::kF32, Symbol::kT, kv_heads * head_dim);
  if (s.type(0) != q) return WrongOperand(s, 0, "f32[T, heads * head_dim]");
  if (s.type(1) != kv) return WrongOperand(s, 1, "f32[T, kv_heads * head_dim]");
  if (s.type(2) != kv) return WrongOperand(s, 2, "f32[T, kv_heads * head_dim]");
  return std::vector{q};
}

Types InferSlice(const Site& s) {
  const Type& x = s.type(0);
  if (!IsF32Rows(x)) return WrongOperand(s, 0, "f32[T or B, columns]");
  RETURN_IF_ERROR(CheckPositive(s.op, Attr::kSize));
  const int64_t offset = s.op.Int(Attr::kOffset), size = s.op.Int(Attr::kSize);
  if (offset + size > x.columns())
    return Err("slice: columns {} to {}, but the operand has {}", offset, offset + size, x.columns());
  return std::vector{Type::Tensor(Scalar::kF32, x.rows(), size)};
}

Types InferDeinterleave(const Site& s) {
  const Type& x = s.type(0);
  if (!IsF32Rows(x)) return WrongOperand(s, 0, "f32[T or B, columns]");
  for (const Attr attr : {Attr::kSize, Attr::kWays, Attr::kGranule})
    RETURN_IF_ERROR(CheckPositive(s.op, attr));
  const int64_t size = s.op.Int(Attr::kSize), way = s.op.Int(Attr::kWay);
  const int64_t ways = s.op.Int(Attr::kWays), granule = s.op.Int(Attr::kGranule);
  if (way >= ways) return Err("deinterleave: way is {}, expected less than ways={}", way, ways);
  const int64_t last = size - 1;
  if (ways > x.columns() || ((last / granule) * ways + way) * granule + last % granule >= x.columns()) {
    return Err("deinterleave: the operand has {} columns, too few for {} columns of way {}", x.columns(),
               size, way);
  }
  return std::vector{Type::Tensor(Scalar::kF32, x.rows(), size)};
}

Types InferMeanPool(const Site& s) {
  const Type& x = s.type(0);
  if (!IsF32Rows(x) || x.rows() != Dim(Symbol::kT)) return WrongOperand(s, 0, "f32[T, columns]");
  return std::vector{Type::Tensor(Scalar::kF32, Symbol::kB, x.columns())};
}

}  // namespace ggufc::ir::rules
