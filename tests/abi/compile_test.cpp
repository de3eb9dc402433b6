// ggufc_compile: an opened model like any other, from a model file, through a cache or without one.
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "compiled_code.h"
#include "in_child.h"
#include "runtime/api/ggufc_compiler.h"

namespace ggufc::testing {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

const std::string kModel = DataPath("tiny-q8_0.gguf");

class CompileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "ggufc-compile-" + std::to_string(getpid());
    fs::create_directories(folder_);
    cache_ = folder_ + "/cache";
    options_.cache_folder = cache_.c_str();
    options_.threads = 1;
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  Handle Compile(const std::string& path = kModel) const {
    ggufc_model* model = nullptr;
    EXPECT_EQ(ggufc_compile(path.c_str(), &options_, &model), GGUFC_OK) << ggufc_last_error();
    return Handle(model);
  }
  size_t Entries() const {
    size_t count = 0;
    if (!fs::exists(cache_)) return 0;
    for (const auto& entry : fs::directory_iterator(cache_))
      count += entry.path().extension() == ".entry" ? 1 : 0;
    return count;
  }

  std::string folder_, cache_;
  ggufc_compile_options options_ = GGUFC_COMPILE_OPTIONS_INIT;
};

CompiledCode& Reference() {
  static CompiledCode code("tiny-q8_0.gguf");
  return code;
}

TEST_F(CompileTest, GivesTheVectorsOfEveryOtherWay) {
  const std::vector<std::string> texts = {"The cat sleeps.", "hello world", "a"};
  std::vector<float> expected;
  for (const std::string& text : texts) {
    const std::vector<float> vector = Reference().Reference(text);
    expected.insert(expected.end(), vector.begin(), vector.end());
  }
  std::string fingerprint;
  for (const uint32_t flags : {0u, 0u, GGUFC_COMPILE_NO_CACHE}) {
    options_.flags = flags;
    const Handle model = Compile();
    ASSERT_TRUE(model);
    EXPECT_EQ(Embed(model.get(), texts), expected);
    EXPECT_EQ(ggufc_dims(model.get()), Reference().dims());
    EXPECT_EQ(ggufc_target(model.get()), std::string(codegen::NativeTarget().name()));
    EXPECT_EQ(ggufc_threads(model.get()), 1);
    EXPECT_STREQ(ggufc_fingerprint(model.get()),
                 runtime::FingerprintText(Reference().parts.fingerprint).c_str());
    size_t vectors = 99;
    EXPECT_EQ(ggufc_verify(model.get(), &vectors), GGUFC_OK) << ggufc_last_error();
    EXPECT_EQ(vectors, 0u);
    EXPECT_EQ(Entries(), 1u);
  }
}

TEST_F(CompileTest, OptionsDoWhatTheySay) {
  const std::vector<float> whole = Embed(Compile().get(), {"hello world"});
  options_.dims = 16;
  EXPECT_EQ(ggufc_dims(Compile().get()), 16u);
  options_.flags = GGUFC_COMPILE_NO_NORMALIZE;
  const std::vector<float> raw = Embed(Compile().get(), {"hello world"});
  EXPECT_NE(raw[0], Embed(Compile().get(), {"hello world"}, GGUFC_EMBED_OPTIONS_INIT)[0] * 2);
  options_ = GGUFC_COMPILE_OPTIONS_INIT;
  options_.cache_folder = cache_.c_str();
  options_.threads = 2;
  options_.target = "generic";
  const Handle generic = Compile();
  EXPECT_STREQ(ggufc_target(generic.get()), "generic");
  EXPECT_EQ(ggufc_threads(generic.get()), 2);
  EXPECT_EQ(Embed(generic.get(), {"hello world"}), whole);
  options_.activations = "i8";
  EXPECT_NE(Embed(Compile().get(), {"hello world"}), whole);
  EXPECT_EQ(Entries(), 5u);
  options_.cache_bytes = 1;
  options_.dims = 8;
  Compile();
  EXPECT_EQ(Entries(), 5u) << "larger than the cache";
}

