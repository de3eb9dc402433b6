// Models through the cache: the same bits with and without it, and whatever is wrong with an entry, a folder or a file.
#include "driver/model_opener.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include "driver/cache/file_memo.h"
#include "test_models.h"

namespace ggufc::testing {
namespace {

using driver::CacheUse;
using driver::ModelOpener;
using driver::ModelOpenerOptions;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
namespace fs = std::filesystem;

const std::vector<int32_t> kIds = {2, 300, 301, 302, 17, 1};

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void WriteAll(const std::string& path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  CHECK(out.flush().good(), "{}", path);
}

// What a model says and computes.
struct Ran {
  CacheUse cache = CacheUse::kOff;
  bool stored = false;
  std::vector<float> vector;
  std::vector<int32_t> ids;  // of a text
  std::string fingerprint;
  std::vector<std::string> warnings;
  std::vector<std::string> cache_warnings;
};

class OpenModel : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = ::testing::TempDir() + "ggufc-open-model-" + std::to_string(getpid());
    fs::create_directories(root_);
    options_.cache_folder = root_ + "/cache";
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }

  Result<Ran> TryRun(const std::string& model, ModelOpenerOptions options) const {
    Ran ran;
    options.warn = [&](std::string_view message) { ran.cache_warnings.emplace_back(message); };
    ASSIGN_OR_RETURN(const std::unique_ptr<ModelOpener> opened, ModelOpener::Open(model, std::move(options)));
    ran.warnings = opened->warnings();
    ASSIGN_OR_RETURN(const runtime::Tokenizer* const tokenizer, opened->tokenizer());
    RETURN_IF_ERROR(tokenizer->Encode("The cat sleeps.", ran.ids));
    ASSIGN_OR_RETURN(const std::unique_ptr<runtime::Embedder> embedder, opened->MakeEmbedder({.threads = 1}));
    ran.cache = opened->report().cache;
    ran.stored = opened->report().stored;
    ran.fingerprint = embedder->fingerprint();
    ran.vector.resize(embedder->dims());
    const auto length = static_cast<int32_t>(kIds.size());
    RETURN_IF_ERROR(embedder->Run(kIds, std::span(&length, 1), ran.vector.data()));
    RETURN_IF_ERROR(embedder->Verify().map([](auto&&) {}));
    return ran;
  }
  Ran Run(const std::string& model, const ModelOpenerOptions& options) const {
    return Value(TryRun(model, options));
  }
  Ran Run(const std::string& model) const { return Run(model, options_); }

  // The names in the cache that end in `suffix`.
  std::vector<std::string> Cached(std::string_view suffix) const {
    std::vector<std::string> names;
    if (!fs::exists(options_.cache_folder)) return names;
    for (const auto& entry : fs::directory_iterator(options_.cache_folder)) {
      if (entry.path().string().ends_with(suffix)) names.push_back(entry.path());
    }
    return names;
  }
  std::string Copy(const std::string& name) const {
    fs::copy_file(DataPath(name), root_ + "/" + name, fs::copy_options::overwrite_existing);
    return root_ + "/" + name;
  }
  // As if nobody had touched it for a while, so that a memo is made: as good as a wait.
  static void Settle() { usleep(2'100'000); }

  std::string root_;
  ModelOpenerOptions options_;
};

void ExpectSame(const Ran& a, const Ran& b) {
  EXPECT_EQ(std::memcmp(a.vector.data(), b.vector.data(), a.vector.size() * sizeof(float)), 0);
  EXPECT_EQ(a.vector.size(), b.vector.size());
  EXPECT_EQ(a.ids, b.ids);
  EXPECT_EQ(a.fingerprint, b.fingerprint);
  EXPECT_EQ(a.warnings, b.warnings);
}

