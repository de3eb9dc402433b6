// An outcome comes back whole, and what ends a process comes back as one.
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

TEST(IsolateTest, AnOutcomeComesBack) {
  const Outcome sent{Kind::kRefused, "plan", "two\nlines", {{"tile", 0.1}, {"fold-scales", 2.5}}};
  const Outcome got = RunIsolated([&] { return sent; });
  EXPECT_EQ(got.kind, sent.kind);
  EXPECT_EQ(got.check, sent.check);
  EXPECT_EQ(got.message, sent.message);
  EXPECT_EQ(got.standard_errors, sent.standard_errors);
  EXPECT_EQ(RunIsolated([] { return Outcome(); }).kind, Kind::kAgrees);
}

// Two failed CHECKs are two failures: a reduction must not go from one to the other.
TEST(IsolateTest, AFailedCheckIsNamedByItsPlace) {
  const Outcome outcome = RunIsolated([]() -> Outcome {
    CHECK(1 + 1 == 3, "so it is");
    return {};
  });
  EXPECT_EQ(outcome.kind, Kind::kDisagrees);
  EXPECT_THAT(outcome.check, StartsWith("crash: "));
  EXPECT_THAT(outcome.check, HasSubstr("isolate_test.cpp:"));
  EXPECT_THAT(outcome.message, HasSubstr("so it is"));
}

TEST(IsolateTest, ASignalIsNamed) {
  const Outcome outcome = RunIsolated([]() -> Outcome {
    raise(SIGKILL);
    return {};
  });
  EXPECT_EQ(outcome.kind, Kind::kDisagrees);
  EXPECT_EQ(outcome.check, "crash: Killed");
}

TEST(IsolateTest, AnExitStatusIsNamed) {
  const Outcome outcome = RunIsolated([]() -> Outcome { _exit(3); });
  EXPECT_EQ(outcome.kind, Kind::kDisagrees);
  EXPECT_EQ(outcome.check, "crash: exit status 3");
}

TEST(IsolateTest, AnEndlessLoopEnds) {
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

TEST(IsolateTest, AnEndlessSleepEnds) {
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
