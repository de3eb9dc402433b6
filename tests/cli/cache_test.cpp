// The cache as a user meets it: embed with it, without it, with one that cannot be used, from many processes, stopped at
// any moment; and ggufc cache.
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <memory>
#include <random>
#include <thread>

#include "running_ggufc.h"

namespace ggufc::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;
using Arguments = std::vector<std::string>;
namespace fs = std::filesystem;

constexpr uid_t kNobody = 65534;

class Cache : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    before_ = std::getenv("XDG_CACHE_HOME");
    home_ = File("home");
    setenv("XDG_CACHE_HOME", home_.c_str(), 1);
  }
  void TearDown() override {
    setenv("XDG_CACHE_HOME", before_.c_str(), 1);
    CliTest::TearDown();
  }
  std::string Folder() const { return home_ + "/ggufc"; }
  std::vector<std::string> Kept(std::string_view suffix) const {
    std::vector<std::string> names;
    if (!fs::exists(Folder())) return names;
    for (const auto& entry : fs::directory_iterator(Folder())) {
      if (entry.path().string().ends_with(suffix)) names.push_back(entry.path());
    }
    return names;
  }
  // What embed says of the cache, and the vector on stdout. `more` are further arguments.
  Outcome Embed(const Arguments& more = {}) const {
    Arguments arguments = {"embed", model_, "The cat sleeps.", "--stats"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    Outcome outcome = RunGgufc(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome;
  }

  std::string home_, before_;
};

TEST_F(Cache, EmbedKeepsWhatItHasCompiled) {
  const Outcome off = Embed({"--no-cache"});
  EXPECT_THAT(off.err, AllOf(HasSubstr("cache        off\n"), HasSubstr("compile ")));
  EXPECT_THAT(Kept(""), IsEmpty());
  const Outcome miss = Embed();
  EXPECT_THAT(miss.err, AllOf(HasSubstr("cache        miss: stored"), HasSubstr("compile ")));
  const Outcome hit = Embed();
  EXPECT_THAT(hit.err, AllOf(HasSubstr("cache        hit: "), Not(HasSubstr("compile "))));
  EXPECT_THAT(Embed({"--no-cache"}).err, HasSubstr("cache        off\n"));
  EXPECT_EQ(miss.out, off.out);
  EXPECT_EQ(hit.out, off.out);
  for (const char* line : {"model  ", "fingerprint  ", "target  ", "code  ", "weights  ", "ffn_down"}) {
    EXPECT_THAT(hit.err, HasSubstr(line));
  }
  const auto line_of = [](const Outcome& outcome, const std::string& start) {
    const std::vector<std::string> lines = Lines(outcome.err);
    return *std::ranges::find_if(lines, [&](const std::string& line) { return line.starts_with(start); });
  };
  for (const char* line : {"model", "fingerprint", "target", "code", "weights"}) {
    EXPECT_EQ(line_of(hit, line), line_of(off, line));
    EXPECT_EQ(line_of(miss, line), line_of(off, line));
  }
  EXPECT_EQ(Kept(".entry").size(), 1u);
  EXPECT_EQ(fs::status(Folder()).permissions(), fs::perms(0700));
  EXPECT_EQ(fs::status(Kept(".entry")[0]).permissions(), fs::perms(0600));
}

TEST_F(Cache, WarningsAboutTheModelStay) {
  const std::string model = DataPath("tiny-nodense.gguf");
  const Outcome fresh = RunGgufc({"embed", model, "x", "--no-cache"});
  EXPECT_THAT(fresh.err, StartsWith("ggufc: warning: " + model + ": "));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(RunGgufc({"embed", model, "x"}).err, fresh.err);
}

TEST_F(Cache, ErrorsOfDocumentsStay) {
  Embed();
  for (const Arguments& wrong :
       {Arguments{"--ids", "2,5000000,1"}, Arguments{""}, Arguments{"x", "--prompt", "no such"},
        Arguments{"--ids", "2,1", "--dims", "1000"}, Arguments{"x", "--input", File("missing.jsonl")}}) {
    Arguments with = {"embed", model_}, without;
    with.insert(with.end(), wrong.begin(), wrong.end());
    without = with;
    without.push_back("--no-cache");
    const Outcome a = RunGgufc(with), b = RunGgufc(without);
    EXPECT_EQ(a.status, b.status);
    EXPECT_EQ(a.err, b.err);
    EXPECT_NE(a.status, 0);
  }
}

TEST_F(Cache, ListPathAndClear) {
  EXPECT_EQ(RunGgufc({"cache", "path"}).out, Folder() + "\n");
  EXPECT_THAT(RunGgufc({"cache", "list"}).out, IsEmpty());
  EXPECT_EQ(RunGgufc({"cache", "clear"}).out, "0 entries removed, 0 bytes\n");
  EXPECT_FALSE(fs::exists(home_)) << "looking makes no folder";
  Embed();
  Embed({"--activations", "i8", "--target", "generic", "--dims", "64"});
  WriteFile(Folder() + "/" + std::string(32, '0') + ".entry", "damaged");
  WriteFile(Folder() + "/somebodys.entry", "not one");
  const Outcome list = RunGgufc({"cache", "list"});
  EXPECT_EQ(list.status, 0) << list.err;
  const std::vector<std::string> lines = Lines(list.out);
  ASSERT_THAT(lines, SizeIs(4));
  EXPECT_THAT(lines[0],
              AllOf(StartsWith("model"), HasSubstr("target"), HasSubstr("bytes"), EndsWith("last used")));
  EXPECT_THAT(list.out, HasSubstr("tiny-q8_0.gguf"));
  EXPECT_THAT(list.out, ::testing::ContainsRegex("generic +i8 +64 +[0-9,]+ +20[0-9][0-9]-"));
  EXPECT_THAT(list.out, ::testing::ContainsRegex("i16 +128 +[0-9,]+ +20[0-9][0-9]-"));
  EXPECT_THAT(list.out, HasSubstr("(damaged) " + std::string(32, '0') + ".entry"));
  const Outcome clear = RunGgufc({"cache", "clear"});
  EXPECT_THAT(clear.out, AllOf(StartsWith("3 entries removed, "), EndsWith(" bytes\n")));
  EXPECT_THAT(Kept(""), ElementsAre(Folder() + "/somebodys.entry"));
  EXPECT_THAT(Embed().err, HasSubstr("cache        miss"));
}

TEST_F(Cache, MistakesInTheCommandLine) {
  for (const Arguments& wrong :
       {Arguments{"cache"}, Arguments{"cache", "purge"}, Arguments{"cache", "list", "x"}}) {
    EXPECT_EQ(RunGgufc(wrong).status, 2);
  }
  EXPECT_EQ(RunGgufc({"cache", "--help"}).status, 0);
  EXPECT_THAT(RunGgufc({"embed", "--help"}).out, HasSubstr("--no-cache"));
}

TEST_F(Cache, NoEnvironmentNoCache) {
  unsetenv("XDG_CACHE_HOME");
  const char* const home = std::getenv("HOME");
  const std::string old_home = home != nullptr ? home : "";
  unsetenv("HOME");
  EXPECT_THAT(Embed().err, AllOf(HasSubstr("cache        off\n"), Not(HasSubstr("ggufc: cache"))));
  const Outcome path = RunGgufc({"cache", "path"});
  EXPECT_EQ(path.status, 1);
  EXPECT_THAT(path.err, HasSubstr("neither XDG_CACHE_HOME nor HOME is an absolute path"));
  setenv("HOME", File("me").c_str(), 1);
  EXPECT_THAT(Embed().err, HasSubstr("miss: stored"));
  EXPECT_TRUE(fs::exists(File("me") + "/.cache/ggufc"));
  if (home != nullptr) setenv("HOME", old_home.c_str(), 1);
}

// Runs embed as a user who may read but not write; a file may have `file_bytes`.
Outcome EmbedAsNobody(const std::string& model, rlim_t file_bytes = RLIM_INFINITY) {
  RunningGgufc running({"embed", model, "The cat sleeps."}, [file_bytes] {
    const rlimit limit = {file_bytes, file_bytes};
    setrlimit(RLIMIT_FSIZE, &limit);
    if (geteuid() == 0 && (setgid(kNobody) != 0 || setuid(kNobody) != 0)) _exit(126);
  });
  return running.Wait();
}

TEST_F(Cache, AFolderThatCannotBeWrittenIsReadAndNoMore) {
  const std::string expected = RunGgufc({"embed", model_, "The cat sleeps."}).out;
  const bool root = geteuid() == 0;
  const auto give = [&](const std::string& path) {
    if (root) {
      ASSERT_EQ(chown(path.c_str(), kNobody, kNobody), 0);
    }
  };
  ASSERT_EQ(chmod(home_.c_str(), 0755), 0);
  for (const std::string& path : Kept("")) give(path);
  give(Folder());
  ASSERT_EQ(chmod(Folder().c_str(), 0500), 0);
  const Outcome hit = EmbedAsNobody(model_);
  if (hit.status == 126) GTEST_SKIP() << "cannot become another user";
  EXPECT_EQ(hit.status, 0) << hit.err;
  EXPECT_EQ(hit.out, expected);
  EXPECT_THAT(hit.err, IsEmpty());
  // Nothing to hit: it is compiled, with a word about the cache.
  ASSERT_EQ(unlink(Kept(".entry").at(0).c_str()), 0);
  const Outcome miss = EmbedAsNobody(model_);
  EXPECT_EQ(miss.status, 0) << miss.err;
  EXPECT_EQ(miss.out, expected);
  EXPECT_THAT(miss.err,
              AllOf(StartsWith("ggufc: warning: cache: "), HasSubstr("cannot create: Permission denied"),
                    EndsWith("the model is not stored\n")));
  EXPECT_THAT(Lines(miss.err), SizeIs(1));
  ASSERT_EQ(chmod(Folder().c_str(), 0700), 0);
}

// Here for want of rights; it could be memory, or too many open files.
TEST_F(Cache, AnEntryThatCannotBeReadMayBeGood) {
  const std::string expected = Embed({"--threads", "1"}).out, entry = Kept(".entry").at(0),
                    bytes = ReadFile(entry);
  ASSERT_EQ(chmod(home_.c_str(), 0755), 0);
  for (const std::string& path : {entry, Folder()}) {
    ASSERT_TRUE(geteuid() != 0 || chown(path.c_str(), kNobody, kNobody) == 0);
  }
  ASSERT_EQ(chmod(entry.c_str(), 0), 0);
  // It is not replaced either.
  const Outcome outcome = EmbedAsNobody(model_, 100'000);
  if (outcome.status == 126) GTEST_SKIP() << "cannot become another user";
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out, expected);
  EXPECT_THAT(outcome.err,
              AllOf(StartsWith("ggufc: warning: cache: " + entry), HasSubstr("Permission denied")));
  ASSERT_TRUE(fs::exists(entry));
  ASSERT_EQ(chmod(entry.c_str(), 0600), 0);
  EXPECT_TRUE(ReadFile(entry) == bytes);
  EXPECT_THAT(EmbedAsNobody(model_).err, IsEmpty()) << "a hit";
}

TEST_F(Cache, AFolderOfSomebodyElseIsNotUsed) {
  Embed();
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  const std::vector<std::string> kept = Kept("");
  ASSERT_EQ(chown(Folder().c_str(), kNobody, kNobody), 0);
  const Outcome outcome = Embed();
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("belongs to user 65534, not to user 0; going on without it"),
                                 HasSubstr("cache        off\n")));
  EXPECT_EQ(RunGgufc({"cache", "clear"}).status, 1);
  EXPECT_EQ(RunGgufc({"cache", "list"}).status, 1);
  EXPECT_EQ(Kept(""), kept);
}

