#include "asm_check.h"

#include <algorithm>
#include <map>
#include <sstream>

namespace ggufc::testing {
namespace {

struct Label {
  size_t first = 0;   // index of the next instruction
  int alignment = 0;  // log2
};

struct Body {
  std::vector<std::string> instructions;
  std::map<std::string, Label> labels;
  bool frame_pointer = false;  // %rbp is the frame pointer
};

// A line without its comment, with single spaces.
std::string Normalised(std::string_view line) {
  std::string text;
  for (const char c : line.substr(0, line.find('#'))) {
    const bool space = c == ' ' || c == '\t';
    if (!space) text += c;
    if (space && !text.empty() && text.back() != ' ') text += ' ';
  }
  if (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

Body FunctionBody(std::string_view assembly, std::string_view name) {
  Body body;
  const std::string start = std::string(name) + ":";
  const size_t at = assembly.find("\n" + start);
  if (at == std::string_view::npos) return body;
  const size_t end = assembly.find(".Lfunc_end", at);
  std::istringstream lines{std::string(assembly.substr(at, end == std::string_view::npos ? end : end - at))};
  bool inside = false;
  int alignment = 0;  // of the next label
  for (std::string line; std::getline(lines, line);) {
    const std::string text = Normalised(line);
    if (text == start) {
      inside = true;
    } else if (inside && text.ends_with(":")) {
      body.labels[text.substr(0, text.size() - 1)] = {body.instructions.size(), alignment};
    } else if (inside && text.starts_with(".p2align ")) {
      alignment = std::stoi(text.substr(text.find(' ')));
    } else if (inside && !text.empty() && text[0] != '.') {
      body.instructions.push_back(text);
      alignment = 0;
      body.frame_pointer |= text == "movq %rsp, %rbp";
    }
  }
  return body;
}

bool HasVector(std::string_view text) {
  return text.find("%xmm") != std::string_view::npos || text.find("%ymm") != std::string_view::npos ||
         text.find("%zmm") != std::string_view::npos;
}

// "vmovaps %zmm1, %zmm2": a move without memory or mask whose operands are vector registers.
bool IsVectorMove(std::string_view text) {
  constexpr std::string_view kMoves[] = {"movaps", "movups", "movapd", "movupd", "movdqa", "movdqu"};
  std::string_view name = text.substr(0, text.find(' '));
  if (name.starts_with('v')) name.remove_prefix(1);
  return std::ranges::any_of(kMoves, [&](std::string_view move) { return name.starts_with(move); }) &&
         text.find('(') == std::string_view::npos && text.find('{') == std::string_view::npos;
}

void Append(AsmLoop& loop, const Body& body, size_t i) {
  const std::string& text = body.instructions[i];
  loop.instructions.push_back(text);
  const bool stack = text.find("(%rsp") != std::string::npos;
  const bool frame = body.frame_pointer && text.find("(%rbp") != std::string::npos;
  loop.stack_accesses += stack || frame;
  loop.indexed_operands += HasVector(text) && HasIndexRegister(text);
  loop.vector_moves += IsVectorMove(text);
}

AsmLoop Slice(const Body& body, size_t first, size_t last) {
  AsmLoop loop;
  for (size_t i = first; i < last; ++i) Append(loop, body, i);
  return loop;
}

struct Range {
  size_t first, last;
  int alignment;
};

// One for each jump back.
std::vector<Range> Loops(const Body& body) {
  std::vector<Range> ranges;
  for (size_t i = 0; i < body.instructions.size(); ++i) {
    const std::string& text = body.instructions[i];
    if (text[0] != 'j') continue;
    const auto label = body.labels.find(text.substr(text.find(' ') + 1));
    if (label == body.labels.end() || label->second.first > i) continue;
    ranges.push_back({label->second.first, i + 1, label->second.alignment});
  }
  return ranges;
}

}  // namespace

bool HasIndexRegister(std::string_view instruction) {
  const size_t open = instruction.find('(');
  if (open == std::string_view::npos) return false;
  return instruction.substr(open, instruction.find(')', open) - open).find(',') != std::string_view::npos;
}

int AsmLoop::Count(std::initializer_list<std::string_view> parts) const {
  return static_cast<int>(
      std::count_if(instructions.begin(), instructions.end(), [&](const std::string& text) {
        return std::all_of(parts.begin(), parts.end(),
                           [&](std::string_view part) { return text.find(part) != std::string::npos; });
      }));
}

std::string AsmLoop::Text() const {
  std::string text;
  for (const std::string& instruction : instructions) text += "  " + instruction + "\n";
  return text;
}

std::vector<AsmLoop> InnermostLoops(std::string_view assembly, std::string_view name) {
  const Body body = FunctionBody(assembly, name);
  const std::vector<Range> ranges = Loops(body);
  std::vector<AsmLoop> loops;
  for (const Range& range : ranges) {
    const bool has_inner_loop = std::any_of(ranges.begin(), ranges.end(), [&](const Range& other) {
      return &other != &range && other.first >= range.first && other.last <= range.last;
    });
    if (has_inner_loop) continue;
    loops.push_back(Slice(body, range.first, range.last));
    loops.back().alignment = range.alignment;
  }
  return loops;
}

AsmLoop AllLoops(std::string_view assembly, std::string_view name) {
  const Body body = FunctionBody(assembly, name);
  const std::vector<Range> ranges = Loops(body);
  AsmLoop all;
  for (size_t i = 0; i < body.instructions.size(); ++i) {
    const auto holds = [&](const Range& range) { return range.first <= i && i < range.last; };
    if (std::ranges::any_of(ranges, holds)) Append(all, body, i);
  }
  return all;
}

AsmLoop WholeFunction(std::string_view assembly, std::string_view name) {
  const Body body = FunctionBody(assembly, name);
  return Slice(body, 0, body.instructions.size());
}

}  // namespace ggufc::testing
