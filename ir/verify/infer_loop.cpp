// Type rules of the ops of the loop stage.
#include <cmath>

#include "ir/verify/infer_rules.h"

namespace ggufc::ir::rules {

Types InferNone(const Site& s) {
  switch (s.op.kind) {
    case OpKind::kStore: {
      const Type& x = s.type(0);
      if (!IsLoopType(x) || !IsMemoryType(x)) return WrongOperand(s, 0, "a type with a size in memory");
      if (s.type(1) != PtrType()) return WrongOperand(s, 1, "ptr");
      if (s.type(2) != IndexType()) return WrongOperand(s, 2, "index");
      const int64_t lanes = s.op.Int(Attr::kLanes, x.lanes);
      if (lanes < 1 || lanes > x.lanes) return Err("store: lanes is {} (1 to {})", lanes, x.lanes);
      break;
    }
    case OpKind::kPrefetch:
      if (s.type(0) != PtrType()) return WrongOperand(s, 0, "ptr");
      if (s.type(1) != IndexType()) return WrongOperand(s, 1, "index");
      break;
    case OpKind::kIf:
      if (s.type(0) != Type::MakeScalar(Scalar::kI1)) return WrongOperand(s, 0, "i1");
      break;
    case OpKind::kSwitch:
      if (s.type(0) != IndexType()) return WrongOperand(s, 0, "index");
      break;
    default:
      break;  // return and yield: the verifier checks their operands
  }
  return std::vector<Type>{};
}

Types InferCompare(const Site& s) {
  const Type& t = s.type(0);
  const bool equality = s.op.kind == OpKind::kCmpEq;
  if (!IsLoopType(t) || (!(equality ? IsInt(t.scalar) : IsSignedInt(t.scalar)) && t.scalar != Scalar::kF32))
    return WrongOperand(s, 0, equality ? "f32 or integers" : "f32 or signed integers");
  if (s.type(1) != t) return Err("{}: operands are {} and {}", s.name(), s.type_text(0), s.type_text(1));
  return std::vector{t.With(Scalar::kI1)};
}

Types InferSelect(const Site& s) {
  const Type &condition = s.type(0), &t = s.type(1);
  if (!IsLoopType(t)) return WrongOperand(s, 1, "a scalar or vector");
  if (s.type(2) != t) return Err("select: operands are {} and {}", s.type_text(1), s.type_text(2));
  if (condition != Type::MakeScalar(Scalar::kI1) && condition != t.With(Scalar::kI1)) {
    return WrongOperand(s, 0, "i1, or one i1 per lane");
  }
  return std::vector{t};
}

Types InferReduce(const Site& s) {
  if (s.type(0) != F32x16() && s.type(0) != I32x16()) return WrongOperand(s, 0, "f32x16 or i32x16");
  return std::vector{s.type(0).Element()};
}

static bool Converts(Scalar from, Scalar to) {
  switch (from) {
    case Scalar::kI8:
      return to == Scalar::kI16 || to == Scalar::kI32;
    case Scalar::kU8:
      return to == Scalar::kI16;
    case Scalar::kI16:
      return to == Scalar::kI32 || to == Scalar::kI8;
    case Scalar::kI32:
      return to == Scalar::kF32 || to == Scalar::kI16 || to == Scalar::kI8 || to == Scalar::kIndex;
    case Scalar::kIndex:
      return to == Scalar::kI32;
    case Scalar::kF16:
    case Scalar::kBF16:
      return to == Scalar::kF32;
    default:
      return false;
  }
}

static Status CheckConst(const Type& t, double value) {
  if (t.scalar == Scalar::kF32) return {};
  if (!IsInt(t.scalar)) return Err("const: type {} has no constants", ToString(t));
  // Bit patterns are allowed: an i32 may be written as -1 or as 4294967295.
  const int bits = t.scalar == Scalar::kIndex ? 53 : Bits(t.scalar);
  const double low = -std::ldexp(1.0, bits - (t.scalar == Scalar::kIndex ? 0 : 1)),
               high = std::ldexp(1.0, bits);
  if (value != std::trunc(value) || value < low || value >= high) {
    return Err("const: {} is not a value of {}", value, ToString(t));
  }
  return {};
}

Types InferExplicit(const Site& s) {
  if (s.stated.size() != 1) return Err("{}: the result type must be stated", s.name());
  const Type& t = s.stated[0];
  if (!IsLoopType(t)) return Err("{}: {} is not a type of the loop stage", s.name(), ToString(t));
  const auto refuse = [&]() -> Types {
    if (s.op.operands.empty()) return Err("{}: cannot make {}", s.name(), ToString(t));
    return Err("{}: cannot make {} from {}", s.name(), ToString(t), s.type_text(0));
  };
  switch (s.op.kind) {
    case OpKind::kConst:
      RETURN_IF_ERROR(CheckConst(t, s.op.Float(Attr::kValue)));
      break;
    case OpKind::kSplat:
      if (!t.IsVector() || s.type(0) != t.Element()) return refuse();
      break;
    case OpKind::kIota:
      if (!t.IsVector() || !IsInt(t.scalar)) return refuse();
      break;
    case OpKind::kConvert:
      if (!IsLoopType(s.type(0)) || s.type(0).lanes != t.lanes || !Converts(s.type(0).scalar, t.scalar))
        return refuse();
      break;
    case OpKind::kBitcast:
      if (!IsLoopType(s.type(0)) || !IsMemoryType(s.type(0)) || !IsMemoryType(t) ||
          s.type(0).Bytes() != t.Bytes()) {
        return refuse();
      }
      break;
    case OpKind::kLoad: {
      if (!IsMemoryType(t)) return Err("load: {} has no size in memory", ToString(t));
      if (s.type(0) != PtrType()) return WrongOperand(s, 0, "ptr");
      if (s.type(1) != IndexType()) return WrongOperand(s, 1, "index");
      const int64_t lanes = s.op.Int(Attr::kLanes, t.lanes);
      if (lanes < 1 || lanes > t.lanes) return Err("load: lanes is {} (1 to {})", lanes, t.lanes);
      break;
    }
    default:
      return Err("{}: has no type rule", s.name());
  }
  return s.stated;
}

Types InferPtrAdd(const Site& s) {
  if (s.type(0) != PtrType()) return WrongOperand(s, 0, "ptr");
  if (s.type(1) != IndexType()) return WrongOperand(s, 1, "index");
  return std::vector{PtrType()};
}

Types InferPtr(const Site&) { return std::vector{PtrType()}; }

Types InferDotI16(const Site& s) {
  if (s.type(0) != I32x16()) return WrongOperand(s, 0, "i32x16");
  if (s.type(1) != I16x32()) return WrongOperand(s, 1, "i16x32");
  if (s.type(2) != I16x32()) return WrongOperand(s, 2, "i16x32");
  return std::vector{I32x16()};
}

Types InferDotU8(const Site& s) {
  if (s.type(0) != I32x16()) return WrongOperand(s, 0, "i32x16");
  if (s.type(1) != Type::Vector(Scalar::kU8, 4 * kLanes)) return WrongOperand(s, 1, "u8x64");
  if (s.type(2) != Type::Vector(Scalar::kI8, 4 * kLanes)) return WrongOperand(s, 2, "i8x64");
  return std::vector{I32x16()};
}

Types InferFor(const Site& s) {
  if (s.op.operands.size() < 3) return Err("for: {} operands, expected lo, hi, step", s.op.operands.size());
  for (size_t i = 0; i < 3; ++i) {
    if (s.type(i) != IndexType()) return WrongOperand(s, i, "index");
  }
  std::vector<Type> carried;
  for (size_t i = 3; i < s.op.operands.size(); ++i) {
    if (!IsLoopType(s.type(i))) return WrongOperand(s, i, "a scalar or vector");
    carried.push_back(s.type(i));
  }
  return carried;
}

}  // namespace ggufc::ir::rules
