#include "ir/core/types.h"

#include <fmt/format.h>

#include "support/check.h"

namespace ggufc::ir {
namespace {

struct ScalarRow {
  const char* name;
  int bits;
};

constexpr ScalarRow kScalars[] = {
#define SCALAR(enumerator, spelling, bits) {spelling, bits},
    GGUFC_SCALARS(SCALAR)
#undef SCALAR
};

std::string ToString(const Dim& dim) {
  return dim.symbol == Symbol::kNone ? fmt::format("{}", dim.size) : Name(dim.symbol);
}

}  // namespace

const char* Name(Scalar scalar) { return kScalars[static_cast<size_t>(scalar)].name; }
int Bits(Scalar scalar) { return kScalars[static_cast<size_t>(scalar)].bits; }

const char* Name(Symbol symbol) {
  switch (symbol) {
    case Symbol::kNone:
      return "";
    case Symbol::kT:
      return "T";
    case Symbol::kB:
      return "B";
    case Symbol::kQ:
      return "Q";
  }
  return "";
}

Type Type::With(Scalar s) const {
  Type result = *this;
  result.scalar = s;
  return result;
}

int64_t Type::Bytes() const {
  CHECK(IsScalar() || IsVector(), "{} has no size in memory", ToString(*this));
  return (static_cast<int64_t>(ir::Bits(scalar)) * lanes + 7) / 8;
}

std::string ToString(const Type& type) {
  switch (type.form) {
    case Type::Form::kNone:
      return "none";
    case Type::Form::kScalar:
      return Name(type.scalar);
    case Type::Form::kVector:
      return fmt::format("{}x{}", Name(type.scalar), type.lanes);
    case Type::Form::kTensor:
      if (type.rank == 2) {
        return fmt::format("{}[{},{}]", Name(type.scalar), ToString(type.dims[0]), ToString(type.dims[1]));
      }
      return fmt::format("{}[{}]", Name(type.scalar), ToString(type.dims[0]));
  }
  return "none";
}

int QuantMax(Scalar s) {
  switch (s) {
    case Scalar::kQ16:
      return 32767;
    case Scalar::kQ8:
      return 127;
    case Scalar::kQ7:
      return 63;
    default:
      CHECK(false, "{} is not a quantised activation", Name(s));
      return 0;
  }
}

}  // namespace ggufc::ir