TEST_F(OpenModel, AHitHasTheBitsOfAFreshRun) {
  for (const char* name :
       {"tiny-q8_0.gguf", "tiny-f32.gguf", "tiny-f16.gguf", "tiny-bf16.gguf", "tiny-nodense.gguf"}) {
    for (const char* activations : {"i16", "i8", "i7"}) {
      SCOPED_TRACE(fmt::format("{} {}", name, activations));
      ModelOpenerOptions options = options_;
      options.compile.activations = Value(driver::ParseActivations(activations));
      ModelOpenerOptions off = options;
      off.cache_folder.clear();
      off.hash_file = true;
      const Ran fresh = Run(DataPath(name), off), miss = Run(DataPath(name), options),
                hit = Run(DataPath(name), options);
      EXPECT_EQ(fresh.cache, CacheUse::kOff);
      EXPECT_EQ(miss.cache, CacheUse::kMiss);
      EXPECT_TRUE(miss.stored);
      EXPECT_EQ(hit.cache, CacheUse::kHit);
      ExpectSame(fresh, miss);
      ExpectSame(fresh, hit);
      EXPECT_THAT(hit.cache_warnings, IsEmpty());
      // The engine that everything else is compared with.
      const auto model = Value(driver::SourceModel::Open(DataPath(name)));
      const auto engine =
          Value(driver::MakeEmbedder(model, Value(driver::CompileProgram(*model, options.compile)), {}));
      std::vector<float> vector(fresh.vector.size());
      const auto length = static_cast<int32_t>(kIds.size());
      ASSERT_TRUE(engine->Run(kIds, std::span(&length, 1), vector.data()));
      EXPECT_EQ(std::memcmp(vector.data(), hit.vector.data(), vector.size() * sizeof(float)), 0);
    }
  }
  EXPECT_THAT(Cached(".entry"), SizeIs(15));
  EXPECT_THAT(Cached(".tmp"), IsEmpty());
}

TEST_F(OpenModel, WarningsAreThoseOfAFreshRun) {
  EXPECT_THAT(Run(DataPath("tiny-nodense.gguf")).warnings, ElementsAre(HasSubstr("dense")));
  const Ran hit = Run(DataPath("tiny-nodense.gguf"));
  EXPECT_EQ(hit.cache, CacheUse::kHit);
  EXPECT_THAT(hit.warnings, ElementsAre(HasSubstr("dense")));
}

TEST_F(OpenModel, WarningsAboutTheVocabularyAreKept) {
  const std::string model = Copy("tiny-q8_0.gguf");
  std::string bytes = ReadAll(model);
  const std::string key = "tokenizer.ggml.bos_token_id";
  bytes.replace(bytes.find(key), key.size(), "tokenizer.ggml.boX_token_id");
  const std::string piece = "<x639>";
  bytes.replace(bytes.find(piece), piece.size(), "<x638>");
  WriteAll(model, bytes);
  const auto expected = ElementsAre(
      "key 'tokenizer.ggml.bos_token_id' is missing: token 1, '<eos>', is put before each text as BOS",
      AllOf(HasSubstr("key 'tokenizer.ggml.tokens': 1 of 640 tokens have the piece of an earlier one"),
            HasSubstr("with '<x638>' of token")));
  const Ran fresh = Run(model);
  EXPECT_EQ(fresh.cache, CacheUse::kMiss);
  const Ran hit = Run(model);
  EXPECT_EQ(hit.cache, CacheUse::kHit);
  EXPECT_THAT(hit.warnings, expected);
  const auto opened = Value(driver::SourceModel::Open(model));
  EXPECT_THAT(opened->warnings(), IsEmpty());
  ASSERT_TRUE(opened->tokenizer());
  EXPECT_THAT(opened->warnings(), expected);
  ASSERT_TRUE(opened->tokenizer());
  EXPECT_THAT(opened->warnings(), expected) << "once";
}

TEST_F(OpenModel, EachOptionHasAnEntryOfItsOwn) {
  const std::vector<std::function<void(driver::CompileOptions&)>> changes = {
      [](driver::CompileOptions&) {},
      [](driver::CompileOptions& o) { o.activations = ir::Scalar::kQ8; },
      [](driver::CompileOptions& o) { o.activations = ir::Scalar::kQ7; },
      [](driver::CompileOptions& o) { o.dims = 64; },
      [](driver::CompileOptions& o) { o.normalize = false; },
      [](driver::CompileOptions& o) { o.target = &codegen::Targets().front(); }};
  std::vector<Ran> first;
  for (const CacheUse expected : {CacheUse::kMiss, CacheUse::kHit}) {
    for (size_t i = 0; i < changes.size(); ++i) {
      ModelOpenerOptions options = options_;
      changes[i](options.compile);
      Ran ran = Run(DataPath("tiny-q8_0.gguf"), options);
      EXPECT_EQ(ran.cache, expected) << i;
      if (expected == CacheUse::kHit) {
        ExpectSame(ran, first[i]);
      } else {
        first.push_back(std::move(ran));
      }
    }
  }
}