// As on a disk that is full.
TEST_F(Cache, AnEntryThatDoesNotFitIsLeftOut) {
  const std::string expected = RunGgufc({"embed", model_, "The cat sleeps.", "--no-cache"}).out;
  RunningGgufc running({"embed", model_, "The cat sleeps."}, [] {
    const rlimit limit = {100'000, 100'000};
    setrlimit(RLIMIT_FSIZE, &limit);
  });
  const Outcome outcome = running.Wait();
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out, expected);
  EXPECT_THAT(outcome.err,
              AllOf(StartsWith("ggufc: warning: cache: "), HasSubstr("cannot write: File too large")));
  EXPECT_THAT(Kept(".entry"), IsEmpty());
  EXPECT_THAT(Kept(".tmp"), IsEmpty());
}

TEST_F(Cache, ManyProcessesAtOnce) {
  const std::string expected = RunGgufc({"embed", model_, "The cat sleeps.", "--no-cache"}).out;
  for (int round = 0; round < 3; ++round) {
    std::vector<std::unique_ptr<RunningGgufc>> running;
    for (int i = 0; i < 8; ++i) {
      Arguments arguments = {"embed", model_, "The cat sleeps.", "--threads", "1"};
      if (i == 7) arguments = {"cache", "clear"};
      running.push_back(std::make_unique<RunningGgufc>(arguments));
    }
    for (size_t i = 0; i < running.size(); ++i) {
      const Outcome outcome = running[i]->Wait();
      EXPECT_EQ(outcome.status, 0) << outcome.err;
      if (i == 7) continue;
      EXPECT_EQ(outcome.out, expected);
    }
  }
  EXPECT_THAT(Kept(".tmp"), IsEmpty());
  EXPECT_THAT(RunGgufc({"embed", model_, "The cat sleeps."}).out, expected);
}

