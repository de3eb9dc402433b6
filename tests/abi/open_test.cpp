// Opening: which target, which weights, and everything that does not fit together.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "compiled_code.h"
#include "runtime/api/open_code.h"

namespace ggufc::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr uint64_t kNoMachineHasIt = uint64_t{1} << 63;

class OpenTest : public ::testing::Test {
 protected:
  explicit OpenTest(std::vector<std::string> targets = {"native"})
      : compiled_("tiny-q8_0.gguf", {.targets = std::move(targets)}) {
    std::string pattern = ::testing::TempDir() + "/ggufc-open-XXXXXX";
    CHECK(mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
    before_ = std::filesystem::current_path();
    std::filesystem::current_path(folder_);
  }
  ~OpenTest() override {
    std::filesystem::current_path(before_);
    std::filesystem::remove_all(folder_);
  }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  std::string SidecarBesideProgram() const {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path() /
           (std::string(compiled_.code.name) + ".weights");
  }

  void ExpectGood(const char* weights_path = nullptr) {
    ggufc_model* model = nullptr;
    ASSERT_EQ(ggufc_open_code(&compiled_.code, weights_path, &options_, &model), GGUFC_OK)
        << ggufc_last_error();
    const Handle handle(model);
    EXPECT_EQ(testing::Embed(model, {"hello world"}), compiled_.Reference("hello world"));
  }
  void ExpectError(ggufc_status expected, const std::string& message, const char* weights_path = nullptr) {
    auto* model = reinterpret_cast<ggufc_model*>(8);
    const ggufc_status status = ggufc_open_code(&compiled_.code, weights_path, &options_, &model);
    EXPECT_STREQ(ggufc_status_name(status), ggufc_status_name(expected)) << ggufc_last_error();
    EXPECT_THAT(ggufc_last_error(), HasSubstr(message));
    EXPECT_EQ(model, nullptr);
  }

  CompiledCode compiled_;
  ggufc_options options_ = {sizeof(ggufc_options), 1, 0, 0, nullptr};
  std::string folder_;
  std::filesystem::path before_;
};

class TargetsTest : public OpenTest {
 protected:
  TargetsTest() : OpenTest({"generic", "native"}) {}
};

TEST_F(TargetsTest, TheLastTargetThatRuns) {
  EXPECT_STREQ(ggufc_target(Open(compiled_.code, options_).get()),
               std::string(codegen::NativeTarget().name()).c_str());
  options_.target = "generic";
  EXPECT_STREQ(ggufc_target(Open(compiled_.code, options_).get()), "generic");
  ExpectGood();
  options_.target = "native";
  ExpectGood();
}

TEST_F(TargetsTest, ATargetThatTheCpuLacksIsPassedOver) {
  compiled_.targets[1].features |= kNoMachineHasIt;
  EXPECT_STREQ(ggufc_target(Open(compiled_.code, options_).get()), "generic");
  const std::string name = compiled_.targets[1].name;
  options_.target = compiled_.targets[1].name;
  ExpectError(GGUFC_UNSUPPORTED_CPU,
              "tiny: this CPU or its operating system lacks what the code needs: target " + name +
                  " needs feature 63");
  options_.target = nullptr;
  compiled_.targets[0].features = uint64_t{1} << 62;
  ExpectError(GGUFC_UNSUPPORTED_CPU, "target generic needs feature 62; target " + name + " needs feature 63");
}

TEST_F(OpenTest, ChoosesAmongWhatAHostHas) {
  const auto bits = [](const char* list) { return Value(runtime::ParseCpuFeatures(list)); };
  ggufc_code_target targets[3] = {};
  targets[0].name = "generic";
  targets[1].name = "avx2";
  targets[1].features = bits("+avx2,+fma,+f16c");
  targets[2].name = "avx512vnni";
  targets[2].features = bits("+avx2,+fma,+f16c,+avx512f,+avx512vnni");
  ggufc_code code = compiled_.code;
  code.targets = targets;
  code.target_count = 3;
  const auto choose = [&](const char* name, const char* host) -> std::string {
    const auto target = runtime::ChooseTarget(code, name, bits(host));
    return target ? (*target)->name : target.error().message;
  };
  EXPECT_EQ(choose("", ""), "generic");
  EXPECT_EQ(choose("", "avx2,fma"), "generic");
  EXPECT_EQ(choose("", "avx2,fma,f16c,avxvnni"), "avx2");
  EXPECT_EQ(choose("native", "avx2,fma,f16c,avx512f,avx512vnni"), "avx512vnni");
  EXPECT_EQ(choose("generic", "avx2,fma,f16c"), "generic");
  EXPECT_EQ(
      choose("avx512vnni", "avx2,fma,f16c,avx512f"),
      "tiny: this CPU or its operating system lacks what the code needs: target avx512vnni needs avx512vnni");
  EXPECT_EQ(choose("sse5", ""),
            "tiny: target 'sse5' is not among those compiled (generic, avx2, avx512vnni)");
}

TEST_F(OpenTest, WeightsAreFoundInOrder) {
  EXPECT_THAT(runtime::WeightsPlaces(compiled_.code), ElementsAre(SidecarBesideProgram(), "tiny.weights"));
  ExpectGood();  // embedded
  compiled_.WriteSidecar(Path("elsewhere"));
  ExpectError(GGUFC_IO, "tiny: no weights: looked for '" + SidecarBesideProgram() + "', 'tiny.weights'");
  ExpectError(GGUFC_IO, Path("missing") + ": cannot open: No such file", Path("missing").c_str());
  ExpectGood(Path("elsewhere").c_str());
  std::filesystem::rename("elsewhere", "tiny.weights");
  ExpectGood();
  ExpectError(GGUFC_IO, "not a regular file", folder_.c_str());
  ASSERT_EQ(mkfifo("pipe", 0600), 0);
  ExpectError(GGUFC_IO, "not a regular file", "pipe");
}

// What lies beside the program comes before the working directory: here it is broken, which shows who was first.
TEST_F(OpenTest, BesideTheProgramComesFirst) {
  compiled_.code.name = "tiny-beside-the-program";
  const std::string beside = SidecarBesideProgram();
  compiled_.WriteSidecar(beside);
  std::filesystem::resize_file(beside, 0);
  compiled_.WriteSidecar("tiny-beside-the-program.weights");
  ExpectError(GGUFC_BAD_FILE, beside + ": the file is empty");
  std::filesystem::remove(beside);
  ExpectGood();
}

// Of code in a shared library, the folder is the library's, whatever the program's is.
TEST_F(OpenTest, BesideTheSharedLibraryThatHasTheCode) {
  const std::string library = Path("libtiny.so");
  std::filesystem::copy_file(AbiModule(), library);
  void* const module = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(module, nullptr) << dlerror();
  auto* const code = static_cast<ggufc_code*>(dlsym(module, "code_in_module"));
  ASSERT_NE(code, nullptr) << dlerror();
  EXPECT_THAT(runtime::WeightsPlaces(*code), ElementsAre(Path("tiny.weights"), "tiny.weights"));

  compiled_.WriteSidecar(Path("tiny.weights"));
  std::filesystem::current_path("/");
  *code = compiled_.code;
  ggufc_model* model = nullptr;
  EXPECT_EQ(ggufc_open_code(code, nullptr, &options_, &model), GGUFC_OK) << ggufc_last_error();
  EXPECT_EQ(testing::Embed(model, {"hello world"}), compiled_.Reference("hello world"));
  ggufc_close(model);
  EXPECT_EQ(dlclose(module), 0);
}

TEST_F(OpenTest, AnExplicitPathWinsOverEmbeddedWeights) {
  ASSERT_NE(compiled_.code.image, nullptr);
  ExpectError(GGUFC_IO, "missing: cannot open", "missing");
  compiled_.WriteSidecar(Path("other"));
  compiled_.Embed();
  compiled_.image()[0] ^= 1;  // the embedded one is broken now
  ExpectError(GGUFC_BAD_FILE, "tiny (embedded weights): header: not a ggufc image");
  ExpectGood("other");
}

TEST_F(OpenTest, CodeOfAnotherKind) {
  const ggufc_code good = compiled_.code;
  const ggufc_code_target target = compiled_.targets[0];
  const auto expect = [&](auto&& change, const char* message) {
    compiled_.code = good;
    compiled_.targets[0] = target;
    change(compiled_.code, compiled_.targets[0]);
    ExpectError(GGUFC_BAD_FILE, message);
  };
  expect([](auto& c, auto&) { c.magic[7] = 'X'; }, "does not begin with GGUFCOBJ");
  expect([](auto& c, auto&) { c.version = 2; }, "format version 2 (this library knows 1)");
  expect([](auto& c, auto&) { c.version = 0; }, "format version 0");
  expect([](auto& c, auto&) { c.name = nullptr; }, "no name");
  expect([](auto& c, auto&) { c.name = ""; }, "no name");
  expect([](auto& c, auto&) { c.target_count = 0; }, "0 targets (1 to 64)");
  expect([](auto& c, auto&) { c.target_count = 65; }, "65 targets (1 to 64)");
  expect([](auto& c, auto&) { c.targets = nullptr; }, "targets");
  expect([](auto& c, auto&) { c.image_bytes = 0; }, "embedded image");
  expect([](auto& c, auto&) { c.image = nullptr; }, "embedded image");
  expect([](auto& c, auto&) { c.image_bytes -= 4096; }, "tiny (embedded weights)");
  expect([](auto& c, auto&) { c.image += 8; }, "multiple of 64");
  expect([](auto&, auto& t) { t.name = nullptr; }, "target 0 is incomplete");
  expect([](auto&, auto& t) { t.program = nullptr; }, "target 0 is incomplete");
  expect([](auto&, auto& t) { t.program_bytes = 0; }, "target 0 is incomplete");
  expect([](auto&, auto& t) { t.kernels = nullptr; }, "target 0 is incomplete");
  expect([](auto&, auto& t) { t.program_bytes -= 1; }, "tiny: target ");
  expect([](auto&, auto& t) { t.kernel_count -= 1; }, "functions");
  std::vector<ggufc_kernel_fn> holes(target.kernels, target.kernels + target.kernel_count);
  holes.back() = nullptr;
  expect([&](auto&, auto& t) { t.kernels = holes.data(); }, "has no code");
}

TEST_F(OpenTest, PartsOfDifferentModels) {
  const ImageParts good = compiled_.parts;
  const auto expect = [&](auto&& change, ggufc_status status, const char* message) {
    compiled_.parts = good;
    change(compiled_.parts);
    compiled_.Embed();
    ExpectError(status, message);
  };
  expect([](ImageParts& p) { p.fingerprint[15] ^= 1; }, GGUFC_MISMATCH, "weights of another model");
  expect(
      [](ImageParts& p) {
        auto node = p.weights.extract(0xa000);
        node.key() = 0xbeef;
        p.weights.insert(std::move(node));
      },
      GGUFC_MISMATCH, "000000000000a000 is wanted, there is 000000000000beef");
  expect([](ImageParts& p) { p.weights.clear(); }, GGUFC_MISMATCH, "there is none");
  expect([](ImageParts& p) { p.weights[0xa000].resize(p.weights[0xa000].size() - 64); }, GGUFC_BAD_FILE,
         "bytes of packed weights, but there are");
  expect(
      [](ImageParts& p) {
        p.info.dims -= 32;
        p.golden.clear();
      },
      GGUFC_MISMATCH, "dims: the program has 128, the model 96");
  expect([](ImageParts& p) { p.info.context_length += 1; }, GGUFC_MISMATCH,
         "context length: the program has");
  expect([](ImageParts& p) { p.info.vocab -= 1; }, GGUFC_MISMATCH, "vocabulary");
  expect([](ImageParts& p) { p.info.table_row_bytes += 100000; }, GGUFC_BAD_FILE, "tiny: ");
  // Code reads rows by a stride of its own.
  expect([](ImageParts& p) { p.info.table_row_bytes -= 1; }, GGUFC_MISMATCH,
         "embedding table: the program has");
  expect([](ImageParts& p) { p.info.table_offset += 64; }, GGUFC_MISMATCH,
         "embedding table: the program has");
  expect(
      [](ImageParts& p) {
        p.info.table_row_bytes = 1;
        p.tables.resize(static_cast<size_t>(p.info.table_offset + p.info.vocab));
      },
      GGUFC_MISMATCH, "embedding table: the program has");
  expect([](ImageParts& p) { p.tables.resize(static_cast<size_t>(p.info.table_offset) + 5000); },
         GGUFC_BAD_FILE, "tiny: ");
  expect([](ImageParts& p) { p.tokenizer.pop_back(); }, GGUFC_BAD_FILE, "tiny (embedded weights): ");
}

TEST_F(OpenTest, DamagedSidecars) {
  compiled_.WriteSidecar("good");
  const auto size = std::filesystem::file_size("good");
  const auto damage = [&](auto&& change) {
    std::filesystem::copy_file("good", "bad", std::filesystem::copy_options::overwrite_existing);
    change();
  };
  for (const uintmax_t left :
       {uintmax_t{0}, uintmax_t{1}, uintmax_t{63}, uintmax_t{64}, uintmax_t{4096}, size - 4096, size - 1}) {
    damage([&] { std::filesystem::resize_file("bad", left); });
    ExpectError(GGUFC_BAD_FILE, "bad: ", "bad");
  }
  damage([&] { std::filesystem::resize_file("bad", size + 4096); });
  ExpectError(GGUFC_BAD_FILE, "bad: ", "bad");
  ExpectError(GGUFC_BAD_FILE, "not a ggufc image", DataPath("tiny-f32.gguf").c_str());
  ExpectGood("good");
}

// The table is checked where it is used: a damaged row stops the texts that need it, at once or at opening where that
// is asked for, and no others.
TEST_F(OpenTest, DamagedTables) {
  constexpr int32_t kDamaged = 639;
  compiled_.RowInImage(kDamaged)[5] ^= 0x10;
  const Handle model = Open(compiled_.code, options_);
  ASSERT_NE(model, nullptr);
  std::vector<float> out(compiled_.dims());
  const auto embed = [&](std::vector<int32_t> ids) {
    const size_t length = ids.size();
    return ggufc_embed_ids(model.get(), ids.data(), &length, 1, nullptr, out.data(), 0);
  };
  // 64 KiB are checked at a time: row 0 of 640 lies in another chunk.
  EXPECT_EQ(embed({2, 0, 1}), GGUFC_OK) << ggufc_last_error();
  EXPECT_EQ(out, compiled_.Reference(std::vector<int32_t>{2, 0, 1}));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(embed({2, kDamaged, 1}), GGUFC_BAD_FILE);
    EXPECT_THAT(ggufc_last_error(), HasSubstr("the file is damaged"));
  }
  EXPECT_EQ(embed({2, 0, 1}), GGUFC_OK) << ggufc_last_error();
  EXPECT_EQ(ggufc_verify(model.get(), nullptr), GGUFC_BAD_FILE);
  options_.flags = GGUFC_OPEN_CHECK_ALL;
  ExpectError(GGUFC_BAD_FILE, "the file is damaged");
}

