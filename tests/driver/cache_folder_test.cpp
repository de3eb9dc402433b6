// The folder of a cache: who may have it, what is in it, what goes when there is too much.
#include "driver/cache/cache_folder.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "driver/cache/cache_entry.h"
#include "driver/cache/cache_key.h"
#include "driver/cache/file_memo.h"
#include "test_models.h"

namespace ggufc::testing {
namespace {

using driver::CacheFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

std::string Entry(size_t i) { return fmt::format("{:032x}.entry", i); }
std::string Memo(size_t i) { return fmt::format("{:016x}.memo", i); }

class Cache : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = ::testing::TempDir() + "ggufc-cache-folder-" + std::to_string(getpid());
    path_ = root_ + "/made/of/two";
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }
  // A file that was last used `age` seconds ago.
  void Put(const std::string& name, size_t bytes, int age) const {
    std::ofstream(path_ + "/" + name) << std::string(bytes, 'x');
    timespec times[2] = {{.tv_sec = time(nullptr) - age, .tv_nsec = 0},
                         {.tv_sec = time(nullptr) - age, .tv_nsec = 0}};
    ASSERT_EQ(utimensat(AT_FDCWD, (path_ + "/" + name).c_str(), times, 0), 0);
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(path_)) names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
  }

  std::string root_, path_;
};

TEST(CacheDefaultFolder, FollowsTheEnvironment) {
  EXPECT_EQ(driver::DefaultCacheFolder("/x", "/home/me"), "/x/ggufc");
  EXPECT_EQ(driver::DefaultCacheFolder(nullptr, "/home/me"), "/home/me/.cache/ggufc");
  EXPECT_EQ(driver::DefaultCacheFolder("", "/home/me"), "/home/me/.cache/ggufc");
  EXPECT_EQ(driver::DefaultCacheFolder("relative", "/home/me"), "/home/me/.cache/ggufc");
  EXPECT_EQ(driver::DefaultCacheFolder(nullptr, "relative"), "");
  EXPECT_EQ(driver::DefaultCacheFolder(nullptr, nullptr), "");
}

TEST_F(Cache, IsMadeForItsOwnerAlone) {
  EXPECT_FALSE(Value(CacheFolder::OpenExisting(path_)).has_value());
  const CacheFolder folder = Value(CacheFolder::Open(path_));
  for (const std::string& made : {root_, root_ + "/made", path_}) {
    struct stat info = {};
    ASSERT_EQ(stat(made.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0700u) << made;
  }
  OutputFile file = Value(folder.Write("a.entry"));
  ASSERT_TRUE(file.Write("bytes"));
  EXPECT_FALSE(Value(folder.Read("a.entry")).has_value());
  ASSERT_TRUE(file.Finish());
  const MappedFile read = std::move(*Value(folder.Read("a.entry")));
  EXPECT_EQ(read.bytes().size(), 5u);
  EXPECT_EQ(read.identity().mode, 0600u);
  EXPECT_TRUE(Value(CacheFolder::OpenExisting(path_)).has_value());
}

TEST_F(Cache, WhatOthersMayWriteToIsRefused) {
  const CacheFolder folder = Value(CacheFolder::Open(path_));
  for (const mode_t mode : {0770, 0707, 01777}) {
    ASSERT_EQ(chmod(path_.c_str(), mode), 0);
    EXPECT_THAT(CacheFolder::Open(path_).error().message, HasSubstr("others may write to it")) << mode;
    EXPECT_FALSE(CacheFolder::OpenExisting(path_));
  }
  ASSERT_EQ(chmod(path_.c_str(), 0755), 0);
  EXPECT_TRUE(CacheFolder::Open(path_));

  Put("a.entry", 10, 0);
  ASSERT_EQ(chmod((path_ + "/a.entry").c_str(), 0666), 0);
  EXPECT_THAT(folder.Read("a.entry").error().message,
              HasSubstr("a.entry: others may write to it (permissions 666)"));
  // Written anew, it is nobody else's.
  ASSERT_TRUE(Value(folder.Write("a.entry")).Finish());
  EXPECT_EQ(fs::status(path_ + "/a.entry").permissions(), fs::perms(0600));
}

TEST_F(Cache, WhatBelongsToOthersIsRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  const CacheFolder folder = Value(CacheFolder::Open(path_));
  Put("a.entry", 10, 0);
  ASSERT_EQ(chown((path_ + "/a.entry").c_str(), 12345, 0), 0);
  EXPECT_THAT(folder.Read("a.entry").error().message,
              HasSubstr("a.entry: belongs to user 12345, not to user 0"));
  ASSERT_EQ(chown(path_.c_str(), 12345, 0), 0);
  EXPECT_THAT(CacheFolder::Open(path_).error().message, HasSubstr("belongs to user 12345"));
  EXPECT_FALSE(CacheFolder::OpenExisting(path_));
}

TEST_F(Cache, WhatIsNoFolderIsRefused) {
  fs::create_directories(root_);
  std::ofstream(root_ + "/file") << "x";
  EXPECT_THAT(CacheFolder::Open(root_ + "/file").error().message, HasSubstr("not a folder"));
  EXPECT_THAT(CacheFolder::Open(root_ + "/file/below").error().message, HasSubstr("cannot create"));
}

// A link in place of an entry is replaced, not followed.
TEST_F(Cache, WritingFollowsNoLink) {
  const CacheFolder folder = Value(CacheFolder::Open(path_));
  std::ofstream(root_ + "/mine") << "untouched";
  fs::create_symlink(root_ + "/mine", path_ + "/a.entry");
  OutputFile file = Value(folder.Write("a.entry"));
  ASSERT_TRUE(file.Write("entry"));
  ASSERT_TRUE(file.Finish());
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(path_ + "/a.entry")));
  EXPECT_EQ(fs::file_size(root_ + "/mine"), 9u);
}

