#include "support/os/output_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>
#include <vector>

namespace ggufc {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class OutputFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "ggufc-output-" + std::to_string(getpid());
    fs::create_directories(folder_);
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  std::string File(const std::string& name) const { return folder_ + "/" + name; }
  std::vector<std::string> FilesThere() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
  }
  static std::string Read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static mode_t Permissions(const std::string& path) {
    struct stat info = {};
    EXPECT_EQ(stat(path.c_str(), &info), 0);
    return info.st_mode & 0777;
  }
  void Put(const std::string& path, std::string_view text, const OutputFileOptions& options = {}) {
    Result<OutputFile> file = OutputFile::Create(path, options);
    ASSERT_TRUE(file) << file.error().message;
    ASSERT_TRUE(file->Write(text));
    ASSERT_TRUE(file->Finish());
  }

 private:
  std::string folder_;
};

TEST_F(OutputFileTest, AppearsWhenFinished) {
  {
    Result<OutputFile> file = OutputFile::Create(File("a"));
    ASSERT_TRUE(file);
    EXPECT_TRUE(file->seekable());
    ASSERT_TRUE(file->Write("0123456789"));
    ASSERT_TRUE(file->WriteStart("abc"));
    ASSERT_TRUE(file->Write(std::string(1 << 20, 'x')));
    OutputFile moved = std::move(*file);
    EXPECT_FALSE(fs::exists(File("a")));
    EXPECT_EQ(FilesThere().size(), 1u);
    ASSERT_TRUE(moved.Finish());
  }
  EXPECT_THAT(FilesThere(), ElementsAre("a"));
  EXPECT_EQ(Read(File("a")), "abc3456789" + std::string(1 << 20, 'x'));
}

// Longer than the buffer, written in pieces of many sizes; WriteAt replaces bytes that are in the file and in the buffer.
TEST_F(OutputFileTest, LongFile) {
  std::string expected;
  Result<OutputFile> file = OutputFile::Create(File("out"));
  ASSERT_TRUE(file) << file.error().message;
  for (size_t piece = 1, i = 0; expected.size() < (size_t{9} << 20); piece = piece * 5 % 1'999'993, ++i) {
    std::string text(piece, '\0');
    for (size_t at = 0; at < piece; ++at)
      text[at] = static_cast<char>((expected.size() + at) * 2654435761u >> 16);
    ASSERT_TRUE(file->Write(text));
    expected += text;
    if (i % 4 != 3) continue;
    ASSERT_TRUE(file->WriteAt(static_cast<int64_t>(expected.size() / 2), "here"));
    expected.replace(expected.size() / 2, 4, "here");
  }
  ASSERT_TRUE(file->Finish());
  EXPECT_TRUE(Read(File("out")) == expected);
}

TEST_F(OutputFileTest, AbandonedFileKeepsTheOldContents) {
  Put(File("a"), "old");
  {
    Result<OutputFile> file = OutputFile::Create(File("a"));
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->Write("new"));
    ASSERT_TRUE(file->Flush());
  }
  EXPECT_THAT(FilesThere(), ElementsAre("a"));
  EXPECT_EQ(Read(File("a")), "old");
}

TEST_F(OutputFileTest, TwoWritersOfOneTargetDoNotMix) {
  Result<OutputFile> first = OutputFile::Create(File("a"));
  Result<OutputFile> second = OutputFile::Create(File("a"));
  ASSERT_TRUE(first && second);
  ASSERT_TRUE(first->Write("first") && second->Write("second"));
  ASSERT_TRUE(second->Finish());
  EXPECT_EQ(Read(File("a")), "second");
  ASSERT_TRUE(first->Finish());
  EXPECT_EQ(Read(File("a")), "first");
  EXPECT_THAT(FilesThere(), ElementsAre("a"));
}

TEST_F(OutputFileTest, Permissions) {
  const mode_t before = umask(027);
  Put(File("usual"), "x");
  Put(File("private"), "x", {.permissions = 0600});
  EXPECT_EQ(Permissions(File("usual")), 0640u);
  EXPECT_EQ(Permissions(File("private")), 0600u);
  // An existing target keeps its permissions.
  ASSERT_EQ(chmod(File("private").c_str(), 0606), 0);
  Put(File("private"), "y");
  EXPECT_EQ(Permissions(File("private")), 0606u);
  umask(before);
}

TEST_F(OutputFileTest, LinkStaysALink) {
  fs::create_directory(File("folder"));
  Put(File("folder/real"), "old");
  fs::create_symlink("folder/real", File("link"));
  Put(File("link"), "new");
  EXPECT_TRUE(fs::is_symlink(File("link")));
  EXPECT_EQ(Read(File("folder/real")), "new");
}

