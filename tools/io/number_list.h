#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "support/result.h"

namespace ggufc::tools {

// "2,10,1": decimal numbers from 0 to 2^31 - 1 with a comma between two of them. Anything else, also nothing, is no list.
std::optional<std::vector<int32_t>> ParseNumberList(std::string_view list);
// Such a list of token ids. The error does not say where the list stands.
Result<std::vector<int32_t>> ParseIds(std::string_view list);

}  // namespace ggufc::tools