// Each makes a good entry, whose bytes it is given, a bad one. A damaged entry is told, made again, and good after that.
struct BadEntry {
  const char* name;
  std::function<void(std::string& bytes)> damage;
  const char* message;
};

runtime::SectionEntry& SectionOf(std::string& bytes, runtime::SectionKind kind) {
  auto* const header = reinterpret_cast<runtime::ImageHeader*>(bytes.data());
  auto* const sections = reinterpret_cast<runtime::SectionEntry*>(bytes.data() + sizeof(*header));
  return *std::find_if(sections, sections + header->sections, [kind](const runtime::SectionEntry& section) {
    return section.kind == static_cast<uint32_t>(kind);
  });
}

// A byte of a section.
auto Flip(runtime::SectionKind kind) {
  return [kind](std::string& bytes) { bytes[SectionOf(bytes, kind).offset + 3] ^= 1; };
}

// A section changed, and all hashes put right.
auto Forge(runtime::SectionKind kind, const std::function<void(uint8_t* section)>& change) {
  return [kind, change](std::string& bytes) {
    runtime::SectionEntry& section = SectionOf(bytes, kind);
    auto* const data = reinterpret_cast<uint8_t*>(bytes.data());
    change(data + section.offset);
    section.hash = Hash64({data + section.offset, section.bytes});
    auto* const header = reinterpret_cast<runtime::ImageHeader*>(data);
    header->hash = HashOfHeader(
        *header, {reinterpret_cast<runtime::SectionEntry*>(data + sizeof(*header)), header->sections});
  };
}

