// Parses lists of numbers in arguments and files.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "support/result.h"

namespace ggufc::tools {

// "2,10,1": decimal numbers from 0 to 2^31 - 1, separated by commas. nullopt for any other text, the empty one
// included.
std::optional<std::vector<int32_t>> ParseNumberList(std::string_view list);
// The same for token ids. The caller adds the place of the list to the error.
Result<std::vector<int32_t>> ParseIds(std::string_view list);

}  // namespace ggufc::tools