TEST_F(Cache, TrimTakesTheLeastRecentlyUsed) {
  const CacheFolder folder = Value(CacheFolder::Open(path_));
  const std::string older = Entry(1), old = Entry(2), recent = Entry(3), kept = Entry(4);
  Put(old, 100, 300);
  Put(older, 100, 400);
  Put(recent, 100, 100);
  Put(kept, 100, 500);
  Put("other.file", 1000, 1000);
  ASSERT_TRUE(folder.Trim(400, kept));
  EXPECT_THAT(Names(), ElementsAre(older, old, recent, kept, "other.file"));
  folder.MarkUsed(older);
  ASSERT_TRUE(folder.Trim(399, kept));
  EXPECT_THAT(Names(), ElementsAre(older, recent, kept, "other.file"));
  ASSERT_TRUE(folder.Trim(150, kept));
  EXPECT_THAT(Names(), ElementsAre(kept, "other.file"));
  ASSERT_TRUE(folder.Trim(0, kept));
  EXPECT_THAT(Names(), ElementsAre(kept, "other.file"));
}

// Faster than the clock that the kernel takes the times of files from.
TEST_F(Cache, UsesInQuickSuccessionKeepTheirOrder) {
  const CacheFolder folder = Value(CacheFolder::Open(path_));
  for (int i = 0; i < 20; ++i) {
    Put(Entry(1), 100, 300);
    Put(Entry(2), 100, 300);
    folder.MarkUsed(Entry(2));
    folder.MarkUsed(Entry(1));
    ASSERT_TRUE(folder.Trim(100, ""));
    ASSERT_THAT(Names(), ElementsAre(Entry(1)));
  }
}

TEST_F(Cache, TrimTakesWhatDeadProcessesLeft) {
  const CacheFolder folder = Value(CacheFolder::Open(path_));
  Put(Entry(1) + ".123-0.tmp", 10, driver::kStaleSeconds + 10);
  Put(Memo(1) + ".4194304-99.tmp", 10, driver::kStaleSeconds + 10);
  Put(Entry(2) + ".124-0.tmp", 10, driver::kStaleSeconds - 60);
  for (size_t i = 0; i < driver::kMaxMemos + 3; ++i) Put(Memo(i), 1, 1000 - static_cast<int>(i));
  ASSERT_TRUE(folder.Trim(1000, ""));
  const std::vector<std::string> names = Names();
  EXPECT_EQ(names.size(), driver::kMaxMemos + 1);
  EXPECT_EQ(std::ranges::count(names, Entry(2) + ".124-0.tmp"), 1);
  EXPECT_EQ(std::ranges::count(names, Memo(2)), 0);
  EXPECT_EQ(std::ranges::count(names, Memo(3)), 1);
}