TEST_F(OpenModel, ABadEntryIsMadeAgain) {
  using runtime::SectionKind;
  const std::string model = DataPath("tiny-q8_0.gguf");
  const Ran good = Run(model);
  ASSERT_THAT(Cached(".entry"), SizeIs(1));
  const std::string path = Cached(".entry")[0], bytes = ReadAll(path);
  ModelOpenerOptions other = options_;
  other.cache_folder = root_ + "/other";
  other.compile.dims = 64;
  Run(model, other);
  std::string other_bytes;
  for (const auto& entry : fs::directory_iterator(other.cache_folder)) {
    if (entry.path().extension() == ".entry") other_bytes = ReadAll(entry.path());
  }

  const std::vector<BadEntry> cases = {
      {"empty", [](std::string& b) { b.clear(); }, "the file is empty"},
      {"a byte", [](std::string& b) { b.resize(1); }, "too short for a header"},
      {"cut in the header", [](std::string& b) { b.resize(100); }, "too short for a table"},
      {"cut in the middle", [](std::string& b) { b.resize(b.size() / 2); }, "it is cut short"},
      {"cut by a page", [](std::string& b) { b.resize(b.size() - 4096); }, "it is cut short"},
      {"appended", [](std::string& b) { b += "x"; }, "has something appended"},
      {"of another kind", [](std::string& b) { b[0] = 'X'; }, "not a ggufc image"},
      {"zeros", [](std::string& b) { b.assign(b.size(), '\0'); }, "not a ggufc image"},
      {"of a newer version", [](std::string& b) { b[8] = 99; }, "the file comes from a newer ggufc"},
      {"of other options", [&](std::string& b) { b = other_bytes; },
       "belongs to another model or to other options"},
      {"info", Flip(SectionKind::kEntry), "entry section: the hash"},
      {"model", Flip(SectionKind::kModel), "model section: the hash"},
      {"tokenizer", Flip(SectionKind::kTokenizer), "tokenizer section: the hash"},
      {"program", Flip(SectionKind::kProgram), "program section: the hash"},
      {"code", Flip(SectionKind::kCode), "code section: the hash"},
      {"table hashes", Flip(SectionKind::kTableHashes), "table hashes section: the hash"},
      {"weights", Flip(SectionKind::kWeights), "weights section: the hash"},
      {"newer info", Forge(SectionKind::kEntry, [](uint8_t* p) { p[8] = 2; }),
       "entry: version 2 (1 is known)"},
      {"no info", Forge(SectionKind::kEntry, [](uint8_t* p) { p[0] = 'X'; }), "entry: magic"},
      {"another key", Forge(SectionKind::kEntry, [](uint8_t* p) { p[20] ^= 1; }), "belongs to another model"},
      {"wrong model", Forge(SectionKind::kModel, [](uint8_t* p) { p[0] = 7; }), "model: name"},
      {"table outside",
       Forge(SectionKind::kModel, [](uint8_t* p) { p[offsetof(runtime::ModelCard, table_offset) + 5] = 1; }),
       "lie outside"},
      {"other dims",
       Forge(SectionKind::kModel, [](uint8_t* p) { p[offsetof(runtime::ModelCard, dims)] = 64; }),
       "dims: the program has 128, the model 64"},
      {"wrong program", Forge(SectionKind::kProgram, [](uint8_t* p) { p[8] = 9; }), "version"},
      {"no code", Forge(SectionKind::kCode, [](uint8_t* p) { p[0] = 0; }), "load code"},
      {"wrong tokenizer", Forge(SectionKind::kTokenizer, [](uint8_t* p) { p[0] = 0; }), ""}};
  for (const BadEntry& bad : cases) {
    SCOPED_TRACE(bad.name);
    std::string damaged = bytes;
    bad.damage(damaged);
    WriteAll(path, damaged);
    const Ran again = Run(model);
    EXPECT_EQ(again.cache, CacheUse::kMiss);
    EXPECT_TRUE(again.stored);
    ExpectSame(again, good);
    ASSERT_THAT(again.cache_warnings, SizeIs(1));
    EXPECT_THAT(again.cache_warnings[0], HasSubstr(bad.message));
    EXPECT_THAT(again.cache_warnings[0], HasSubstr("compiled again"));
    EXPECT_TRUE(ReadAll(path) == bytes) << "equal compilations give equal entries";
    EXPECT_EQ(Run(model).cache, CacheUse::kHit);
  }
}

TEST_F(OpenModel, AnEntryThatOthersCouldHaveWrittenIsNotUsed) {
  const std::string model = DataPath("tiny-q8_0.gguf");
  const Ran good = Run(model);
  const std::string path = Cached(".entry").at(0);
  ASSERT_EQ(chmod(path.c_str(), 0622), 0);
  const Ran again = Run(model);
  EXPECT_EQ(again.cache, CacheUse::kMiss);
  ExpectSame(again, good);
  EXPECT_THAT(again.cache_warnings, ElementsAre(HasSubstr("others may write to it")));
  EXPECT_EQ(fs::status(path).permissions(), fs::perms(0600));
  EXPECT_EQ(Run(model).cache, CacheUse::kHit);
}

TEST_F(OpenModel, AFolderOfOthersIsNotUsed) {
  fs::create_directories(options_.cache_folder);
  ASSERT_EQ(chmod(options_.cache_folder.c_str(), 0777), 0);
  for (int i = 0; i < 2; ++i) {
    const Result<Ran> ran = TryRun(DataPath("tiny-q8_0.gguf"), options_);
    ASSERT_TRUE(ran);
    EXPECT_EQ(ran->cache, CacheUse::kOff);
    EXPECT_THAT(ran->cache_warnings,
                ElementsAre(HasSubstr("others may write to it (permissions 777); going on without it")));
  }
  EXPECT_THAT(Cached(""), IsEmpty());
}

TEST_F(OpenModel, AFolderThatCannotBeMadeIsGoneWithout) {
  WriteAll(root_ + "/file", "x");
  options_.cache_folder = root_ + "/file/cache";
  const Ran ran = Run(DataPath("tiny-q8_0.gguf"));
  EXPECT_EQ(ran.cache, CacheUse::kOff);
  EXPECT_THAT(ran.cache_warnings, ElementsAre(HasSubstr("cannot create")));
}

