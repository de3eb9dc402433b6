// A compilation that cannot finish, or is not let finish, leaves nothing half-written, and the next one works.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <random>
#include <thread>

#include "artifact_test.h"
#include "running_ggufc.h"

namespace ggufc::testing {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Interruption : public ArtifactTest {};

TEST_F(Interruption, FullDisk) {
  for (const char* emit : {"obj", "shared", "exe"}) {
    for (const rlim_t limit : {0, 5000, 300'000, 1'000'000}) {
      SCOPED_TRACE(fmt::format("{} {}", emit, limit));
      RunningGgufc compile({"compile", model_, "-o", File("tiny"), "--emit", emit, "--target", "generic"},
                           [&] {
                             const rlimit bytes = {limit, limit};
                             setrlimit(RLIMIT_FSIZE, &bytes);
                           });
      const Outcome outcome = compile.Wait();
      // The largest of the limits is enough for some of the files, never for all.
      EXPECT_EQ(outcome.status, 1);
      // With a limit of 0 not even the message fits into the file that takes it.
      if (limit > 0) {
        EXPECT_THAT(outcome.err, HasSubstr("ggufc: "));
      }
      EXPECT_THAT(FilesThere(), IsEmpty());
    }
  }
  Compile(model_, "tiny", {"--target", "generic"});
}

TEST_F(Interruption, PlacesThatCannotBeWritten) {
  WriteFile(File("file"), "");
  for (const std::string& place :
       {File("no/such/folder/tiny"), File("file/tiny"), std::string("/proc/tiny")}) {
    for (const char* emit : {"obj", "shared", "exe", "asm"}) {
      const Outcome outcome =
          RunGgufc({"compile", model_, "-o", place, "--emit", emit, "--target", "generic"});
      EXPECT_EQ(outcome.status, 1) << place;
      EXPECT_THAT(outcome.err, HasSubstr(place)) << emit;
    }
  }
  // A folder in the way of one of the files: the others do not appear either.
  std::filesystem::create_directory(File("tiny.o"));
  const Outcome outcome = RunGgufc({"compile", model_, "-o", File("tiny"), "--target", "generic"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("tiny.o"), HasSubstr("folder")));
  EXPECT_FALSE(std::filesystem::exists(File("tiny.weights")));
}

TEST_F(Interruption, TerminatedLeavesNothing) {
  for (const char* emit : {"obj", "exe"}) {
    for (const int delay : {20, 100, 200, 350, 500}) {
      RunningGgufc compile({"compile", model_, "-o", File("tiny"), "--emit", emit});
      std::this_thread::sleep_for(std::chrono::milliseconds(delay));
      compile.Signal(SIGTERM);
      const Outcome outcome = compile.Wait();
      if (outcome.status == 0) break;  // it was faster
      EXPECT_EQ(outcome.status, 128 + SIGTERM);
      EXPECT_THAT(FilesThere(), IsEmpty()) << emit << " " << delay;
    }
  }
}

// Over files of another model: whatever is there afterwards is whole, and files that do not belong together say so.
TEST_F(Interruption, KilledAtAnyTime) {
  const std::string old_model = DataPath("tiny-nodense.gguf");
  Compile(old_model, "tiny", {"--target", "generic"});
  const auto start = std::chrono::steady_clock::now();
  Compile(model_, "warm", {"--target", "generic"});
  const auto whole =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
  std::mt19937_64 random(std::random_device{}());
  for (int i = 0; i < 25; ++i) {
    const auto delay = std::chrono::milliseconds(random() % static_cast<uint64_t>(whole.count() + 1));
    SCOPED_TRACE(delay.count());
    RunningGgufc compile({"compile", model_, "-o", File("tiny"), "--target", "generic"});
    std::this_thread::sleep_for(delay);
    compile.Signal(SIGKILL);
    compile.Wait();
    // Every file under its name is a whole one, the old or the new.
    EXPECT_EQ(RunGgufc({"verify", File("tiny.weights")}).status, 0);
    const Outcome both = RunGgufc({"verify", File("tiny.o")});
    EXPECT_THAT(both.status, AnyOf(0, 1));
    if (both.status == 1) {
      EXPECT_THAT(both.err, HasSubstr("fingerprint"));
      Compile(old_model, "tiny", {"--target", "generic"});
    }
  }
  Compile(model_, "tiny", {"--target", "generic"});
  EXPECT_EQ(RunGgufc({"verify", File("tiny.o"), model_}).status, 0);
}

}  // namespace
}  // namespace ggufc::testing