TEST_F(Cache, ClearTakesItsOwnFilesOnly) {
  const CacheFolder folder = Value(CacheFolder::Open(path_));
  Put(Entry(1), 100, 0);
  Put(Entry(2), 20, 0);
  Put(Memo(3), 3, 0);
  Put(Entry(4) + ".1-0.tmp", 4, 0);
  Put("other", 1000, 0);
  const CacheFolder::Removed removed = Value(folder.Clear());
  EXPECT_EQ(removed.entries, 2u);
  EXPECT_EQ(removed.bytes, 127u);
  EXPECT_THAT(Names(), ElementsAre("other"));
}

// The folder may be one in which others keep what they are at.
TEST_F(Cache, NamesThatOnlyLookLikeItsOwnAreLeftAlone) {
  const CacheFolder folder = Value(CacheFolder::Open(path_));
  std::string upper = Entry(10);
  std::ranges::replace(upper, 'a', 'A');
  std::vector<std::string> others = {"download.tmp",
                                     "thesis.entry",
                                     "notes.memo",
                                     ".entry",
                                     ".memo",
                                     ".tmp",
                                     upper,
                                     Entry(1).substr(1),
                                     "0" + Entry(1),
                                     "0" + Memo(1),
                                     Memo(1).substr(1),
                                     "thesis.entry.1-0.tmp",
                                     Entry(1) + ".tmp",
                                     Entry(1) + ".1.tmp",
                                     Entry(1) + "1-0.tmp",
                                     Entry(1) + ".-0.tmp",
                                     Entry(1) + ".1-.tmp",
                                     Entry(1) + ".1-0.tmp.tmp",
                                     Entry(1) + "~"};
  std::ranges::sort(others);
  for (const std::string& name : others) {
    EXPECT_FALSE(driver::CacheFileOf(name).has_value()) << name;
    Put(name, 10, driver::kStaleSeconds + 10);
  }
  ASSERT_TRUE(folder.Trim(0, ""));
  EXPECT_EQ(Names(), others);
  const CacheFolder::Removed removed = Value(folder.Clear());
  EXPECT_EQ(removed.entries, 0u);
  EXPECT_EQ(removed.bytes, 0u);
  EXPECT_EQ(Names(), others);
}

TEST_F(Cache, MemosAreOfOneFileInOneState) {
  const CacheFolder folder = Value(CacheFolder::Open(path_));
  constexpr int64_t kNow = 1'700'000'000'000'000'000;
  driver::FileContents contents;
  contents.hash = {1, 2};
  contents.file = {
      .device = 3, .inode = 4, .bytes = 5, .modified = kNow - driver::kSettledNanoseconds, .changed = 0};
  EXPECT_FALSE(driver::FindMemo(folder, contents.file).has_value());
  ASSERT_TRUE(driver::KeepMemo(folder, contents, kNow - 1));
  EXPECT_FALSE(driver::FindMemo(folder, contents.file).has_value()) << "it was changed a moment ago";
  contents.file.changed = kNow;
  ASSERT_TRUE(driver::KeepMemo(folder, contents, kNow));
  EXPECT_THAT(Names(), IsEmpty()) << "its attributes were";
  contents.file.changed = contents.file.modified;
  ASSERT_TRUE(driver::KeepMemo(folder, contents, kNow));
  EXPECT_EQ(driver::FindMemo(folder, contents.file), contents);
  for (const std::string& name : Names()) EXPECT_EQ(driver::CacheFileOf(name), driver::CacheFile::kMemo);

  const auto changed = [&](auto&& change) {
    FileIdentity other = contents.file;
    change(other);
    return driver::FindMemo(folder, other);
  };
  EXPECT_FALSE(changed([](FileIdentity& f) { ++f.device; }));
  EXPECT_FALSE(changed([](FileIdentity& f) { ++f.inode; }));
  EXPECT_FALSE(changed([](FileIdentity& f) { ++f.bytes; }));
  EXPECT_FALSE(changed([](FileIdentity& f) { ++f.modified; }));
  EXPECT_FALSE(changed([](FileIdentity& f) { ++f.changed; }));
}

