// The object of several targets: each function's machine code is what the target alone gives, and nothing of it clashes
// with another model's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <regex>
#include <sstream>

#include "codegen/artifact_object.h"
#include "codegen/jit.h"
#include "codegen/object_emitter.h"
#include "driver/aot/artifact_plan.h"
#include "elf_object.h"
#include "runtime/api/code.h"
#include "runtime/store/program_format.h"
#include "test_paths.h"

namespace ggufc::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

template <typename T>
T Value(Result<T> result) {
  EXPECT_TRUE(result) << result.error().message;
  return std::move(*result);
}

struct Planned {
  std::shared_ptr<driver::SourceModel> model;
  driver::ArtifactPlan plan;
  codegen::ArtifactCode code;
};

Planned PlanFor(const std::string& file, ir::Scalar activations) {
  Planned planned;
  planned.model = Value(driver::SourceModel::Open(DataPath(file)));
  std::vector<const codegen::Target*> targets;
  for (const codegen::Target& target : codegen::Targets()) targets.push_back(&target);
  driver::CompileOptions options;
  options.activations = activations;
  planned.plan = Value(driver::PlanArtifact(*planned.model, options, targets));
  planned.code.name = "tiny";
  for (const driver::TargetPlan& part : planned.plan.targets) {
    planned.code.targets.push_back({part.lowered.options.target, &part.lowered.module, part.program.kernels,
                                    runtime::SerializeProgram(part.program), part.layout});
  }
  return planned;
}

// The functions of assembly text by name, their constants and jump tables included, in a form that does not depend on
// what else is in the file: labels without the number of their function, calls without `prefix`.
std::map<std::string, std::string> FunctionTexts(const std::string& assembly, const std::string& prefix) {
  static const std::regex kLabel(R"(\.L(BB|CPI|JTI|func_end)\d+(_?))");
  std::map<std::string, std::string> texts;
  std::map<std::string, std::string> data;  // of a function's number
  std::string* into = nullptr;
  std::istringstream lines(assembly);
  for (std::string line; std::getline(lines, line);) {
    std::smatch label;
    static const std::regex kData(R"(\.L(?:CPI|JTI)(\d+)_\d+:.*)");
    static const std::regex kFunction(R"(([A-Za-z_][\w.]*):.*)");
    static const std::regex kEnd(R"(\.Lfunc_end(\d+):.*)");
    if (std::regex_match(line, label, kData)) {
      into = &data[label[1]];
    } else if (std::regex_match(line, label, kFunction)) {
      std::string name = label[1];
      if (name.starts_with(prefix)) name.erase(0, prefix.size());
      into = &texts[name];
      line.clear();
    } else if (std::regex_match(line, label, kEnd)) {
      // Constants stand before their function, jump tables behind it: both are put behind, under its number.
      if (into != nullptr) *into += "number " + label[1].str() + "\n";
      into = nullptr;
    } else if (line.starts_with("\t.section") || line.starts_with("\t.globl") ||
               line.starts_with("\t.hidden") || line.starts_with("\t.p2align") ||
               line.starts_with("\t.type") || line.starts_with("\t.size") || line.starts_with("\t.text")) {
      continue;
    }
    if (into == nullptr || line.empty()) continue;
    std::string plain = std::regex_replace(line, kLabel, ".L$1$2");
    if (const size_t at = plain.find(prefix); !prefix.empty() && at != std::string::npos)
      plain.erase(at, prefix.size());
    *into += plain + "\n";
  }
  for (auto& [name, text] : texts) {
    static const std::regex kNumber(R"(number (\d+)\n)");
    std::smatch number;
    if (std::regex_search(text, number, kNumber)) {
      const std::string own = data[number[1]];
      text = std::regex_replace(text, kNumber, "") + own;
    }
  }
  return texts;
}

// Equal but for the fields that a linker fills in: those of the function that was compiled alone, where calls are among
// them. (The assembler itself fills in a call of a local function.)
void ExpectSameBytes(const ObjectFunction& alone, const ObjectFunction& among) {
  ASSERT_EQ(alone.code.size(), among.code.size());
  std::vector<uint8_t> a = alone.code, b = among.code;
  for (const uint64_t at : alone.relocated) {
    std::memset(&a.at(at), 0, 4);
    std::memset(&b.at(at), 0, 4);
  }
  EXPECT_EQ(a, b);
  for (const uint64_t at : among.relocated) {
    EXPECT_NE(std::ranges::find(alone.relocated, at), alone.relocated.end()) << at;
  }
}

class MachineCode : public ::testing::TestWithParam<std::tuple<const char*, ir::Scalar>> {};