TEST_F(OpenModel, WhatIsTooLargeIsNotStored) {
  options_.cache_bytes = 1000;
  const Ran ran = Run(DataPath("tiny-q8_0.gguf"));
  EXPECT_EQ(ran.cache, CacheUse::kMiss);
  EXPECT_THAT(ran.cache_warnings,
              ElementsAre(HasSubstr("more than the 1000 that the cache may have; the model is not stored")));
  EXPECT_THAT(Cached(".entry"), IsEmpty());
}

TEST_F(OpenModel, TheCacheStaysWithinItsBound) {
  const std::string model = DataPath("tiny-q8_0.gguf");
  Run(model);
  const uint64_t bytes = fs::file_size(Cached(".entry").at(0));
  options_.cache_bytes = bytes * 5 / 2;
  ModelOpenerOptions second = options_, third = options_;
  second.compile.dims = 100;
  third.compile.dims = 50;
  Run(model, second);
  EXPECT_THAT(Cached(".entry"), SizeIs(2));
  EXPECT_EQ(Run(model).cache, CacheUse::kHit);  // which makes the second the least recently used
  Run(model, third);
  EXPECT_THAT(Cached(".entry"), SizeIs(2));
  EXPECT_EQ(Run(model).cache, CacheUse::kHit);
  EXPECT_EQ(Run(model, third).cache, CacheUse::kHit);
  EXPECT_EQ(Run(model, second).cache, CacheUse::kMiss);
}

// The same name, the same size, other contents: whether a memo was made before or not.
TEST_F(OpenModel, AChangedModelIsAnotherModel) {
  const std::string model = Copy("tiny-q8_0.gguf");
  const std::string original = ReadAll(model);
  const auto tensor_byte = original.size() - 1000;
  for (const bool settled : {false, true}) {
    SCOPED_TRACE(settled);
    WriteAll(model, original);
    if (settled) Settle();
    const Ran before = Run(model);
    EXPECT_THAT(Cached(".memo"), SizeIs(settled ? 1 : 0));
    const Ran known = Run(model);
    EXPECT_EQ(known.cache, CacheUse::kHit);
    ExpectSame(known, before);

    std::string changed = original;
    changed[tensor_byte] ^= 0x40;
    WriteAll(model, changed);
    const Ran after = Run(model);
    EXPECT_EQ(after.cache, settled ? CacheUse::kHit : CacheUse::kMiss) << "of the first round";
    EXPECT_NE(after.fingerprint, before.fingerprint);
    const Ran fresh = [&] {
      ModelOpenerOptions off = options_;
      off.cache_folder.clear();
      off.hash_file = true;
      return Run(model, off);
    }();
    ExpectSame(after, fresh);
  }
}

// The memo says what was in the file, and the file has changed behind it: its table is still compared.
TEST_F(OpenModel, ATableThatIsNotWhatWasCompiledIsFound) {
  const std::string model = Copy("tiny-q8_0.gguf");
  Settle();
  Run(model);
  ASSERT_THAT(Cached(".memo"), SizeIs(1));
  // A memo about the changed file with the contents of the old one: a clock that was set back.
  const driver::FileContents old = Value(driver::HashFile(model));
  std::string bytes = ReadAll(model);
  const auto opened = Value(driver::SourceModel::Open(model));
  const frontend::Tensor* const table = Value(opened->file().GetTensor("token_embd.weight"));
  bytes[static_cast<size_t>(table->data.data() - opened->file().bytes().data()) + 300 * table->row_bytes() +
        5] ^= 1;
  WriteAll(model, bytes);
  driver::FileContents now = Value(driver::HashFile(model));
  now.hash = old.hash;
  const driver::FileMemo memo = driver::MakeMemo(now);
  WriteAll(Cached(".memo")[0], {reinterpret_cast<const char*>(&memo), sizeof(memo)});
  const Result<Ran> ran = TryRun(model, options_);
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().kind, ErrorKind::kBadFile);
  EXPECT_THAT(ran.error().message, HasSubstr("embedding table, which is not what was compiled"));
}