TEST_F(OutputFileTest, LongestName) {
  const std::string name(255, 'n');
  Put(File(name), "x");
  EXPECT_THAT(FilesThere(), ElementsAre(name));
  const Result<OutputFile> longer = OutputFile::Create(File(name + "n"));
  ASSERT_FALSE(longer) << "refused at Create, before anything is computed";
  EXPECT_THAT(longer.error().message, HasSubstr("cannot create: File name too long"));
}

TEST_F(OutputFileTest, Errors) {
  const auto message = [](const std::string& path) {
    const Result<OutputFile> file = OutputFile::Create(path);
    return file ? std::string() : file.error().message;
  };
  EXPECT_EQ(message(File("no/a")), File("no/a") + ": cannot create: No such file or directory");
  EXPECT_EQ(message(File("")), File("") + ": cannot write: it is a folder");
  Result<OutputFile> full = OutputFile::Create("/dev/full");
  ASSERT_TRUE(full);
  EXPECT_FALSE(full->seekable());
  ASSERT_TRUE(full->Write("x"));
  EXPECT_EQ(full->Finish().error().message, "/dev/full: cannot write: No space left on device");
  // The folder is removed while the file is written.
  fs::create_directory(File("folder"));
  Result<OutputFile> file = OutputFile::Create(File("folder/a"));
  ASSERT_TRUE(file);
  fs::remove_all(File("folder"));
  EXPECT_EQ(file->Finish().error().message, File("folder/a") + ": cannot write: No such file or directory");
}

TEST_F(OutputFileTest, RefusesAnInputAsOutput) {
  std::ofstream(File("in")) << "x";
  std::ofstream(File("other")) << "y";
  fs::create_symlink("in", File("link"));
  fs::create_hard_link(File("in"), File("hard"));
  for (const char* const name : {"in", "link", "hard"}) {
    const Status status = CheckNotAnInput(File(name), {File("missing"), "", "-", File("in")});
    ASSERT_FALSE(status) << name;
    EXPECT_EQ(status.error().message, File(name) + ": the output is the same file as the input " +
                                          File("in") + " and would replace it; choose another output");
  }
  for (const std::string& output : {File("other"), File("new"), std::string("-"), std::string("/dev/null")}) {
    EXPECT_TRUE(CheckNotAnInput(output, {File("in"), "/dev/null", "-"})) << output;
  }
}

// Threads create, write, finish and abandon files as fast as they can; a signal comes at a varying moment.
TEST_F(OutputFileTest, SignalsRemoveTemporaryFiles) {
  const auto work = [this](int thread) {
    for (int i = 0;; ++i) {
      Result<OutputFile> file = OutputFile::Create(File(fmt::format("thread-{}", thread)));
      if (!file || !file->Write("x") || (i % 3 != 0 && !file->Finish())) _exit(99);
    }
  };
  // The test may run with the signals ignored (nohup), and a child inherits that. A signal that comes before the child
  // has its handlers would then be lost, and the child would never end.
  std::map<int, sighandler_t> before;
  for (const int each : {SIGINT, SIGTERM, SIGHUP}) before[each] = std::signal(each, SIG_DFL);
  for (int round = 0; round < 60; ++round) {
    const int signal = std::array{SIGINT, SIGTERM, SIGHUP}[static_cast<size_t>(round % 3)];
    SCOPED_TRACE(fmt::format("round {}", round));
    const pid_t child = fork();
    if (child == 0) {
      EndCleanlyOnSignals();
      std::vector<std::thread> threads;
      for (int thread = 1; thread < 4; ++thread) threads.emplace_back(work, thread);
      work(0);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(500 + 300 * round));
    kill(child, signal);
    if (round % 4 == 0) kill(child, SIGTERM);  // two at once, in two threads
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << status;
    for (const std::string& name : FilesThere()) EXPECT_THAT(name, testing::Not(HasSubstr(".tmp")));
  }
  for (const auto& [signal, handler] : before) std::signal(signal, handler);
}

TEST_F(OutputFileTest, ForkedChildKeepsTheParentsFiles) {
  Result<OutputFile> file = OutputFile::Create(File("a"));
  ASSERT_TRUE(file && file->Write("parent") && file->Flush());
  const pid_t child = fork();
  if (child == 0) {
    EndCleanlyOnSignals();
    raise(SIGTERM);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
  ASSERT_TRUE(file->Finish());
  EXPECT_EQ(Read(File("a")), "parent");
}

TEST_F(OutputFileTest, IgnoredSignalsStayIgnored) {
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGHUP, SIG_IGN);
    EndCleanlyOnSignals();
    raise(SIGHUP);
    _exit(7);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << status;
}

}  // namespace
}  // namespace ggufc
