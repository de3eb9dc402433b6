// IR as text; docs/ir.md has the grammar. Numbers are assigned in printing order, so equal programs print
// equally and print(parse(print(m))) == print(m).
#pragma once

#include <string>
#include <string_view>

#include "ir/core/module.h"

namespace ggufc::ir {

std::string Print(const Module& module);
// One function without the module around it. `with_name` false prints `_` for its name (to compare bodies).
std::string Print(const Module& module, const Function& function, bool with_name = true);
// The line of one op, for messages; its values have the numbers that they have in the whole function's text.
std::string PrintOp(const Module& module, const Function& function, const Op& op);
// A name as IR text writes it after % or @: plain, or quoted where it holds odd characters.
std::string QuoteName(std::string_view name);
// A floating-point attribute as IR text writes it: the shortest text that reads back as the same number.
std::string FormatFloat(double value);

}  // namespace ggufc::ir
