#include "ir/verify/infer.h"

#include <cmath>

#include "ir/core/builder.h"
#include "ir/verify/infer_rules.h"

namespace ggufc::ir {
namespace rules {

// ---- checks that several rules use --------------------------------------------------------------------------

bool IsInt(Scalar s) {
  return s == Scalar::kI8 || s == Scalar::kU8 || s == Scalar::kI16 || s == Scalar::kI32 ||
         s == Scalar::kIndex;
}

bool IsSignedInt(Scalar s) { return IsInt(s) && s != Scalar::kU8; }

bool IsFileType(Scalar s) {
  return s == Scalar::kF32 || s == Scalar::kF16 || s == Scalar::kBF16 || s == Scalar::kQ8_0;
}

bool IsMemoryType(const Type& t) {
  return (t.IsScalar() || t.IsVector()) && (IsInt(t.scalar) || t.scalar == Scalar::kF32 ||
                                            t.scalar == Scalar::kF16 || t.scalar == Scalar::kBF16);
}

bool IsLoopType(const Type& t) {
  constexpr int64_t kMaxVectorBytes = 64;
  if (t.IsScalar()) return Bits(t.scalar) > 0;
  if (!t.IsVector() || Bits(t.scalar) == 0 || t.scalar == Scalar::kPtr || t.scalar == Scalar::kIndex)
    return false;
  const bool power_of_two = t.lanes >= 2 && (t.lanes & (t.lanes - 1)) == 0;
  return power_of_two && t.lanes <= kMaxVectorBytes && t.Bytes() <= kMaxVectorBytes;
}

bool IsF32Rows(const Type& t) {
  return t.IsTensor() && t.rank == 2 && t.scalar == Scalar::kF32 && t.rows().symbol != Symbol::kNone;
}

Types WrongOperand(const Site& s, size_t operand, const char* expected) {
  return Err("{}: operand {} is {}, expected {}", s.name(), operand + 1, s.type_text(operand), expected);
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

Status CheckDots(const Op& op) {
  const int64_t dots = op.Int(Attr::kDots), head_dim = op.Int(Attr::kHeadDim);
  if (dots != 0 && dots != 16) return Err("{}: dots is {} (0 or 16)", Info(op.kind).name, dots);
  if (dots != 0 && head_dim % kQuantBlock != 0) {
    return Err("{}: dots={} needs a head_dim that is a multiple of {}, head_dim is {}", Info(op.kind).name,
               dots, kQuantBlock, head_dim);
  }
  return {};
}

// ---- rules that stages share ------------------------------------------------------------------------------

Types InferSameAsFirst(const Site& s) {
  const Type& x = s.type(0);
  switch (s.op.kind) {
    case OpKind::kSqrt:
      if (!IsLoopType(x) || x.scalar != Scalar::kF32) return WrongOperand(s, 0, "f32");
      break;
    case OpKind::kAbs:
      if (!IsLoopType(x) || (x.scalar != Scalar::kF32 && x.scalar != Scalar::kI32))
        return WrongOperand(s, 0, "f32 or i32");
      break;
    case OpKind::kKeyPanels:
    case OpKind::kValuePanels:
      RETURN_IF_ERROR(CheckDots(s.op));
      if (!IsF32Rows(x) || x.rows() != Dim(Symbol::kT)) return WrongOperand(s, 0, "f32[T, columns]");
      RETURN_IF_ERROR(CheckPositive(s.op, Attr::kHeadDim));
      if (x.columns() % s.op.Int(Attr::kHeadDim) != 0) {
        return Err("{}: head_dim is {}, expected a divisor of {} columns", Info(s.op.kind).name,
                   s.op.Int(Attr::kHeadDim), x.columns());
      }
      break;
    case OpKind::kRope:
      if (!IsF32Rows(x) || x.rows() != Dim(Symbol::kT)) return WrongOperand(s, 0, "f32[T, columns]");
      RETURN_IF_ERROR(CheckHeadDim(s.op, x.columns()));
      if (s.op.Has(Attr::kTheta) && s.op.Float(Attr::kTheta) <= 0) {
        return Err("rope: theta is {}, expected more than 0", s.op.Float(Attr::kTheta));
      }
      break;
    default:
      if (!IsF32Rows(x)) return WrongOperand(s, 0, "f32[T or B, columns]");
  }
  return std::vector{x};
}

static bool ElementwiseAccepts(OpKind kind, const Type& t) {
  const bool f32 = t.scalar == Scalar::kF32;
  switch (kind) {
    case OpKind::kAdd:
    case OpKind::kMul:
      return t.IsTensor() ? IsF32Rows(t) : f32 || IsInt(t.scalar);
    case OpKind::kSub:
      return f32 || IsInt(t.scalar);
    case OpKind::kMin:
    case OpKind::kMax:
      return f32 || IsSignedInt(t.scalar);
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
      return IsSignedInt(t.scalar);
    case OpKind::kFma:
      return f32;
    default:
      return false;
  }
}

Types InferElementwise(const Site& s) {
  const Type& t = s.type(0);
  const bool shape_fits = s.module.stage == Stage::kLoop ? IsLoopType(t) : t.IsTensor();
  if (!shape_fits || !ElementwiseAccepts(s.op.kind, t))
    return WrongOperand(s, 0, "a type that the op works on");
  for (size_t i = 1; i < s.op.operands.size(); ++i) {
    if (s.type(i) != t) return Err("{}: operands are {} and {}", s.name(), s.type_text(0), s.type_text(i));
  }
  return std::vector{t};
}

// At the loop stage `forward` may pass a tensor, weight or buffer for a parameter of type ptr, and it does not pass the
// executor's parameters.
Types InferCall(const Site& s) {
  if (!s.op.callee.valid() || s.op.callee.index >= s.module.functions.size())
    return Err("call: the callee does not exist");
  const Function& callee = s.module.function(s.op.callee);
  const bool launch = s.module.stage == Stage::kLoop && callee.kind == Function::Kind::kKernel;
  const size_t hidden = launch ? kItemParams : 0;
  if (callee.params.size() < hidden || s.op.operands.size() != callee.params.size() - hidden) {
    return Err("call @{}: {} operands, expected {}", callee.name, s.op.operands.size(),
               callee.params.size() < hidden ? 0 : callee.params.size() - hidden);
  }
  for (size_t i = 0; i < s.op.operands.size(); ++i) {
    const Type& expected = callee.type(callee.params[i]);
    const bool address = launch && expected == PtrType() && s.type(i).IsTensor();
    if (s.type(i) != expected && !address) {
      return Err("call @{}: operand {} is {}, expected {}", callee.name, i + 1, s.type_text(i),
                 ToString(expected));
    }
  }
  return callee.result_types;
}

}  // namespace rules

namespace {

// ---- attributes -------------------------------------------------------------------------------------------

// Sizes and offsets in bytes may be large; all other attributes count columns.
constexpr int64_t kMaxBytes = int64_t{1} << 40;
constexpr int64_t kMaxCount = int64_t{1} << 31;

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
    if ((info.allowed_attrs & bit) == 0) return Err("{}: the op has no attribute {}", info.name, attr.name);
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

using Rule = rules::Types (*)(const rules::Site&);
constexpr Rule kRules[] = {
#define OP(enumerator, spelling, stages, operands, results, regions, rule, ...) rules::Infer##rule,
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