TEST_F(CompileTest, WrongCallsAreStatuses) {
  ggufc_model* model = reinterpret_cast<ggufc_model*>(this);
  EXPECT_EQ(ggufc_compile(kModel.c_str(), &options_, nullptr), GGUFC_INVALID_ARGUMENT);
  const auto expect = [&](const char* path, ggufc_status status, const std::string& message) {
    SCOPED_TRACE(message);
    model = reinterpret_cast<ggufc_model*>(this);
    EXPECT_EQ(ggufc_compile(path, &options_, &model), status);
    EXPECT_EQ(model, nullptr);
    EXPECT_THAT(ggufc_last_error(), HasSubstr(message));
    options_ = GGUFC_COMPILE_OPTIONS_INIT;
    options_.cache_folder = cache_.c_str();
  };
  expect(nullptr, GGUFC_INVALID_ARGUMENT, "model_path is NULL");
  expect("", GGUFC_INVALID_ARGUMENT, "model_path is empty");
  options_.size = 12;
  expect(kModel.c_str(), GGUFC_INVALID_ARGUMENT, "ggufc_compile_options.size is 12");
  options_.flags = 0x80;
  expect(kModel.c_str(), GGUFC_INVALID_ARGUMENT, "flags: 0x80 is not known");
  options_.dims = -1;
  expect(kModel.c_str(), GGUFC_INVALID_ARGUMENT, "dims is -1");
  options_.dims = 129;
  expect(kModel.c_str(), GGUFC_INVALID_ARGUMENT, "dims is 129");
  options_.threads = 1000;
  expect(kModel.c_str(), GGUFC_INVALID_ARGUMENT, "1000 threads");
  options_.chunk_tokens = -1;
  expect(kModel.c_str(), GGUFC_INVALID_ARGUMENT, "chunks of -1 tokens");
  options_.target = "z80";
  expect(kModel.c_str(), GGUFC_INVALID_ARGUMENT, "target 'z80' is not known");
  options_.activations = "i4";
  expect(kModel.c_str(), GGUFC_INVALID_ARGUMENT, "activations 'i4'");
  options_.cache_folder = "relative";
  expect(kModel.c_str(), GGUFC_INVALID_ARGUMENT, "no absolute path");
  expect("/no/such/file", GGUFC_IO, "No such file");
  expect(folder_.c_str(), GGUFC_IO, "not a regular file");
  std::ofstream(folder_ + "/no.gguf") << "no model at all";
  expect((folder_ + "/no.gguf").c_str(), GGUFC_BAD_FILE, "no.gguf");
  for (const codegen::Target& target : codegen::Targets()) {
    if (codegen::HostRuns(target)) continue;
    options_.target = target.info.name.c_str();
    expect(kModel.c_str(), GGUFC_UNSUPPORTED_CPU, "this machine cannot run its code");
  }
}

// Shorter structs are those of older programs.
TEST_F(CompileTest, StructsMayBeShorter) {
  struct {
    size_t size = 16;
    int32_t threads = 1;
    uint32_t flags = GGUFC_COMPILE_NO_CACHE;
    int64_t behind = -1;
  } shorter;
  ggufc_model* model = nullptr;
  EXPECT_EQ(ggufc_compile(kModel.c_str(), reinterpret_cast<const ggufc_compile_options*>(&shorter), &model),
            GGUFC_OK)
      << ggufc_last_error();
  ggufc_close(model);
}

TEST_F(CompileTest, TheUsersCacheIsWhereTheEnvironmentSays) {
  options_.cache_folder = nullptr;
  const char* const before = std::getenv("XDG_CACHE_HOME");
  const std::string old = before != nullptr ? before : "";
  setenv("XDG_CACHE_HOME", folder_.c_str(), 1);
  EXPECT_TRUE(Compile());
  if (before != nullptr) {
    setenv("XDG_CACHE_HOME", old.c_str(), 1);
  } else {
    unsetenv("XDG_CACHE_HOME");
  }
  EXPECT_TRUE(fs::exists(folder_ + "/ggufc"));
}