TEST_P(MachineCode, IsThatOfEachTargetAlone) {
  const auto [file, activations] = GetParam();
  const Planned planned = PlanFor(file, activations);
  const std::vector<uint8_t> bytes = Value(codegen::EmitArtifactObject(planned.code));
  const std::string assembly = Value(codegen::PrintArtifactAssembly(planned.code));
  const ElfObject object(bytes);
  size_t compared = 0;
  for (const driver::TargetPlan& part : planned.plan.targets) {
    const codegen::Target& target = *part.lowered.options.target;
    SCOPED_TRACE(target.name());
    const std::string prefix = target.info.name + ".";
    const std::vector<uint8_t> alone_bytes = Value(codegen::EmitObject(part.lowered.module, target));
    const ElfObject alone(alone_bytes);
    const auto texts = FunctionTexts(Value(codegen::PrintAssembly(part.lowered.module, target)), "");
    const auto own_texts = FunctionTexts(assembly, prefix);
    ASSERT_GE(alone.functions().size(), 10u);
    for (const auto& [name, function] : alone.functions()) {
      SCOPED_TRACE(name);
      const auto found = object.functions().find(prefix + name);
      ASSERT_NE(found, object.functions().end());
      EXPECT_TRUE(found->second.local);
      ExpectSameBytes(function, found->second);
      ASSERT_TRUE(texts.contains(name) && own_texts.contains(name));
      EXPECT_GT(texts.at(name).size(), 100u);
      EXPECT_EQ(texts.at(name), own_texts.at(name));
      ++compared;
    }
  }
  // And nothing else but the function that opens it.
  EXPECT_EQ(object.functions().size(), compared + 1);
}

INSTANTIATE_TEST_SUITE_P(Models, MachineCode,
                         ::testing::Values(std::tuple("tiny-q8_0.gguf", ir::Scalar::kQ16),
                                           std::tuple("tiny-q8_0.gguf", ir::Scalar::kQ8),
                                           std::tuple("tiny-q8_0.gguf", ir::Scalar::kQ7),
                                           std::tuple("tiny-f32.gguf", ir::Scalar::kQ16)),
                         [](const auto& test) {
                           const std::string file = std::get<0>(test.param);
                           return file.substr(5, file.find('.') - 5) + "_" +
                                  std::string(ir::Name(std::get<1>(test.param)));
                         });

TEST(ArtifactObject, ShowsAndNeedsNoMoreThanItMust) {
  Planned planned = PlanFor("tiny-q8_0.gguf", ir::Scalar::kQ16);
  for (const bool main : {false, true}) {
    planned.code.main = main;
    const std::vector<uint8_t> bytes = Value(codegen::EmitArtifactObject(planned.code));
    std::vector<std::string> shown, needed;
    const ElfObject object(bytes);
    for (const auto& [name, symbol] : object.symbols()) {
      if (!symbol.defined) needed.push_back(name);
      if (symbol.defined && !symbol.local) shown.push_back(name);
    }
    if (main) {
      EXPECT_THAT(shown, UnorderedElementsAre("tiny_code", "tiny_open", "main"));
      EXPECT_THAT(needed, UnorderedElementsAre("ggufc_open_code", "ggufc_main"));
    } else {
      EXPECT_THAT(shown, UnorderedElementsAre("tiny_code", "tiny_open"));
      EXPECT_THAT(needed, UnorderedElementsAre("ggufc_open_code"));
    }
  }
}

const ggufc_code* opened = nullptr;

