// All fields of an outcome are returned, and the abnormal end of a process is an outcome.
#include "isolate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "support/check.h"

namespace ggufc::programs {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Kind = Outcome::Kind;

TEST(IsolateTest, ReturnsAllFields) {
  const Outcome sent{Kind::kRefused, "plan", "two\nlines", {{"tile", 0.1}, {"fold-scales", 2.5}}};
  const Outcome got = RunIsolated([&] { return sent; });
  EXPECT_EQ(got.kind, sent.kind);
  EXPECT_EQ(got.check, sent.check);
  EXPECT_EQ(got.message, sent.message);
  EXPECT_EQ(got.standard_errors, sent.standard_errors);
  EXPECT_EQ(RunIsolated([] { return Outcome(); }).kind, Kind::kAgrees);
}

// The location distinguishes failed CHECKs, so that a reduction does not move from one to another.
TEST(IsolateTest, FailedCheckIsNamedByLocation) {
  const Outcome outcome = RunIsolated([]() -> Outcome {
    CHECK(1 + 1 == 3, "a deliberate failure");
    return {};
  });
  EXPECT_EQ(outcome.kind, Kind::kDisagrees);
  EXPECT_THAT(outcome.check, StartsWith("crash: "));
  EXPECT_THAT(outcome.check, HasSubstr("isolate_test.cpp:"));
  EXPECT_THAT(outcome.message, HasSubstr("a deliberate failure"));
}

TEST(IsolateTest, SignalIsNamed) {
  const Outcome outcome = RunIsolated([]() -> Outcome {
    raise(SIGKILL);
    return {};
  });
  EXPECT_EQ(outcome.kind, Kind::kDisagrees);
  EXPECT_EQ(outcome.check, "crash: Killed");
}

TEST(IsolateTest, ExitStatusIsNamed) {
  const Outcome outcome = RunIsolated([]() -> Outcome { _exit(3); });
  EXPECT_EQ(outcome.kind, Kind::kDisagrees);
  EXPECT_EQ(outcome.check, "crash: exit status 3");
}

TEST(IsolateTest, EndlessLoopIsKilled) {
  const Outcome outcome = RunIsolated(
      []() -> Outcome {
        volatile bool forever = true;
        while (forever) {
        }
        return {};
      },
      {.cpu_seconds = 1, .wall_seconds = 600});
  EXPECT_EQ(outcome.kind, Kind::kDisagrees);
  EXPECT_EQ(outcome.check, "crash: CPU time limit exceeded");
}

TEST(IsolateTest, EndlessSleepIsKilled) {
  const Outcome outcome = RunIsolated(
      []() -> Outcome {
        while (true) pause();
      },
      {.cpu_seconds = 100, .wall_seconds = 1});
  EXPECT_EQ(outcome.kind, Kind::kDisagrees);
  EXPECT_EQ(outcome.check, "crash: Killed");
}

}  // namespace
}  // namespace ggufc::programs
