#include "ir/verify/infer.h"

#include <cmath>
#include <string>

namespace ggufc::ir {
namespace {

using Types = Result<std::vector<Type>>;

// Sizes in bytes and offsets may be large; everything else that an op counts is a count of columns.
constexpr int64_t kMaxBytes = int64_t{1} << 40;
constexpr int64_t kMaxCount = int64_t{1} << 31;

// A vector fills one 512-bit register at most.
constexpr int64_t kMaxVectorBytes = 64;

struct Site {
  const Module& module;
  const Function& function;
  const Op& op;
  const std::vector<Type>& stated;

  const char* name() const { return Info(op.kind).name; }
  const Type& type(size_t operand) const { return function.type(op.operands[operand]); }
  std::string text(size_t operand) const { return ToString(type(operand)); }
};

bool IsInt(Scalar s) {
  return s == Scalar::kI8 || s == Scalar::kU8 || s == Scalar::kI16 || s == Scalar::kI32 ||
         s == Scalar::kIndex;
}

// Integers that are compared: as signed ones, which u8 is not.
bool IsOrdered(Scalar s) { return IsInt(s) && s != Scalar::kU8; }

bool IsFileType(Scalar s) {
  return s == Scalar::kF32 || s == Scalar::kF16 || s == Scalar::kBF16 || s == Scalar::kQ8_0;
}

// Scalars and vectors that loads and stores move.
bool IsMemoryType(const Type& t) {
  return (t.IsScalar() || t.IsVector()) && (IsInt(t.scalar) || t.scalar == Scalar::kF32 ||
                                            t.scalar == Scalar::kF16 || t.scalar == Scalar::kBF16);
}

bool IsLoopType(const Type& t) {
  if (t.IsScalar()) return Bits(t.scalar) > 0;
  if (!t.IsVector() || Bits(t.scalar) == 0 || t.scalar == Scalar::kPtr || t.scalar == Scalar::kIndex)
    return false;
  const bool power_of_two = t.lanes >= 2 && (t.lanes & (t.lanes - 1)) == 0;
  return power_of_two && t.lanes <= kMaxVectorBytes && t.Bytes() <= kMaxVectorBytes;
}

// An activation: rows are tokens or sequences. Matrices with a fixed number of rows are weights, which are not computed.
bool IsF32Rows(const Type& t) {
  return t.IsTensor() && t.rank == 2 && t.scalar == Scalar::kF32 && t.rows().symbol != Symbol::kNone;
}

Types Operand(const Site& s, size_t operand, const char* expected) {
  return Err("{}: operand {} is {}, expected {}", s.name(), operand + 1, s.text(operand), expected);
}

// ---- attributes -------------------------------------------------------------------------------------------

bool IsByteCount(Attr attr) {
  return attr == Attr::kOffset || attr == Attr::kBytes || attr == Attr::kBytesT || attr == Attr::kBytesB ||
         attr == Attr::kOffsetT || attr == Attr::kOffsetB;
}

Status CheckAttrs(const Op& op) {
  const OpInfo& info = Info(op.kind);
  uint64_t seen = 0;
  for (const AttrValue& v : op.attrs) {
    const uint64_t bit = uint64_t{1} << static_cast<int>(v.attr);
    const AttrInfo& attr = Info(v.attr);
    if ((info.allowed_attrs & bit) == 0) return Err("{}: no attribute {} is known", info.name, attr.name);
    if (seen >= bit) return Err("{}: attribute {} is repeated or out of order", info.name, attr.name);
    seen |= bit;
    if (attr.is_float) {
      const bool infinity = v.attr == Attr::kValue && std::isinf(v.f);
      if (!std::isfinite(v.f) && !infinity)
        return Err("{}: {} is {}, expected a number", info.name, attr.name, v.f);
    } else {
      const int64_t most = IsByteCount(v.attr) ? kMaxBytes : kMaxCount;
      if (v.i < 0 || v.i > most) return Err("{}: {} is {} (0 to {})", info.name, attr.name, v.i, most);
    }
  }
  for (int i = 0; i < AttrCount(); ++i) {
    if ((info.required_attrs & ~seen) >> i & 1) {
      return Err("{}: attribute {} is missing", info.name, Info(static_cast<Attr>(i)).name);
    }
  }
  return {};
}

Status CheckPositive(const Op& op, Attr attr) {
  const int64_t value = op.Int(attr);
  if (value <= 0)
    return Err("{}: {} is {}, expected more than 0", Info(op.kind).name, Info(attr).name, value);
  return {};
}

Status CheckHeadDim(const Op& op, int64_t columns) {
  const int64_t head_dim = op.Int(Attr::kHeadDim);
  if (head_dim <= 0 || head_dim % 2 != 0 || columns % head_dim != 0) {
    return Err("{}: head_dim is {}, expected an even divisor of {} columns", Info(op.kind).name, head_dim,
               columns);
  }
  return {};
}

// ---- whole tensors ----------------------------------------------------------------------------------------

Types InferEmbed(const Site& s) {
  if (s.type(0) != Type::Tensor(Scalar::kI32, Symbol::kT)) return Operand(s, 0, "i32[T]");
  const Type& table = s.type(1);
  if (!table.IsTensor() || table.rank != 2 || !IsFileType(table.scalar) ||
      table.rows().symbol != Symbol::kNone)
    return Operand(s, 1, "a weight [rows, columns]");
  return std::vector{Type::Tensor(Scalar::kF32, Symbol::kT, table.columns())};
}

Types InferRmsNorm(const Site& s) {
  const Type& x = s.type(0);
  if (!IsF32Rows(x)) return Operand(s, 0, "f32[T or B, columns]");
  int64_t group = s.op.Int(Attr::kGroup);
  if (group == 0) group = x.columns();
  if (x.columns() % group != 0)
    return Err("rms_norm: group {} does not divide {} columns", group, x.columns());
  if (s.type(1) != Type::Tensor(Scalar::kF32, group)) {
    return Err("rms_norm: operand 2 is {}, expected f32[{}]", s.text(1), group);
  }
  if (s.op.Float(Attr::kEps) < 0)
    return Err("rms_norm: eps is {}, expected 0 or more", s.op.Float(Attr::kEps));
  return std::vector{x};
}

Types InferLinear(const Site& s) {
  const Type &x = s.type(0), &w = s.type(1);
  if (!x.IsTensor() || x.rank != 2 || x.rows().symbol == Symbol::kNone ||
      !(x.scalar == Scalar::kF32 || IsActivationQuant(x.scalar))) {
    return Operand(s, 0, "f32, q16, q8 or q7 [T or B, columns]");
  }
  if (!w.IsTensor() || w.rank != 2 || !IsFileType(w.scalar) || w.rows().symbol != Symbol::kNone) {
    return Operand(s, 1, "a weight [out, in]");
  }
  if (w.columns() != x.columns())
    return Err("linear: {} columns against a weight {}", x.columns(), s.text(1));
  if (IsActivationQuant(x.scalar) && w.scalar != Scalar::kQ8_0)
    return Operand(s, 1, "q8_0 for quantised activations");
  const int64_t pack = s.op.Int(Attr::kPack), unit = s.op.Int(Attr::kUnit);
  if (s.op.Has(Attr::kPack) != s.op.Has(Attr::kUnit)) return Err("linear: pack and unit go together");
  if (s.op.Has(Attr::kPack) && ((pack != 1 && pack != 2 && pack != 4) || unit <= 0)) {
    return Err("linear: pack {} and unit {}: pack is 1, 2 or 4, unit more than 0", pack, unit);
  }
  return std::vector{Type::Tensor(Scalar::kF32, x.rows(), w.rows())};
}

Types InferQuantize(const Site& s) {
  const Type& x = s.type(0);
  if (!IsF32Rows(x) || x.columns() % kQuantBlock != 0) return Operand(s, 0, "f32[T or B, a multiple of 32]");
  if (s.stated.size() != 1 || !IsActivationQuant(s.stated[0].scalar) ||
      s.stated[0] != x.With(s.stated[0].scalar)) {
    return Err("quantize: the result must be q16, q8 or q7 of the operand's shape {}", s.text(0));
  }
  return s.stated;
}

Types InferRopeTable(const Site& s) {
  const Type &x = s.type(0), &table = s.type(1);
  if (!IsF32Rows(x) || x.rows() != Dim(Symbol::kT)) return Operand(s, 0, "f32[T, columns]");
  RETURN_IF_ERROR(CheckHeadDim(s.op, x.columns()));
  const bool fits = table.IsTensor() && table.rank == 2 && table.scalar == Scalar::kF32 &&
                    table.rows().symbol == Symbol::kNone && table.columns() == s.op.Int(Attr::kHeadDim);
  if (!fits) {
    return Operand(s, 1, "f32[positions, head_dim]");
  }
  return std::vector{x};
}

// 16-bit products are summed exactly over blocks of kQuantBlock.
Status CheckDots(const Op& op) {
  const int64_t dots = op.Int(Attr::kDots), head_dim = op.Int(Attr::kHeadDim);
  if (dots != 0 && dots != 16) return Err("{}: dots is {} (0 or 16)", Info(op.kind).name, dots);
  if (dots != 0 && head_dim % kQuantBlock != 0) {
    return Err("{}: dots={} takes heads of whole blocks of {}, head_dim is {}", Info(op.kind).name, dots,
               kQuantBlock, head_dim);
  }
  return {};
}

Types InferAttention(const Site& s) {
  const int64_t heads = s.op.Int(Attr::kHeads), kv_heads = s.op.Int(Attr::kKvHeads);
  const int64_t head_dim = s.op.Int(Attr::kHeadDim);
  for (const Attr attr : {Attr::kHeads, Attr::kKvHeads, Attr::kHeadDim})
    RETURN_IF_ERROR(CheckPositive(s.op, attr));
  if (heads % kv_heads != 0)
    return Err("attention: {} heads do not share {} kv_heads evenly", heads, kv_heads);
  if (s.op.Int(Attr::kLayout) > 1) return Err("attention: layout is {} (0 or 1)", s.op.Int(Attr::kLayout));
  RETURN_IF_ERROR(CheckDots(s.op));
  const Type q = Type::Tensor(Scalar::kF32, Symbol::kT, heads * head_dim);
  const Type kv = Type::Tensor(Scalar::kF32, Symbol::kT, kv_heads * head_dim);
  if (s.type(0) != q) return Operand(s, 0, "f32[T, heads * head_dim]");
  if (s.type(1) != kv) return Operand(s, 1, "f32[T, kv_heads * head_dim]");
  if (s.type(2) != kv) return Operand(s, 2, "f32[T, kv_heads * head_dim]");
  return std::vector{q};
}

Types InferSlice(const Site& s) {
  const Type& x = s.type(0);
  if (!IsF32Rows(x)) return Operand(s, 0, "f32[T or B, columns]");
  RETURN_IF_ERROR(CheckPositive(s.op, Attr::kSize));
  const int64_t offset = s.op.Int(Attr::kOffset), size = s.op.Int(Attr::kSize);
  if (offset + size > x.columns())
    return Err("slice: columns {} to {} of {}", offset, offset + size, x.columns());
  return std::vector{Type::Tensor(Scalar::kF32, x.rows(), size)};
}

Types InferDeinterleave(const Site& s) {
  const Type& x = s.type(0);
  if (!IsF32Rows(x)) return Operand(s, 0, "f32[T or B, columns]");
  for (const Attr attr : {Attr::kSize, Attr::kWays, Attr::kGranule})
    RETURN_IF_ERROR(CheckPositive(s.op, attr));
  const int64_t size = s.op.Int(Attr::kSize), way = s.op.Int(Attr::kWay);
  const int64_t ways = s.op.Int(Attr::kWays), granule = s.op.Int(Attr::kGranule);
  if (way >= ways) return Err("deinterleave: way {} of {}", way, ways);
  const int64_t last = size - 1;
  if (ways > x.columns() || ((last / granule) * ways + way) * granule + last % granule >= x.columns()) {
    return Err("deinterleave: {} columns do not hold {} of way {}", x.columns(), size, way);
  }
  return std::vector{Type::Tensor(Scalar::kF32, x.rows(), size)};
}

Types InferMeanPool(const Site& s) {
  const Type& x = s.type(0);
  if (!IsF32Rows(x) || x.rows() != Dim(Symbol::kT)) return Operand(s, 0, "f32[T, columns]");
  return std::vector{Type::Tensor(Scalar::kF32, Symbol::kB, x.columns())};
}

// ---- rules that stages share ------------------------------------------------------------------------------

Types InferSameAsFirst(const Site& s) {
  const Type& x = s.type(0);
  switch (s.op.kind) {
    case OpKind::kSqrt:
      if (!IsLoopType(x) || x.scalar != Scalar::kF32) return Operand(s, 0, "f32");
      break;
    case OpKind::kAbs:
      if (!IsLoopType(x) || (x.scalar != Scalar::kF32 && x.scalar != Scalar::kI32))
        return Operand(s, 0, "f32 or i32");
      break;
    case OpKind::kKeyPanels:
    case OpKind::kValuePanels:
      RETURN_IF_ERROR(CheckDots(s.op));
      if (!IsF32Rows(x) || x.rows() != Dim(Symbol::kT)) return Operand(s, 0, "f32[T, columns]");
      RETURN_IF_ERROR(CheckPositive(s.op, Attr::kHeadDim));
      if (x.columns() % s.op.Int(Attr::kHeadDim) != 0) {
        return Err("{}: head_dim is {}, expected a divisor of {} columns", Info(s.op.kind).name,
                   s.op.Int(Attr::kHeadDim), x.columns());
      }
      break;
    case OpKind::kRope:
      if (!IsF32Rows(x) || x.rows() != Dim(Symbol::kT)) return Operand(s, 0, "f32[T, columns]");
      RETURN_IF_ERROR(CheckHeadDim(s.op, x.columns()));
      if (s.op.Has(Attr::kTheta) && s.op.Float(Attr::kTheta) <= 0) {
        return Err("rope: theta is {}, expected more than 0", s.op.Float(Attr::kTheta));
      }
      break;
    default:
      if (!IsF32Rows(x)) return Operand(s, 0, "f32[T or B, columns]");
  }
  return std::vector{x};
}

bool ElementwiseOn(OpKind kind, const Type& t) {
  const bool f32 = t.scalar == Scalar::kF32;
  switch (kind) {
    case OpKind::kAdd:
    case OpKind::kMul:
      return t.IsTensor() ? IsF32Rows(t) : f32 || IsInt(t.scalar);
    case OpKind::kSub:
      return f32 || IsInt(t.scalar);
    case OpKind::kMin:
    case OpKind::kMax:
      return f32 || IsOrdered(t.scalar);
    case OpKind::kDiv:
      return f32 || t.scalar == Scalar::kIndex;
    case OpKind::kRem:
      return t.scalar == Scalar::kIndex;
    case OpKind::kAnd:
    case OpKind::kOr:
    case OpKind::kXor:
      return IsInt(t.scalar) || t.scalar == Scalar::kI1;
    case OpKind::kShl:
    case OpKind::kShr:
      return IsOrdered(t.scalar);
    case OpKind::kFma:
      return f32;
    default:
      return false;
  }
}

Types InferElementwise(const Site& s) {
  const Type& t = s.type(0);
  const bool shape_fits = s.module.stage == Stage::kLoop ? IsLoopType(t) : t.IsTensor();
  if (!shape_fits || !ElementwiseOn(s.op.kind, t)) return Operand(s, 0, "a type that the op works on");
  for (size_t i = 1; i < s.op.operands.size(); ++i) {
    if (s.type(i) != t) return Err("{}: operands are {} and {}", s.name(), s.text(0), s.text(i));
  }
  return std::vector{t};
}

// At the loop stage `forward` passes tensors, weights and buffers where a kernel takes their address, and
// leaves out the kernel's last five parameters, which are the executor's.
constexpr size_t kExecutorParams = 5;

Types InferCall(const Site& s) {
  if (!s.op.callee.valid() || s.op.callee.index >= s.module.functions.size())
    return Err("call: no such function");
  const Function& callee = s.module.function(s.op.callee);
  const bool launch = s.module.stage == Stage::kLoop && callee.kind == Function::Kind::kKernel;
  const size_t hidden = launch ? kExecutorParams : 0;
  if (callee.params.size() < hidden || s.op.operands.size() != callee.params.size() - hidden) {
    return Err("call @{}: {} operands, expected {}", callee.name, s.op.operands.size(),
               callee.params.size() < hidden ? 0 : callee.params.size() - hidden);
  }
  for (size_t i = 0; i < s.op.operands.size(); ++i) {
    const Type& expected = callee.type(callee.params[i]);
    const bool address = launch && expected == PtrType() && s.type(i).IsTensor();
    if (s.type(i) != expected && !address) {
      return Err("call @{}: operand {} is {}, expected {}", callee.name, i + 1, s.text(i),
                 ToString(expected));
    }
  }
  return callee.result_types;
}

// ---- loop -------------------------------------------------------------------------------------------------

Types InferNone(const Site& s) {
  switch (s.op.kind) {
    case OpKind::kStore: {
      const Type& x = s.type(0);
      if (!IsLoopType(x) || !IsMemoryType(x)) return Operand(s, 0, "a type with a size in memory");
      if (s.type(1) != PtrType()) return Operand(s, 1, "ptr");
      if (s.type(2) != IndexType()) return Operand(s, 2, "index");
      const int64_t lanes = s.op.Int(Attr::kLanes, x.lanes);
      if (lanes < 1 || lanes > x.lanes) return Err("store: lanes is {} (1 to {})", lanes, x.lanes);
      break;
    }
    case OpKind::kPrefetch:
      if (s.type(0) != PtrType()) return Operand(s, 0, "ptr");
      if (s.type(1) != IndexType()) return Operand(s, 1, "index");
      break;
    case OpKind::kIf:
      if (s.type(0) != Type::MakeScalar(Scalar::kI1)) return Operand(s, 0, "i1");
      break;
    case OpKind::kSwitch:
      if (s.type(0) != IndexType()) return Operand(s, 0, "index");
      break;
    default:
      break;  // return and yield: their function or loop says what they take
  }
  return std::vector<Type>{};
}

Types InferCompare(const Site& s) {
  const Type& t = s.type(0);
  const bool equality = s.op.kind == OpKind::kCmpEq;
  if (!IsLoopType(t) || (!(equality ? IsInt(t.scalar) : IsOrdered(t.scalar)) && t.scalar != Scalar::kF32))
    return Operand(s, 0, equality ? "f32 or integers" : "f32 or signed integers");
  if (s.type(1) != t) return Err("{}: operands are {} and {}", s.name(), s.text(0), s.text(1));
  return std::vector{t.With(Scalar::kI1)};
}

Types InferSelect(const Site& s) {
  const Type &condition = s.type(0), &t = s.type(1);
  if (!IsLoopType(t)) return Operand(s, 1, "a scalar or vector");
  if (s.type(2) != t) return Err("select: operands are {} and {}", s.text(1), s.text(2));
  if (condition != Type::MakeScalar(Scalar::kI1) && condition != t.With(Scalar::kI1)) {
    return Operand(s, 0, "i1, or one i1 a lane");
  }
  return std::vector{t};
}

Types InferReduce(const Site& s) {
  if (s.type(0) != F32x16() && s.type(0) != I32x16()) return Operand(s, 0, "f32x16 or i32x16");
  return std::vector{s.type(0).Element()};
}

bool Converts(Scalar from, Scalar to) {
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

Status CheckConst(const Type& t, double value) {
  if (t.scalar == Scalar::kF32) return {};
  if (!IsInt(t.scalar)) return Err("const: {} has no constants", ToString(t));
  // Bit patterns are welcome: an i32 may be written as -1 or as 4294967295.
  const int bits = t.scalar == Scalar::kIndex ? 53 : Bits(t.scalar);
  const double low = -std::ldexp(1.0, bits - (t.scalar == Scalar::kIndex ? 0 : 1)),
               high = std::ldexp(1.0, bits);
  if (value != std::trunc(value) || value < low || value >= high) {
    return Err("const: {} is no value of {}", value, ToString(t));
  }
  return {};
}

Types InferExplicit(const Site& s) {
  if (s.stated.size() != 1) return Err("{}: the result type must be stated", s.name());
  const Type& t = s.stated[0];
  if (!IsLoopType(t)) return Err("{}: {} is no type of this stage", s.name(), ToString(t));
  const auto refuse = [&]() -> Types {
    return Err("{}: from {} to {}", s.name(), s.op.operands.empty() ? "nothing" : s.text(0), ToString(t));
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
      if (!IsMemoryType(t)) return Err("load: {} is not kept in memory", ToString(t));
      if (s.type(0) != PtrType()) return Operand(s, 0, "ptr");
      if (s.type(1) != IndexType()) return Operand(s, 1, "index");
      const int64_t lanes = s.op.Int(Attr::kLanes, t.lanes);
      if (lanes < 1 || lanes > t.lanes) return Err("load: lanes is {} (1 to {})", lanes, t.lanes);
      break;
    }
    default:
      return Err("{}: no rule", s.name());
  }
  return s.stated;
}

Types InferPtrAdd(const Site& s) {
  if (s.type(0) != PtrType()) return Operand(s, 0, "ptr");
  if (s.type(1) != IndexType()) return Operand(s, 1, "index");
  return std::vector{PtrType()};
}

Types InferPtr(const Site&) { return std::vector{PtrType()}; }

Types InferDotI16(const Site& s) {
  if (s.type(0) != I32x16()) return Operand(s, 0, "i32x16");
  if (s.type(1) != I16x32()) return Operand(s, 1, "i16x32");
  if (s.type(2) != I16x32()) return Operand(s, 2, "i16x32");
  return std::vector{I32x16()};
}

Types InferDotU8(const Site& s) {
  if (s.type(0) != I32x16()) return Operand(s, 0, "i32x16");
  if (s.type(1) != Type::Vector(Scalar::kU8, 4 * kLanes)) return Operand(s, 1, "u8x64");
  if (s.type(2) != Type::Vector(Scalar::kI8, 4 * kLanes)) return Operand(s, 2, "i8x64");
  return std::vector{I32x16()};
}

Types InferFor(const Site& s) {
  if (s.op.operands.size() < 3) return Err("for: {} operands, expected lo, hi, step", s.op.operands.size());
  for (size_t i = 0; i < 3; ++i) {
    if (s.type(i) != IndexType()) return Operand(s, i, "index");
  }
  std::vector<Type> carried;
  for (size_t i = 3; i < s.op.operands.size(); ++i) {
    if (!IsLoopType(s.type(i))) return Operand(s, i, "a scalar or vector");
    carried.push_back(s.type(i));
  }
  return carried;
}

using Rule = Types (*)(const Site&);
constexpr Rule kRules[] = {
#define OP(enumerator, spelling, stages, operands, results, regions, rule, ...) Infer##rule,
#include "ir/core/ops.def"
};

}  // namespace

Result<std::vector<Type>> InferTypes(const Module& module, const Function& function, const Op& op,
                                     const std::vector<Type>& stated) {
  const OpInfo& info = Info(op.kind);
  if (info.operands != kAny && op.operands.size() != static_cast<size_t>(info.operands)) {
    return Err("{}: {} operands, expected {}", info.name, op.operands.size(), info.operands);
  }
  RETURN_IF_ERROR(CheckAttrs(op));
  return kRules[static_cast<size_t>(op.kind)]({module, function, op, stated});
}

}  // namespace ggufc::ir
