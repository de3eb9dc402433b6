#include "tools/io/number_list.h"

#include <charconv>

#include "support/text.h"

namespace ggufc::tools {

std::optional<std::vector<int32_t>> ParseNumberList(std::string_view list) {
  std::vector<int32_t> numbers;
  const char* at = list.data();
  const char* const end = at + list.size();
  while (true) {
    int32_t number = 0;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc() || number < 0 || (next != end && *next != ',')) return std::nullopt;
    numbers.push_back(number);
    if (next == end) return numbers;
    at = next + 1;
  }
}

Result<std::vector<int32_t>> ParseIds(std::string_view list) {
  std::optional<std::vector<int32_t>> ids = ParseNumberList(list);
  if (!ids) return Err("{} is not a list of token ids like 2,10,1", Quoted(list));
  return std::move(*ids);
}

}  // namespace ggufc::tools