// SIGKILL at any moment. What is left is an entry or none, and temporary files, which a later run removes.
TEST_F(Cache, KilledWhileStoring) {
  const Outcome whole = Embed();
  const std::string entry = Kept(".entry").at(0), bytes = ReadFile(entry);
  const std::string expected = whole.out;
  std::mt19937 random(5);
  std::uniform_real_distribution<double> moment(0, 0.4);
  for (int round = 0; round < 30; ++round) {
    unlink(entry.c_str());
    RunningGgufc running({"embed", model_, "The cat sleeps.", "--threads", "1"});
    std::this_thread::sleep_for(std::chrono::duration<double>(moment(random)));
    running.Signal(SIGKILL);
    running.Wait();
    EXPECT_TRUE(!fs::exists(entry) || ReadFile(entry) == bytes);
  }
  // And surely one that was in the middle.
  WriteFile(entry + ".1-0.tmp", bytes.substr(0, bytes.size() / 2));
  unlink(entry.c_str());
  EXPECT_EQ(Embed().out, expected);
  EXPECT_THAT(Kept(".tmp"), Not(IsEmpty())) << "it could be somebody's who is still at it";
  for (const std::string& name : Kept(".tmp")) {
    fs::last_write_time(name, fs::file_time_type::clock::now() - std::chrono::hours(1));
  }
  unlink(entry.c_str());
  EXPECT_EQ(Embed().out, expected);
  EXPECT_THAT(Kept(".tmp"), IsEmpty());
  EXPECT_TRUE(ReadFile(entry) == bytes);
}

