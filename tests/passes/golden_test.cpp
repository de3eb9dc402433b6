// Golden files: golden/NAME.tir, one transformation each. A file has the command, the module, and the expected output:
//
//   // What the pass does to this module.
//   // run: ggufc-opt tests/passes/golden/NAME.tir --passes=fold-scales --activations=i8
//   // target: rows=12 row_block=4         optional: fields of TargetInfo (ggufc-opt has the defaults)
//   // in: weights @forward @kernel        optional: the compared parts of the printed module; default: all
//   // show: dot|load                      optional: a regular expression for the compared lines of these parts
//   module ...
//   // ----
//   // the compared lines
//
// Values are renumbered in the order in which the compared lines name them, so a file does not change when other parts
// of the output do. BLESS=1 rewrites the lines below the dashes. The `run` command, in the source root, prints the
// whole output (for the default target).
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>

#include "ir/text/parser.h"
#include "ir/text/printer.h"
#include "ir/verify/verifier.h"
#include "passes/pipeline.h"
#include "test_paths.h"

namespace ggufc::passes {
namespace {

constexpr std::string_view kDashes = "// ----\n";

std::filesystem::path GoldenFolder() { return SourcePath("tests/passes/golden"); }

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) {
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

struct Golden {
  std::string input;     // all above the dashes
  std::string expected;  // all below
  std::string run;       // the command
  std::vector<std::string> passes;
  PassContext context;
  std::vector<std::string> parts;  // empty: all
  std::optional<std::regex> show;
};

Status SetTarget(const std::string& setting, ir::TargetInfo& target) {
  const size_t equals = setting.find('=');
  const std::string field = setting.substr(0, equals);
  const int value = equals == std::string::npos ? 1 : std::atoi(setting.c_str() + equals + 1);
  if (field == "rows") {
    target.rows = value;
  } else if (field == "row_block") {
    target.row_block = value;
  } else if (field == "pack_q8") {
    target.pack_q8 = value;
  } else if (field == "pack_q7") {
    target.pack_q7 = value;
  } else if (field == "sums_in_registers") {
    target.sums_in_registers = value != 0;
  } else if (field == "fused_dot") {
    target.fused_dot = value != 0;
  } else if (field == "seven_bit_dot") {
    target.seven_bit_dot = value != 0;
  } else {
    return Err("target: no field {}", field);
  }
  return {};
}

Status SetFlag(const std::string& flag, Golden& golden) {
  const std::string value = flag.substr(flag.find('=') + 1);
  if (flag.starts_with("--passes=")) {
    golden.passes = Split(value, ',');
  } else if (flag == "--activations=i16" || flag == "--activations=i8" || flag == "--activations=i7") {
    golden.context.activations = value == "i16"  ? ir::Scalar::kQ16
                                 : value == "i8" ? ir::Scalar::kQ8
                                                 : ir::Scalar::kQ7;
  } else if (flag.starts_with("-")) {
    return Err("run: no flag {}", flag);
  }
  return {};
}

Result<Golden> ReadGolden(const std::string& text) {
  Golden golden;
  const size_t dashes = text.find(kDashes);
  golden.input = text.substr(0, dashes);
  if (dashes != std::string::npos) golden.expected = text.substr(dashes + kDashes.size());
  const auto field = [&](const std::string& name) -> std::string {
    const std::regex line("(?:^|\n)// " + name + ": (.*)");
    std::smatch match;
    return std::regex_search(golden.input, match, line) ? match[1].str() : "";
  };
  golden.run = field("run");
  for (const std::string& flag : Split(golden.run, ' ')) RETURN_IF_ERROR(SetFlag(flag, golden));
  for (const std::string& setting : Split(field("target"), ' ')) {
    RETURN_IF_ERROR(SetTarget(setting, golden.context.target));
  }
  golden.parts = Split(field("in"), ' ');
  if (const std::string show = field("show"); !show.empty()) golden.show = std::regex(show);
  if (golden.passes.empty()) return Err("run: names no passes");
  return golden;
}

Result<std::string> RunPasses(const Golden& golden, const std::string& name) {
  ASSIGN_OR_RETURN(ir::Module module, ir::Parse(golden.input, name));
  RETURN_IF_ERROR(ir::Verify(module));
  for (const std::string& pass_name : golden.passes) {
    const PassInfo* pass = FindPass(pass_name);
    if (pass == nullptr) return Err("no pass {}", pass_name);
    RETURN_IF_ERROR(RunPass(*pass, module, golden.context));
    const std::string text = ir::Print(module);
    ASSIGN_OR_RETURN(const ir::Module again, ir::Parse(text, pass_name));
    if (ir::Print(again) != text) return Err("{}: its text reads back as another", pass_name);
  }
  return ir::Print(module);
}

// `line` with its values renumbered in the order of their first use.
std::string Renumber(const std::string& line, std::map<std::string, size_t>& numbers) {
  static const std::regex kValue("%([a-z_]*)[0-9]+");
  std::string result;
  auto rest = line.begin();
  for (std::sregex_iterator match(line.begin(), line.end(), kValue), end; match != end; ++match) {
    const size_t number = numbers.try_emplace(match->str(), numbers.size()).first->second;
    result.append(rest, line.begin() + match->position());
    result += fmt::format("%{}{}", (*match)[1].str(), number);
    rest = line.begin() + match->position() + match->length();
  }
  return result.append(rest, line.end());
}

// The compared lines of a printed module, each after `// `.
std::string Select(const Golden& golden, const std::string& printed) {
  static const std::regex kFunction("(?:func|kernel|micro) (@[^(]*)\\(.*");
  std::string selected, part = "module";
  std::map<std::string, size_t> numbers;
  std::istringstream lines(printed);
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (std::regex_match(line, match, kFunction)) {
      part = match[1].str();
      numbers.clear();
    }
    if (line.starts_with("weight ")) part = "weights";
    const auto& parts = golden.parts;
    if (line.empty() || (!parts.empty() && std::find(parts.begin(), parts.end(), part) == parts.end()))
      continue;
    if (golden.show && !std::regex_search(line, *golden.show)) continue;
    selected += fmt::format("// {}\n", Renumber(line, numbers));
  }
  return selected;
}

class GoldenTest : public testing::TestWithParam<std::string> {};

TEST_P(GoldenTest, ComesOutAsExpected) {
  const std::filesystem::path path = GoldenFolder() / (GetParam() + ".tir");
  const Result<Golden> golden = ReadGolden(ReadFile(path));
  ASSERT_TRUE(golden.has_value()) << path << ": " << golden.error().message;
  const Result<std::string> printed = RunPasses(*golden, path.filename());
  ASSERT_TRUE(printed.has_value()) << path << ": " << printed.error().message;
  if (std::getenv("BLESS") != nullptr) {
    std::ofstream(path, std::ios::binary) << golden->input << kDashes << Select(*golden, *printed);
    return;
  }
  ASSERT_NE(golden->expected, "") << path << " expects nothing; BLESS=1 fills it in";
  EXPECT_EQ(Select(*golden, *printed), golden->expected) << "run, from the source root: " << golden->run;
}

std::vector<std::string> GoldenNames() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(GoldenFolder())) {
    if (entry.path().extension() == ".tir") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Files, GoldenTest, testing::ValuesIn(GoldenNames()),
                         [](const auto& info) { return info.param; });

TEST(GoldenFilesTest, EveryPassHasOne) {
  std::set<std::string> last;
  for (const std::string& name : GoldenNames()) {
    const Result<Golden> golden = ReadGolden(ReadFile(GoldenFolder() / (name + ".tir")));
    ASSERT_TRUE(golden.has_value()) << name << ": " << golden.error().message;
    last.insert(golden->passes.back());
  }
  for (const PassInfo& pass : AllPasses()) EXPECT_TRUE(last.contains(pass.name)) << pass.name;
}

}  // namespace
}  // namespace ggufc::passes
