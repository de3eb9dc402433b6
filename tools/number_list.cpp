#include "tools/number_list.h"

#include <charconv>

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

}  // namespace ggufc::tools