TEST(CacheMemo, EachDamagedByteIsFound) {
  const driver::FileContents contents = {
      {1, 2}, {.device = 3, .inode = 4, .bytes = 5, .modified = 6, .changed = 7}, {8, 9}};
  const driver::FileMemo memo = driver::MakeMemo(contents);
  std::vector<uint8_t> bytes(sizeof(memo));
  std::memcpy(bytes.data(), &memo, sizeof(memo));
  EXPECT_EQ(driver::ReadMemo(bytes, contents.file), contents);
  for (uint8_t& byte : bytes) {
    byte ^= 0x10;
    EXPECT_FALSE(driver::ReadMemo(bytes, contents.file).has_value());
    byte ^= 0x10;
  }
  EXPECT_FALSE(driver::ReadMemo(std::span(bytes).first(bytes.size() - 1), contents.file));
  bytes.push_back(0);
  EXPECT_FALSE(driver::ReadMemo(bytes, contents.file));
  EXPECT_FALSE(driver::ReadMemo({}, contents.file));
}

TEST(CacheKey, HasAllThatDecidesTheCode) {
  const std::string compiler = Value(driver::CompilerIdentity());
  EXPECT_THAT(compiler, HasSubstr("ggufc 0.1.0 build "));
  EXPECT_EQ(compiler, Value(driver::CompilerIdentity()));
  driver::CompileOptions options;
  options.target = &codegen::NativeTarget();
  std::vector<driver::CacheKey> keys = {driver::MakeCacheKey({1, 2}, options, compiler)};
  const auto with = [&](auto&& change) {
    driver::CompileOptions other = options;
    change(other);
    keys.push_back(driver::MakeCacheKey({1, 2}, other, compiler));
  };
  for (const codegen::Target& target : codegen::Targets()) {
    if (&target != options.target) with([&](driver::CompileOptions& o) { o.target = &target; });
  }
  with([](driver::CompileOptions& o) { o.activations = ir::Scalar::kQ8; });
  with([](driver::CompileOptions& o) { o.activations = ir::Scalar::kQ7; });
  with([](driver::CompileOptions& o) { o.dims = 64; });
  with([](driver::CompileOptions& o) { o.normalize = false; });
  with([](driver::CompileOptions& o) { o.emit.replace_intrinsics = true; });
  with([](driver::CompileOptions& o) { o.emit.symbol_prefix = "p"; });
  keys.push_back(driver::MakeCacheKey({1, 3}, options, compiler));
  keys.push_back(driver::MakeCacheKey({2, 2}, options, compiler));
  keys.push_back(driver::MakeCacheKey({1, 2}, options, compiler + "0"));
  std::vector<std::string> names;
  for (const driver::CacheKey& key : keys) names.push_back(key.FileName());
  std::ranges::sort(names);
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
  for (const std::string& name : names) EXPECT_EQ(driver::CacheFileOf(name), driver::CacheFile::kEntry);
}

TEST(EntryInfo, ComesBackAsItWas) {
  const driver::EntryInfo info = {"a key", "/a/model.gguf", "avx2", {"one", "", "three"}};
  const std::vector<uint8_t> bytes = driver::SerializeEntryInfo(info);
  EXPECT_EQ(Value(driver::ParseEntryInfo(bytes)), info);
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(driver::ParseEntryInfo(std::span(bytes).first(length))) << length;
  }
  std::vector<uint8_t> longer = bytes;
  longer.push_back(0);
  EXPECT_THAT(driver::ParseEntryInfo(longer).error().message, HasSubstr("1 bytes after the last warning"));
  std::vector<uint8_t> many = bytes;
  many[12] = 65;
  EXPECT_THAT(driver::ParseEntryInfo(many).error().message, HasSubstr("warnings: 65 (64 are allowed)"));
  std::vector<uint8_t> huge = bytes;
  huge[18] = 0xff;
  EXPECT_THAT(driver::ParseEntryInfo(huge).error().message, HasSubstr("key: 16711685 bytes"));
  const driver::EntryInfo large = {std::string(100'000, 'k'), "m", "t", std::vector<std::string>(100, "w")};
  const driver::EntryInfo cut = Value(driver::ParseEntryInfo(driver::SerializeEntryInfo(large)));
  EXPECT_EQ(cut.key.size(), driver::kMaxEntryTextBytes);
  EXPECT_EQ(cut.warnings.size(), driver::kMaxEntryWarnings);
}

}  // namespace
}  // namespace ggufc::testing
