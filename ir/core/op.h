// Op kinds, attributes and their properties, generated from ops.def.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "ir/core/types.h"

namespace ggufc::ir {

enum class OpKind : uint8_t {
#define OP(enumerator, ...) enumerator,
#include "ir/core/ops.def"
};

enum class Attr : uint8_t {
#define ATTR(enumerator, ...) enumerator,
#include "ir/core/ops.def"
};

enum class Stage : uint8_t { kGraph, kKernel, kLoop };
const char* Name(Stage stage);

inline constexpr int kAny = -1;

// One row of ops.def.
struct OpInfo {
  const char* name;
  uint8_t stages;  // bit (1 << Stage)
  int operands;    // a count or kAny
  int results;
  int regions;
  uint64_t required_attrs;  // bit (1 << Attr)
  uint64_t allowed_attrs;   // required and optional
};
const OpInfo& Info(OpKind kind);
std::optional<OpKind> FindOp(std::string_view name);

struct AttrInfo {
  const char* name;
  bool is_float;
};
const AttrInfo& Info(Attr attr);
std::optional<Attr> FindAttr(std::string_view name);
int AttrCount();

// An attribute's value. Int attributes use `i`, Float attributes `f`.
struct AttrValue {
  Attr attr;
  int64_t i = 0;
  double f = 0;
  static AttrValue Int(Attr attr, int64_t value) { return {attr, value, 0}; }
  static AttrValue Float(Attr attr, double value) { return {attr, 0, value}; }
  friend bool operator==(const AttrValue&, const AttrValue&) = default;
};

// A plain struct; the Function owns it and every id is valid in that Function only.
struct Op {
  OpKind kind;
  std::vector<ValueId> operands;
  std::vector<ValueId> results;
  std::vector<AttrValue> attrs;  // in ops.def order
  std::vector<BlockId> regions;
  FunctionId callee;  // call only

  bool Has(Attr attr) const;
  // The attribute's value, or `fallback` if the op does not have it.
  int64_t Int(Attr attr, int64_t fallback = 0) const;
  double Float(Attr attr, double fallback = 0) const;
  void Set(AttrValue value);  // adds or replaces; keeps the order of ops.def
  void Erase(Attr attr);
};

}  // namespace ggufc::ir
