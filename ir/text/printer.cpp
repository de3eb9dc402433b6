#include "ir/text/printer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>
#include <vector>

namespace ggufc::ir {
namespace {

bool IsPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '-';
}

// A name hint reduced to lower-case letters and underscores, so that a number can follow it.
std::string CleanHint(const std::string& hint) {
  std::string clean;
  for (const char c : hint) {
    if ((c >= 'a' && c <= 'z') || c == '_') clean += c;
    if (c >= 'A' && c <= 'Z') clean += static_cast<char>(c - 'A' + 'a');
  }
  return clean;
}

std::string FormatAttr(const AttrValue& v) {
  const AttrInfo& info = Info(v.attr);
  if (info.is_float) return fmt::format("{}={}", info.name, FormatFloat(v.f));
  return fmt::format("{}={}", info.name, v.i);
}

std::string Braces(const std::vector<std::string>& items) {
  return items.empty() ? "" : fmt::format(" {{{}}}", fmt::join(items, ", "));
}

class FunctionPrinter {
 public:
  FunctionPrinter(const Module& module, const Function& function)
      : module_(module), function_(function), numbers_(function.values.size(), UINT32_MAX) {}

  // Numbers all values of the function without printing. A block that is used twice (in invalid IR) is visited once.
  void NumberAll() {
    for (const ValueId param : function_.params) Define(param);
    std::vector<bool> seen(function_.blocks.size(), false);
    NumberBlock(function_.body, seen);
  }

  void PrintFunction(bool with_name) {
    static constexpr const char* kKeywords[] = {"func", "kernel", "micro"};
    Append("{} @{}(", kKeywords[static_cast<size_t>(function_.kind)],
           with_name ? QuoteName(function_.name) : "_");
    PrintParams(function_.params);
    text_ += ')';
    if (!function_.result_types.empty()) {
      std::vector<std::string> types;
      for (const Type& type : function_.result_types) types.push_back(ToString(type));
      Append(" -> ({})", fmt::join(types, ", "));
    }
    PrintDomain();
    text_ += " {\n";
    if (function_.body.valid()) PrintBlock(function_.body, 1);
    text_ += "}\n";
  }

  void PrintLine(const Op& op) {
    for (size_t i = 0; i < op.results.size(); ++i) {
      Append("{}{}", i == 0 ? "" : ", ", Define(op.results[i]));
    }
    if (!op.results.empty()) text_ += " = ";
    text_ += Info(op.kind).name;
    if (op.kind == OpKind::kCall) {
      const bool known = op.callee.valid() && op.callee.index < module_.functions.size();
      Append(" @{}(", known ? QuoteName(module_.function(op.callee).name) : "?");
      PrintOperands(op);
      text_ += ')';
    } else if (!op.operands.empty()) {
      text_ += ' ';
      PrintOperands(op);
    }
    std::vector<std::string> attrs;
    for (const AttrValue& v : op.attrs) attrs.push_back(FormatAttr(v));
    text_ += Braces(attrs);
    for (size_t i = 0; i < op.results.size(); ++i) {
      Append("{}{}", i == 0 ? " : " : ", ", ToString(function_.type(op.results[i])));
    }
  }

  std::string Take() { return std::move(text_); }

 private:
  template <typename... Args>
  void Append(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
  }

  std::string Spell(ValueId id) const {
    if (!id.valid() || id.index >= function_.values.size()) return "%?";
    const Value& v = function_.value(id);
    if (v.def == Value::Def::kWeight) {
      const bool known = v.weight.valid() && v.weight.index < module_.weights.size();
      return fmt::format("@{}", known ? QuoteName(module_.weight(v.weight).name) : "?");
    }
    const uint32_t number = numbers_[id.index];
    if (number == UINT32_MAX) return "%?";  // used before its definition; the verifier reports this
    return fmt::format("%{}{}", CleanHint(v.name), number);
  }

  std::string Define(ValueId id) {
    if (id.valid() && id.index < numbers_.size() && numbers_[id.index] == UINT32_MAX)
      numbers_[id.index] = next_++;
    return Spell(id);
  }

  void NumberBlock(BlockId id, std::vector<bool>& seen) {
    if (id.index >= function_.blocks.size() || seen[id.index]) return;
    seen[id.index] = true;
    for (const ValueId arg : function_.block(id).args) Define(arg);
    for (const OpId op_id : function_.block(id).ops) {
      if (op_id.index >= function_.ops.size()) continue;
      for (const ValueId result : function_.op(op_id).results) Define(result);
      for (const BlockId region : function_.op(op_id).regions) NumberBlock(region, seen);
    }
  }

