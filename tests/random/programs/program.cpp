#include "program.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>

#include "ir/text/parser.h"
#include "ir/text/printer.h"
#include "ir/verify/verifier.h"

namespace ggufc::programs {
namespace {

constexpr std::string_view kPrefix = "// program ";
constexpr ir::Scalar kActivations[] = {ir::Scalar::kQ16, ir::Scalar::kQ8, ir::Scalar::kQ7};

template <typename T>
Result<T> Number(std::string_view key, std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    return Err("{}={} is not a number", key, text);
  return value;
}

Result<std::vector<int32_t>> Numbers(std::string_view key, std::string_view text) {
  std::vector<int32_t> numbers;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    ASSIGN_OR_RETURN(const int32_t number, Number<int32_t>(key, text.substr(0, comma)));
    numbers.push_back(number);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return numbers;
}

Status ReadField(std::string_view key, std::string_view text, Program& program) {
  if (key == "weights") {
    ASSIGN_OR_RETURN(program.weights, Number<uint64_t>(key, text));
  } else if (key == "turn") {
    ASSIGN_OR_RETURN(program.turn, Number<uint64_t>(key, text));
  } else if (key == "context") {
    ASSIGN_OR_RETURN(program.context_length, Number<int64_t>(key, text));
  } else if (key == "row_block") {
    ASSIGN_OR_RETURN(program.row_block, Number<int64_t>(key, text));
  } else if (key == "tile_rows") {
    ASSIGN_OR_RETURN(program.tile_rows, Number<int64_t>(key, text));
  } else if (key == "lengths") {
    ASSIGN_OR_RETURN(program.batch.lengths, Numbers(key, text));
  } else if (key == "ids") {
    ASSIGN_OR_RETURN(program.batch.ids, Numbers(key, text));
  } else if (key == "activations") {
    const auto mode = std::find_if(std::begin(kActivations), std::end(kActivations),
                                   [&](ir::Scalar scalar) { return text == ir::Name(scalar); });
    if (mode == std::end(kActivations)) return Err("activations={}: expected q16, q8 or q7", text);
    program.activations = *mode;
  } else {
    return Err("{}: unknown field", key);
  }
  return {};
}

Status CheckBatch(const Program& program) {
  const auto& [ids, lengths] = std::tie(program.batch.ids, program.batch.lengths);
  if (lengths.empty() || *std::min_element(lengths.begin(), lengths.end()) < 1)
    return Err("lengths: expected one or more numbers, each at least 1");
  if (std::accumulate(lengths.begin(), lengths.end(), int64_t{0}) != static_cast<int64_t>(ids.size()))
    return Err("lengths: their sum differs from the number of ids, {}", ids.size());
  if (*std::max_element(lengths.begin(), lengths.end()) > program.context_length)
    return Err("lengths: a sequence is longer than context={}", program.context_length);
  if (program.row_block < 1 || program.row_block > 4096) return Err("row_block: expected 1 to 4096");
  if (program.tile_rows < 0 || program.tile_rows > 32) return Err("tile_rows: expected 0 to 32");
  return {};
}

}  // namespace

std::string ToText(const Program& program) {
  return fmt::format(
      "{}weights={} activations={} context={} row_block={} tile_rows={} turn={} lengths={} ids={}\n{}",
      kPrefix, program.weights, ir::Name(program.activations), program.context_length, program.row_block,
      program.tile_rows, program.turn, fmt::join(program.batch.lengths, ","),
      fmt::join(program.batch.ids, ","), ir::Print(program.module));
}

Result<Program> ParseProgram(std::string_view text, std::string_view name) {
  Program program;
  const auto parse = [&]() -> Status {
    if (!text.starts_with(kPrefix)) return Err("the first line is not '{}...'", kPrefix);
    std::string_view line = text.substr(kPrefix.size(), text.find('\n') - kPrefix.size());
    while (!line.empty()) {
      const std::string_view field = line.substr(0, line.find(' '));
      const size_t equals = std::min(field.find('='), field.size());
      RETURN_IF_ERROR(
          ReadField(field.substr(0, equals), field.substr(std::min(equals + 1, field.size())), program));
      line.remove_prefix(std::min(field.size() + 1, line.size()));
    }
    return CheckBatch(program);
  };
  RETURN_IF_ERROR(WithContext(name, parse()));
  ASSIGN_OR_RETURN(program.module, ir::Parse(text, std::string(name)));
  RETURN_IF_ERROR(WithContext(name, ir::Verify(program.module)));
  if (program.module.stage != ir::Stage::kGraph) return Err("{}: the module is not at the graph stage", name);
  return program;
}

size_t OpCount(const Program& program) {
  const ir::Function& forward = program.module.forward();
  return forward.block(forward.body).ops.size() - 1;
}

}  // namespace ggufc::programs
