#include "tools/roofline/machine/assembly.h"

#include <fmt/format.h>

#include <map>

namespace ggufc::roofline {
namespace {

// Removes the first line from `text` and returns it without its comment and with single spaces.
std::string TakeLine(std::string_view& text) {
  const size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  std::string squeezed;
  for (const char c : line.substr(0, line.find('#'))) {
    const bool space = c == ' ' || c == '\t';
    if (!space) squeezed += c;
    if (space && !squeezed.empty() && squeezed.back() != ' ') squeezed += ' ';
  }
  if (!squeezed.empty() && squeezed.back() == ' ') squeezed.pop_back();
  return squeezed;
}

}  // namespace

AsmFunction FindFunction(std::string_view assembly, std::string_view name) {
  AsmFunction function;
  // The label is the name at the start of a line.
  const std::string label = fmt::format("\n{}:", name);
  const size_t at = assembly.find(label);
  if (at == std::string_view::npos) return function;
  std::string_view rest = assembly.substr(at + 1);
  TakeLine(rest);

  std::map<std::string, size_t> labels;  // index of the next instruction
  while (!rest.empty()) {
    const std::string line = TakeLine(rest);
    if (line.starts_with(".Lfunc_end")) break;
    if (line.ends_with(':')) {
      labels[line.substr(0, line.size() - 1)] = function.instructions.size();
    } else if (!line.empty() && line[0] != '.') {
      function.instructions.push_back(line);
      const size_t space = line.find(' ');
      if (line[0] != 'j' || space == std::string::npos) continue;
      const auto target = labels.find(line.substr(space + 1));
      if (target != labels.end()) function.loops.push_back({target->second, function.instructions.size()});
    }
  }
  return function;
}

}  // namespace ggufc::roofline
