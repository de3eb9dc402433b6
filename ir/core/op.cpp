#include "ir/core/op.h"

#include <algorithm>
#include <iterator>

namespace ggufc::ir {
namespace {

constexpr uint8_t G = 1 << static_cast<int>(Stage::kGraph);
constexpr uint8_t K = 1 << static_cast<int>(Stage::kKernel);
constexpr uint8_t L = 1 << static_cast<int>(Stage::kLoop);
constexpr int ANY = kAny;

constexpr uint64_t A(Attr attr) { return uint64_t{1} << static_cast<int>(attr); }

constexpr OpInfo MakeInfo(const char* name, int stages, int operands, int results, int regions,
                          uint64_t required, uint64_t optional) {
  return {name, static_cast<uint8_t>(stages), operands, results, regions, required, required | optional};
}

// ops.def names attributes without the enum's name.
using enum Attr;

constexpr OpInfo kOps[] = {
#define OP(enumerator, spelling, stages, operands, results, regions, rule, required, optional) \
  MakeInfo(spelling, stages, operands, results, regions, required, optional),
#include "ir/core/ops.def"
};

constexpr bool Int = false;
constexpr bool Float = true;

constexpr AttrInfo kAttrs[] = {
#define ATTR(enumerator, spelling, kind) {spelling, kind},
#include "ir/core/ops.def"
};
static_assert(std::size(kAttrs) <= 64, "a set of attributes is a 64-bit mask");

}  // namespace

const char* Name(Stage stage) {
  switch (stage) {
    case Stage::kGraph:
      return "graph";
    case Stage::kKernel:
      return "kernel";
    case Stage::kLoop:
      return "loop";
  }
  return "";
}

const OpInfo& Info(OpKind kind) { return kOps[static_cast<size_t>(kind)]; }

std::optional<OpKind> FindOp(std::string_view name) {
  for (size_t i = 0; i < std::size(kOps); ++i) {
    if (name == kOps[i].name) return static_cast<OpKind>(i);
  }
  return std::nullopt;
}

const AttrInfo& Info(Attr attr) { return kAttrs[static_cast<size_t>(attr)]; }

std::optional<Attr> FindAttr(std::string_view name) {
  for (size_t i = 0; i < std::size(kAttrs); ++i) {
    if (name == kAttrs[i].name) return static_cast<Attr>(i);
  }
  return std::nullopt;
}

int AttrCount() { return static_cast<int>(std::size(kAttrs)); }

bool Op::Has(Attr attr) const {
  return std::any_of(attrs.begin(), attrs.end(), [&](const AttrValue& v) { return v.attr == attr; });
}

int64_t Op::Int(Attr attr, int64_t fallback) const {
  for (const AttrValue& v : attrs) {
    if (v.attr == attr) return v.i;
  }
  return fallback;
}

double Op::Float(Attr attr, double fallback) const {
  for (const AttrValue& v : attrs) {
    if (v.attr == attr) return v.f;
  }
  return fallback;
}

void Op::Set(AttrValue value) {
  const auto at =
      std::find_if(attrs.begin(), attrs.end(), [&](const AttrValue& v) { return v.attr >= value.attr; });
  if (at != attrs.end() && at->attr == value.attr) {
    *at = value;
  } else {
    attrs.insert(at, value);
  }
}

void Op::Erase(Attr attr) {
  std::erase_if(attrs, [&](const AttrValue& v) { return v.attr == attr; });
}

}  // namespace ggufc::ir