// Signals that a user sends leave nothing.
TEST_F(Cache, InterruptedWhileStoring) {
  Embed();
  const std::string entry = Kept(".entry").at(0);
  std::mt19937 random(6);
  std::uniform_real_distribution<double> moment(0, 0.4);
  for (int round = 0; round < 20; ++round) {
    unlink(entry.c_str());
    RunningGgufc running({"embed", model_, "The cat sleeps.", "--threads", "1"});
    std::this_thread::sleep_for(std::chrono::duration<double>(moment(random)));
    running.Signal(SIGTERM);
    running.Wait();
    EXPECT_THAT(Kept(".tmp"), IsEmpty());
  }
}

TEST_F(Cache, ADamagedEntryIsToldAndMadeAgain) {
  const std::string expected = Embed().out, entry = Kept(".entry").at(0);
  std::string bytes = ReadFile(entry);
  bytes[bytes.size() / 2] ^= 1;
  WriteFile(entry, bytes);
  const Outcome again = RunGgufc({"embed", model_, "The cat sleeps."});
  EXPECT_EQ(again.status, 0);
  EXPECT_EQ(again.out, expected);
  EXPECT_THAT(again.err, AllOf(StartsWith("ggufc: warning: cache: " + entry),
                               HasSubstr("the file is damaged; the model is compiled again")));
  EXPECT_THAT(Embed().err, HasSubstr("cache        hit"));
}

}  // namespace
}  // namespace ggufc::testing