// A write that the file's times do not tell of, as one within a tick of the clock: here through a mapping whose page has
// been written to before.
TEST_F(OpenModel, AFileRewrittenWithinATickIsNotStored) {
  const std::string model = Copy("tiny-q8_0.gguf");
  const size_t size = fs::file_size(model);
  const int fd = open(model.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  void* const address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  ASSERT_NE(address, MAP_FAILED);
  volatile auto* const byte = static_cast<uint8_t*>(address) + size - 1000;
  *byte = *byte;
  std::vector<std::string> warnings;
  options_.warn = [&](std::string_view message) { warnings.emplace_back(message); };
  const auto opened = Value(ModelOpener::Open(model, options_));
  const auto before = fs::last_write_time(model);
  *byte = *byte ^ 0x40;
  EXPECT_TRUE(opened->MakeEmbedder({.threads = 1}));
  munmap(address, size);
  if (fs::last_write_time(model) != before) GTEST_SKIP() << "this file system tells of each write";
  EXPECT_FALSE(opened->report().stored);
  EXPECT_THAT(warnings, ElementsAre(AllOf(HasSubstr("was changed while"), HasSubstr("is not stored"))));
  EXPECT_THAT(Cached(".entry"), IsEmpty());
}

// An entry that could not be read, here because it is a pipe, is compiled anew, and left where nothing takes its place.
TEST_F(OpenModel, OnlyWhatWasReadAndIsWrongIsRemoved) {
  const std::string model = DataPath("tiny-q8_0.gguf");
  Run(model);
  const std::string path = Cached(".entry").at(0);
  ModelOpenerOptions small = options_;
  small.cache_bytes = 1000;
  fs::remove(path);
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_THAT(Run(model, small).cache_warnings, ElementsAre(HasSubstr("not a regular file")));
  EXPECT_THAT(Cached(".entry"), SizeIs(1));
  fs::remove(path);
  WriteAll(path, "damaged");
  EXPECT_THAT(Run(model, small).cache_warnings, ElementsAre(HasSubstr("too short")));
  EXPECT_THAT(Cached(".entry"), IsEmpty());
}

TEST_F(OpenModel, AModelWithoutVocabularyIsForIds) {
  const std::string model = Copy("tiny-q8_0.gguf");
  std::string bytes = ReadAll(model);
  const std::string key = "tokenizer.ggml.tokens";
  bytes.replace(bytes.find(key), key.size(), "tokenizer.ggml.tokenX");
  WriteAll(model, bytes);
  std::vector<std::string> warnings;
  options_.warn = [&](std::string_view message) { warnings.emplace_back(message); };
  const auto opened = Value(ModelOpener::Open(model, options_));
  EXPECT_FALSE(opened->tokenizer());
  const auto embedder = Value(opened->MakeEmbedder({.threads = 1}));
  EXPECT_FALSE(opened->report().stored);
  EXPECT_THAT(warnings, ElementsAre(AllOf(HasSubstr("tokenizer.ggml.tokens"), HasSubstr("is not stored"))));
  EXPECT_THAT(Cached(".entry"), IsEmpty());
  std::vector<float> vector(embedder->dims());
  const auto length = static_cast<int32_t>(kIds.size());
  EXPECT_TRUE(embedder->Run(kIds, std::span(&length, 1), vector.data()));
  std::vector<int32_t> ids;
  EXPECT_THAT(embedder->encoder().Tokenize({"a"}, {}, ids).error().message,
              HasSubstr("takes token ids only"));
}

TEST_F(OpenModel, ErrorsOfTheModelAreThoseWithoutACache) {
  WriteAll(root_ + "/no.gguf", "this is no model");
  ModelOpenerOptions off = options_;
  off.cache_folder.clear();
  for (const std::string& path : {root_ + "/no.gguf", root_ + "/missing.gguf", root_}) {
    const auto with = ModelOpener::Open(path, options_), without = ModelOpener::Open(path, off);
    ASSERT_FALSE(with);
    ASSERT_FALSE(without);
    EXPECT_EQ(with.error().message, without.error().message);
  }
  EXPECT_THAT(Cached(""), IsEmpty());
}

}  // namespace
}  // namespace ggufc::testing