TEST_F(OpenTest, GoldenVectorsOfAnotherModel) {
  auto& value = compiled_.parts.golden[1].embedding[17];
  value = std::nextafter(value, 1.0f);
  compiled_.Embed();
  const Handle model = Open(compiled_.code, options_);
  size_t vectors = 99;
  EXPECT_EQ(ggufc_verify(model.get(), &vectors), GGUFC_MISMATCH);
  EXPECT_THAT(ggufc_last_error(), HasSubstr("golden vector 1: component 17 is "));
  compiled_.parts.golden.clear();
  compiled_.Embed();
  EXPECT_EQ(ggufc_verify(Open(compiled_.code, options_).get(), &vectors), GGUFC_OK);
  EXPECT_EQ(vectors, 0u);
}

TEST_F(OpenTest, CheckAllOfAGoodModel) {
  options_.flags = GGUFC_OPEN_CHECK_ALL;
  ExpectGood();
}

TEST_F(OpenTest, WhatAHandleSaysOfItself) {
  const Handle model = Open(compiled_.code, options_);
  EXPECT_STREQ(ggufc_name(model.get()), "a tiny model");
  EXPECT_EQ(ggufc_fingerprint(model.get()), runtime::FingerprintText(compiled_.parts.fingerprint));
  EXPECT_EQ(ggufc_dims(model.get()), 128u);
  EXPECT_EQ(ggufc_vocab(model.get()), 640u);
  EXPECT_EQ(ggufc_context_length(model.get()), 512u);
  EXPECT_EQ(ggufc_threads(model.get()), 1);
}

}  // namespace
}  // namespace ggufc::testing
