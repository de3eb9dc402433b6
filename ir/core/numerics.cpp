#include "ir/core/numerics.h"

#include <fmt/format.h>

#include <set>
#include <string_view>

#include "support/check.h"

namespace ggufc::ir {
namespace {

// Generated from the table's rows, so that naming a family without a row does not compile.
enum class Family : uint8_t {
#define NUMERICS(name, version) name,
#include "ir/core/numerics.def"
  kNone
};

constexpr struct {
  std::string_view name;
  int version;
} kFamilies[] = {
#define NUMERICS(name, version) {#name, version},
#include "ir/core/numerics.def"
};

Family FamilyOf(const Function& function, const Op& op) {
  switch (op.kind) {
    case OpKind::kAttention:
      return op.Int(Attr::kDots) != 0 ? Family::attention_i16 : Family::attention_f32;
    case OpKind::kEmbed:
      return Family::embed;
    case OpKind::kGelu:
      return Family::gelu;
    case OpKind::kL2Normalize:
      return Family::l2_normalize;
    case OpKind::kLinear:
      return function.type(op.operands[0]).IsFloat() ? Family::linear_f32 : Family::linear_int;
    case OpKind::kMeanPool:
      return Family::mean_pool;
    case OpKind::kQuantize:
      return Family::quantize;
    case OpKind::kRmsNorm:
      return Family::rms_norm;
    case OpKind::kRope:
    case OpKind::kRopeTable:
      return Family::rope;
    // Ops that are exact or completely defined by IEEE 754.
    case OpKind::kScaleBy:
    case OpKind::kAdd:
    case OpKind::kMul:
    case OpKind::kSlice:
    case OpKind::kDeinterleave:
    case OpKind::kReturn:
      return Family::kNone;
    default:
      CHECK(false, "op {} has no numerics family", Info(op.kind).name);
      return Family::kNone;
  }
}

}  // namespace

std::string NumericsOf(const Module& module) {
  std::set<Family> used;
  module.forward().ForEachOp([&](OpId, const Op& op) { used.insert(FamilyOf(module.forward(), op)); });
  used.erase(Family::kNone);
  std::string text;
  for (const Family family : used) {
    const auto& row = kFamilies[static_cast<size_t>(family)];
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", row.name, row.version);
  }
  return text;
}

}  // namespace ggufc::ir