TEST(ArtifactObject, DescriptorIsWhatTheRuntimeReads) {
  Planned planned = PlanFor("tiny-q8_0.gguf", ir::Scalar::kQ8);
  for (size_t i = 0; i < planned.code.fingerprint.size(); ++i)
    planned.code.fingerprint[i] = static_cast<uint8_t>(200 + i);
  const std::vector<uint8_t> bytes = Value(codegen::EmitArtifactObject(planned.code));
  // In the place of ggufc_open_code, a function that sees what it is given.
  const auto open_code = [](const ggufc_code* code, const char* path, const ggufc_options* options,
                            ggufc_model** model) -> ggufc_status {
    opened = code;
    EXPECT_STREQ(path, "path");
    EXPECT_EQ(options, reinterpret_cast<const ggufc_options*>(16));
    EXPECT_EQ(model, reinterpret_cast<ggufc_model**>(32));
    return GGUFC_TOO_LONG;
  };
  const decltype(&ggufc_open_code) function = open_code;
  const codegen::ExternalFunction external[] = {{"ggufc_open_code", reinterpret_cast<const void*>(function)}};
  const codegen::LoadedCode loaded = Value(codegen::LoadedCode::Load(bytes, external));
  const auto open = reinterpret_cast<ggufc_status (*)(const char*, const ggufc_options*, ggufc_model**)>(
      Value(loaded.Lookup("tiny_open")));
  EXPECT_EQ(open("path", reinterpret_cast<const ggufc_options*>(16), reinterpret_cast<ggufc_model**>(32)),
            GGUFC_TOO_LONG);

  ASSERT_EQ(opened, Value(loaded.Lookup("tiny_code")));
  const ggufc_code& code = *opened;
  EXPECT_EQ(std::memcmp(code.magic, GGUFC_CODE_MAGIC, sizeof(code.magic)), 0);
  EXPECT_EQ(code.version, GGUFC_CODE_VERSION);
  EXPECT_EQ(std::memcmp(code.fingerprint, planned.code.fingerprint.data(), 16), 0);
  EXPECT_STREQ(code.name, "tiny");
  EXPECT_EQ(code.image, nullptr);
  EXPECT_EQ(code.image_bytes, 0u);
  ASSERT_EQ(code.target_count, planned.plan.targets.size());
  for (size_t i = 0; i < code.target_count; ++i) {
    const ggufc_code_target& target = code.targets[i];
    const driver::TargetPlan& part = planned.plan.targets[i];
    EXPECT_EQ(target.name, part.lowered.options.target->name());
    EXPECT_EQ(target.features, codegen::RequiredFeatures(*part.lowered.options.target));
    EXPECT_EQ(target.layout, part.layout);
    const auto program = runtime::ParseProgram({target.program, target.program_bytes});
    ASSERT_TRUE(program) << program.error().message;
    EXPECT_EQ(runtime::SerializeProgram(*program), runtime::SerializeProgram(part.program));
    ASSERT_EQ(target.kernel_count, part.program.kernels.size());
    for (size_t k = 0; k < target.kernel_count; ++k) EXPECT_NE(target.kernels[k], nullptr);
  }
  // The code that the compiler makes for no other process cannot be loaded without what it needs.
  EXPECT_FALSE(
      codegen::LoadedCode::Load(bytes).and_then([](const auto& code) { return code.Lookup("tiny_open"); }));
}

TEST(ArtifactObject, ReservesRoomForAnImage) {
  Planned planned = PlanFor("tiny-q8_0.gguf", ir::Scalar::kQ16);
  constexpr uint64_t kImageBytes = 12345 * 4096;
  planned.code.image_bytes = kImageBytes;
  std::vector<uint8_t> bytes = Value(codegen::EmitArtifactObject(planned.code));
  EXPECT_EQ(ElfObject(bytes).symbols().at("tiny_image").bytes, 1u);
  const ElfObject before(bytes);
  codegen::ReserveImage(bytes, kImageBytes);
  EXPECT_EQ(bytes.size() % 4096, 0u);
  const ElfObject after(bytes);
  EXPECT_EQ(after.symbols().at("tiny_image").bytes, kImageBytes);
  ASSERT_EQ(after.functions().size(), before.functions().size());
  for (const auto& [name, function] : before.functions())
    EXPECT_EQ(function.code, after.functions().at(name).code);
}

TEST(ArtifactObject, IsTheSameEveryTime) {
  const Planned a = PlanFor("tiny-q8_0.gguf", ir::Scalar::kQ8),
                b = PlanFor("tiny-q8_0.gguf", ir::Scalar::kQ8);
  EXPECT_EQ(Value(codegen::EmitArtifactObject(a.code)), Value(codegen::EmitArtifactObject(b.code)));
  EXPECT_EQ(Value(codegen::PrintArtifactLlvm(a.code)), Value(codegen::PrintArtifactLlvm(b.code)));
}

TEST(ArtifactPlan, TargetsShareWeightsWhereTheyPackAlike) {
  const auto layouts = [](ir::Scalar activations) {
    const Planned planned = PlanFor("tiny-q8_0.gguf", activations);
    std::vector<uint64_t> ids;
    for (const driver::TargetPlan& part : planned.plan.targets) ids.push_back(part.layout);
    EXPECT_EQ(ids.size(), 4u);
    return std::pair(ids, planned.plan.weights.size());
  };
  const auto [i16, one] = layouts(ir::Scalar::kQ16);
  EXPECT_EQ(one, 1u);
  const auto [i8, two] = layouts(ir::Scalar::kQ8);
  EXPECT_EQ(two, 2u);
  EXPECT_EQ(i8[0], i8[1]);  // generic and avx2 multiply 16-bit numbers
  EXPECT_EQ(i8[2], i8[3]);
  EXPECT_NE(i8[0], i8[2]);
  EXPECT_EQ(i16[0], i8[0]);  // the same bytes, whatever the mode
  // Of another model file of the same shapes but other types, nothing is the same.
  const Planned other = PlanFor("tiny-f32.gguf", ir::Scalar::kQ16);
  EXPECT_NE(other.plan.targets[0].layout, i16[0]);
}

}  // namespace
}  // namespace ggufc::testing