  void PrintParams(const std::vector<ValueId>& params) {
    for (size_t i = 0; i < params.size(); ++i) {
      const std::string name = Define(params[i]);
      Append("{}{}: {}", i == 0 ? "" : ", ", name, ToString(function_.type(params[i])));
    }
  }

  void PrintOperands(const Op& op) {
    for (size_t i = 0; i < op.operands.size(); ++i) Append("{}{}", i == 0 ? "" : ", ", Spell(op.operands[i]));
  }

  void PrintDomain() {
    const Domain& d = function_.domain;
    const auto extent = [](const std::string& size, int64_t grain) {
      return grain == 0 ? fmt::format("({})", size) : fmt::format("({} by {})", size, grain);
    };
    if (d.rows != Symbol::kNone) {
      Append(" rows{} cols{}", extent(ir::Name(d.rows), d.row_grain),
             extent(fmt::format("{}", d.cols), d.col_grain));
    }
    if (d.scratch_bytes != 0) Append(" scratch({})", d.scratch_bytes);
  }

  void PrintBlock(BlockId id, int depth) {
    for (const OpId op_id : function_.block(id).ops) {
      const Op& op = function_.op(op_id);
      text_.append(2 * static_cast<size_t>(depth), ' ');
      PrintLine(op);
      for (const BlockId region : op.regions) {
        text_ += " (";
        PrintParams(function_.block(region).args);
        text_ += ") {\n";
        PrintBlock(region, depth + 1);
        text_.append(2 * static_cast<size_t>(depth), ' ');
        text_ += '}';
      }
      text_ += '\n';
    }
  }

  const Module& module_;
  const Function& function_;
  std::vector<uint32_t> numbers_;
  uint32_t next_ = 0;
  std::string text_;
};

std::string PrintWeight(const Module& module, const Weight& weight) {
  std::string text = "weight @" + QuoteName(weight.name);
  std::vector<std::string> sources;
  for (const WeightId id : weight.sources) {
    const bool known = id.index < module.weights.size();
    sources.push_back(fmt::format("@{}", known ? QuoteName(module.weight(id).name) : "?"));
  }
  switch (weight.def) {
    case Weight::Def::kTensor:
      break;
    case Weight::Def::kConcat:
      text += fmt::format(" = concat({})", fmt::join(sources, ", "));
      break;
    case Weight::Def::kInterleave:
      text += fmt::format(" = interleave({})", fmt::join(sources, ", "));
      break;
    case Weight::Def::kScale:
      text += fmt::format(" = scale({})", fmt::join(sources, ", "));
      break;
    case Weight::Def::kRopeTable:
      text += " = rope_table";
      break;
  }
  text += " : " + ToString(weight.type);
  std::vector<std::string> attrs;
  if (weight.granule != 0) attrs.push_back(fmt::format("granule={}", weight.granule));
  if (weight.factor != 0) attrs.push_back("factor=" + FormatFloat(weight.factor));
  if (weight.pack != 0) attrs.push_back(fmt::format("pack={}", weight.pack));
  if (weight.unit != 0) attrs.push_back(fmt::format("unit={}", weight.unit));
  return text + Braces(attrs) + "\n";
}

}  // namespace

std::string QuoteName(std::string_view name) {
  if (!name.empty() && std::all_of(name.begin(), name.end(), IsPlain)) return std::string(name);
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string FormatFloat(double value) {
  // Whole numbers without an exponent, so that counts and bytes are readable; -0 stays -0.
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (std::trunc(value) == value && std::fabs(value) < kExact && !(value == 0 && std::signbit(value))) {
    return fmt::format("{}", static_cast<int64_t>(value));
  }
  return fmt::format("{}", value);
}

std::string Print(const Module& module, const Function& function, bool with_name) {
  FunctionPrinter printer(module, function);
  printer.PrintFunction(with_name);
  return printer.Take();
}

std::string PrintOp(const Module& module, const Function& function, const Op& op) {
  FunctionPrinter printer(module, function);
  printer.NumberAll();
  printer.PrintLine(op);
  return printer.Take();
}

std::string Print(const Module& module) {
  std::string text = fmt::format("module @{} stage {}\n", QuoteName(module.name), Name(module.stage));
  if (!module.weights.empty()) text += '\n';
  for (const Weight& weight : module.weights) text += PrintWeight(module, weight);
  for (const Function& function : module.functions) text += '\n' + Print(module, function);
  return text;
}

}  // namespace ggufc::ir
