// Prints IR as text; the grammar is in docs/ir.md. Values are numbered in printing order, so equal programs print equal
// text and print(parse(print(m))) == print(m).
#pragma once

#include <string>
#include <string_view>

#include "ir/core/module.h"

namespace ggufc::ir {

std::string Print(const Module& module);
// One function alone. With `with_name` false it prints `_` as the name, which allows comparing bodies.
std::string Print(const Module& module, const Function& function, bool with_name = true);
// The line of one op, for messages. Its values have the same numbers as in the text of the whole function.
std::string PrintOp(const Module& module, const Function& function, const Op& op);
// A name as IR text writes it after @: plain, or quoted if it contains other characters than those of plain names.
std::string QuoteName(std::string_view name);
// A floating-point attribute as IR text writes it: the shortest text that parses to the same number.
std::string FormatFloat(double value);

}  // namespace ggufc::ir