// An entry that another process damages or removes later does not matter, and a bad one is made again.
TEST_F(CompileTest, DamageIsRepairedSilently) {
  const std::vector<float> expected = Embed(Compile().get(), {"hello world"});
  fs::path entry;
  for (const auto& file : fs::directory_iterator(cache_)) {
    if (file.path().extension() == ".entry") entry = file.path();
  }
  fs::resize_file(entry, 5000);
  EXPECT_EQ(Embed(Compile().get(), {"hello world"}), expected);
  const Handle hit = Compile();
  fs::remove_all(cache_);
  EXPECT_EQ(Embed(hit.get(), {"hello world"}), expected);
  EXPECT_EQ(ggufc_verify(hit.get(), nullptr), GGUFC_OK);
}

TEST_F(CompileTest, ManyThreadsAtOnce) {
  const std::vector<float> expected = Reference().Reference("hello world");
  std::atomic<int> bad{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 3; ++i) {
        ggufc_compile_options options = options_;
        if (t == 5) options.flags = GGUFC_COMPILE_NO_CACHE;
        ggufc_model* model = nullptr;
        float out[128];
        const char* const text = "hello world";
        if (ggufc_compile(kModel.c_str(), &options, &model) != GGUFC_OK ||
            ggufc_embed(model, &text, nullptr, 1, nullptr, out, 0) != GGUFC_OK ||
            std::memcmp(out, expected.data(), sizeof(out)) != 0) {
          ++bad;
        }
        ggufc_close(model);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(bad, 0);
  EXPECT_EQ(Entries(), 1u);
}

// Weights are packed and rope tables made while the caller's rounding mode is another one, and kept for everybody.
TEST_F(CompileTest, TheCallersFloatEnvironmentDoesNotMatter) {
  const std::vector<float> expected = Reference().Reference("hello world");
  const unsigned before = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(before | 0xC040);  // denormals are zero, flush to zero, round towards zero
  const Handle fresh = Compile();
  const unsigned after = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(before);
  EXPECT_EQ(after & 0xC040, 0xC040u);
  EXPECT_EQ(Embed(fresh.get(), {"hello world"}), expected);
  EXPECT_EQ(Embed(Compile().get(), {"hello world"}), expected);
}

#ifndef __SANITIZE_THREAD__  // ThreadSanitizer refuses to start threads in the child of a process that had some

bool EmbedsRight(ggufc_model* model, const std::vector<float>& expected) {
  float out[128];
  const char* const text = "hello world";
  return ggufc_embed(model, &text, nullptr, 1, nullptr, out, 0) == GGUFC_OK &&
         std::memcmp(out, expected.data(), sizeof(out)) == 0;
}

// A handle from the cache and one that was compiled, in children; and a child that compiles.
TEST_F(CompileTest, HandlesSurviveAFork) {
  const std::vector<float> expected = Reference().Reference("hello world");
  options_.threads = 2;
  const Handle fresh = Compile(), cached = Compile();
  for (ggufc_model* const model : {fresh.get(), cached.get()}) {
    ASSERT_TRUE(EmbedsRight(model, expected));
    EXPECT_TRUE(InChild([&] {
      if (!EmbedsRight(model, expected) || ggufc_verify(model, nullptr) != GGUFC_OK) return false;
      ggufc_close(model);
      return true;
    }));
    EXPECT_TRUE(EmbedsRight(model, expected));
  }
  EXPECT_TRUE(InChild([&] {
    options_.dims = 128;
    ggufc_model* model = nullptr;
    return ggufc_compile(kModel.c_str(), &options_, &model) == GGUFC_OK && EmbedsRight(model, expected);
  }));
}

// In a program that lets SIGXFSZ end it.
TEST_F(CompileTest, ALimitOnFilesDoesNotEndTheProgram) {
  EXPECT_TRUE(InChild([&] {
    const rlimit limit = {50'000, 50'000};
    setrlimit(RLIMIT_FSIZE, &limit);
    ggufc_model* model = nullptr;
    const bool compiled = ggufc_compile(kModel.c_str(), &options_, &model) == GGUFC_OK;
    ggufc_close(model);
    sigset_t pending;
    sigpending(&pending);
    return compiled && sigismember(&pending, SIGXFSZ) == 0;
  }));
  EXPECT_EQ(Entries(), 0u);
}

#endif

}  // namespace
}  // namespace ggufc::testing
