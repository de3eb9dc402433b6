// What is left when ggufc is stopped: by signals at random moments, by limits, by readers that go away.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <random>
#include <thread>

#include "running_ggufc.h"

namespace ggufc::testing {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using Arguments = std::vector<std::string>;
using Clock = std::chrono::steady_clock;
using std::chrono::duration;

constexpr uint32_t kSeed = 20250611;
constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};

class Interruption : public CliTest {
 protected:
  // `count` lines of three tokens.
  std::string Documents(int count) {
    const std::string path = File("docs.jsonl");
    std::string lines;
    for (int i = 0; i < count; ++i) lines += "{\"ids\":[2," + std::to_string(300 + i % 97) + ",1]}\n";
    WriteFile(path, lines);
    return path;
  }

  void Synth(const std::string& path, const Arguments& more) {
    Arguments arguments = {"synth", "-o",         path,  "--layers",   "1",  "--heads",
                           "2",     "--kv-heads", "1",   "--head-dim", "32", "--ffn",
                           "64",    "--vocab",    "640", "--dense",    "0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = RunGgufc(arguments);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
  }

  // Runs the command once, then `rounds` times with a signal at a random moment of that time. After each round
  // what is in the folder is what was there, and perhaps `results`, each as the first run left it.
  void InterruptAtRandom(const Arguments& arguments, const Arguments& results, int rounds) {
    const Arguments before = FilesThere();
    const auto start = Clock::now();
    const Outcome whole = RunGgufc(arguments);
    ASSERT_EQ(whole.status, 0) << whole.err;
    const double seconds = duration<double>(Clock::now() - start).count();
    std::vector<std::string> contents;
    for (const std::string& name : results) {
      contents.push_back(ReadFile(File(name)));
      unlink(File(name).c_str());
    }
    ASSERT_EQ(FilesThere(), before);

    std::mt19937 random(kSeed);
    std::uniform_real_distribution<double> part(0, 1);
    double longest = seconds;  // it follows the machine, which may be busier now than a moment later
    int stopped = 0;
    for (int round = 0; round < rounds; ++round) {
      const int signal = kSignals[round % 3];
      SCOPED_TRACE("round " + std::to_string(round) + ", signal " + std::to_string(signal));
      RunningGgufc running(arguments);
      std::this_thread::sleep_for(duration<double>(longest * part(random)));
      running.Signal(signal);
      const Outcome outcome = running.Wait();
      ASSERT_THAT(outcome.status, AnyOf(0, 128 + signal)) << outcome.err;
      stopped += outcome.status != 0 ? 1 : 0;
      longest *= outcome.status != 0 ? 1.1 : 0.8;
      for (size_t i = 0; i < results.size(); ++i) {
        const Arguments there = FilesThere();
        if (std::ranges::find(there, results[i]) == there.end()) continue;
        ASSERT_TRUE(ReadFile(File(results[i])) == contents[i]) << results[i];
        unlink(File(results[i]).c_str());
      }
      ASSERT_EQ(FilesThere(), before);
    }
    EXPECT_GT(stopped, rounds / 4) << "the signals come too late to show anything";
    EXPECT_EQ(RunGgufc(arguments).status, 0);
    for (size_t i = 0; i < results.size(); ++i) EXPECT_TRUE(ReadFile(File(results[i])) == contents[i]);
  }
};

TEST_F(Interruption, EmbedLeavesNothing) {
  const std::string docs = Documents(6000);
  InterruptAtRandom({"embed", model_, "--input", docs, "--format", "npy", "--output", File("out.npy")},
                    {"out.npy"}, 24);
}

TEST_F(Interruption, EmbedToAPipeLeavesNothing) {
  const std::string docs = Documents(6000);
  InterruptAtRandom({"embed", model_, "--input", docs, "--format", "npy"}, {}, 9);
}

TEST_F(Interruption, SynthLeavesNothing) {
  InterruptAtRandom({"synth", "-o", File("m.gguf"), "--layers", "2", "--dim", "256", "--ffn", "2048",
                     "--vocab", "30000", "--dense", "0"},
                    {"m.gguf"}, 24);
}

TEST_F(Interruption, CompileLeavesWholeFiles) {
  InterruptAtRandom({"compile", model_, "-o", File("m"), "--target", "generic"}, {"m.weights", "m.h", "m.o"},
                    15);
}

// A linker that creates its output again and again, and one that does not mind being asked to end.
TEST_F(Interruption, TheLinkerEndsToo) {
  WriteFile(File("libggufc_runtime.a"), "");
  for (const char* stubborn : {"", "trap '' TERM\n"}) {
    WriteFile(File("cc"), std::string("#!/bin/sh\n") + stubborn +
                              "while [ \"$1\" != -o ]; do shift; done\n"
                              "echo started\n"
                              "while :; do : >\"$2\"; done\n");
    ASSERT_EQ(chmod(File("cc").c_str(), 0755), 0);
    const Arguments before = FilesThere();
    RunningGgufc running({"compile", model_, "--emit", "shared", "-o", File("m"), "--target", "generic"},
                         [&] {
                           setenv("CC", File("cc").c_str(), 1);
                           setenv("GGUFC_RUNTIME_LIBRARY", File("libggufc_runtime.a").c_str(), 1);
                         });
    ASSERT_TRUE(running.Read(7));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    running.Signal(SIGTERM);
    const Outcome outcome = running.Wait();  // until the linker has closed its end of the pipe, too
    EXPECT_EQ(outcome.status, 128 + SIGTERM) << outcome.err;
    EXPECT_EQ(FilesThere(), before);
  }
}

// Lines of 9 KB, more than a pipe takes at once, and a reader that stutters.
TEST_F(Interruption, ReadersGetWholeLines) {
  Synth(File("wide.gguf"), {"--dim", "768", "--type", "f32"});
  const std::string docs = Documents(300);
  std::mt19937 random(kSeed);
  int stopped = 0;
  for (int round = 0; round < 12; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const int signal = kSignals[round % 3];
    RunningGgufc running({"embed", File("wide.gguf"), "--input", docs, "--no-normalize"});
    const int reads = 1 + static_cast<int>(random() % 60);
    for (int i = 0; i < reads && running.Read(1 + random() % 20000); ++i) {
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
    }
    running.Signal(signal);
    const Outcome outcome = running.Wait();
    ASSERT_THAT(outcome.status, AnyOf(0, 128 + signal)) << outcome.err;
    stopped += outcome.status != 0 ? 1 : 0;
    ASSERT_FALSE(outcome.out.empty());
    ASSERT_EQ(outcome.out.back(), '\n');
    const std::vector<nlohmann::json> lines = ParseLines(outcome.out);
    for (size_t i = 0; i < lines.size(); ++i) ASSERT_EQ(lines[i]["index"], i);
    ASSERT_EQ(lines.back()["embedding"].size(), 768u);
  }
  EXPECT_GE(stopped, 6);
}

TEST_F(Interruption, AReaderThatDoesNotReadHoldsUpNothing) {
  Synth(File("wide.gguf"), {"--dim", "768", "--type", "f32"});
  const std::string docs = Documents(300);
  for (const int signal : kSignals) {
    RunningGgufc running({"embed", File("wide.gguf"), "--input", docs});
    ASSERT_TRUE(running.Read(100));  // it writes; the pipe fills up
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    running.Signal(signal);
    const auto start = Clock::now();
    EXPECT_EQ(running.WaitUnread().status, 128 + signal);
    EXPECT_LT(duration<double>(Clock::now() - start).count(), 30);
  }
}

TEST_F(Interruption, NohupHolds) {
  const std::string docs = Documents(3000);
  RunningGgufc running({"embed", model_, "--input", docs}, [] { std::signal(SIGHUP, SIG_IGN); });
  ASSERT_TRUE(running.Read(100));
  running.Signal(SIGHUP);
  const Outcome outcome = running.Wait();
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(Lines(outcome.out).size(), 3000u);
}

TEST_F(Interruption, FilesBeyondTheLimit) {
  const std::string docs = Documents(2000);
  const auto limit = [] {
    const rlimit limit = {.rlim_cur = 40000, .rlim_max = 40000};
    setrlimit(RLIMIT_FSIZE, &limit);
  };
  const std::string out = File("out");
  const Arguments before = FilesThere();
  for (const Arguments& arguments :
       {Arguments{"embed", model_, "--no-cache", "--input", docs, "--output", out},
        Arguments{"embed", model_, "--no-cache", "--input", docs, "--output", out, "--format", "npy"},
        Arguments{"synth", "-o", out, "--layers", "1", "--dim", "64", "--vocab", "1000", "--dense", "0"}}) {
    const Outcome outcome = RunningGgufc(arguments, limit).Wait();
    EXPECT_EQ(outcome.status, 1);
    EXPECT_EQ(outcome.err, "ggufc: " + out + ": cannot write: File too large\n");
    EXPECT_EQ(FilesThere(), before);
  }
  // Standard output is a file, too.
  const Outcome outcome = RunningGgufc({"embed", model_, "--no-cache", "--input", docs}, [&] {
                            limit();
                            dup2(open(out.c_str(), O_WRONLY | O_CREAT, 0600), STDOUT_FILENO);
                          }).Wait();
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "ggufc: standard output: cannot write: File too large\n");
}

