// Parses IR text. Errors name file, line, column and what was expected. The module is syntactically correct but not yet
// verified: call Verify.
#pragma once

#include <string>
#include <string_view>

#include "ir/core/module.h"
#include "support/result.h"

namespace ggufc::ir {

Result<Module> Parse(std::string_view text, const std::string& file);

}  // namespace ggufc::ir