TEST_F(Interruption, AReaderThatGoesAway) {
  const std::string docs = Documents(3000);
  RunningGgufc running({"embed", model_, "--input", docs});
  ASSERT_TRUE(running.Read(100));
  running.CloseOutput();
  const Outcome outcome = running.WaitUnread();
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err, "ggufc: standard output: cannot write: Broken pipe\n");
}

// What is opened must not get the number of a stream that is missing, and so the messages that go there.
TEST_F(Interruption, MissingStandardStreams) {
  const std::string docs = Documents(3);
  const auto without = [&](int fd, const Arguments& arguments) {
    return RunningGgufc(arguments, [fd] { close(fd); }).Wait();
  };
  const Arguments embed = {"embed", model_, "--input", docs};
  Arguments to_file = embed;
  to_file.insert(to_file.end(), {"--output", File("out"), "--stats"});
  const std::string want = RunGgufc(embed).out;
  EXPECT_EQ(without(STDERR_FILENO, to_file).status, 0);
  EXPECT_EQ(ReadFile(File("out")), want);
  EXPECT_EQ(without(STDIN_FILENO, embed).out, want);
  const Outcome silent = without(STDOUT_FILENO, embed);
  EXPECT_EQ(silent.status, 1);
  EXPECT_THAT(silent.err, HasSubstr("standard output: cannot write: Bad file descriptor"));
  const Outcome unread = without(STDIN_FILENO, {"embed", model_, "--input", "-"});
  EXPECT_EQ(unread.status, 1);
  EXPECT_THAT(unread.err, HasSubstr("standard input: cannot read: Bad file descriptor"));
}

}  // namespace
}  // namespace ggufc::testing
