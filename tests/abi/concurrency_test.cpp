// One handle, many threads; and processes that fork while others are at work.
#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <random>
#include <thread>

#include "compiled_code.h"
#include "in_child.h"

namespace ggufc::testing {
namespace {

struct Expected {
  std::string text;
  std::vector<int32_t> ids;
  std::vector<float> vector;
};

CompiledCode& Tiny() {
  static CompiledCode code("tiny-q8_0.gguf");
  return code;
}

const std::vector<Expected>& Expectations() {
  static const std::vector<Expected> all = [] {
    std::mt19937_64 random(3);
    std::vector<Expected> made;
    for (int i = 0; i < 24; ++i) {
      std::string text;
      for (uint64_t words = 1 + random() % 20; words > 0; --words)
        text += "cat " + std::to_string(random() % 100) + " ";
      made.push_back({text, Tiny().Ids(text), Tiny().Reference(text)});
    }
    return made;
  }();
  return all;
}

// A random batch through a random function; whether all came out right. Without any of the test framework, for use
// in other threads and processes.
bool EmbedRandomBatch(ggufc_model* model, std::mt19937_64& random) {
  const std::vector<Expected>& all = Expectations();
  const size_t dims = ggufc_dims(model), count = 1 + random() % 6, stride = dims + random() % 3;
  std::vector<const Expected*> batch;
  for (size_t i = 0; i < count; ++i) batch.push_back(&all[random() % all.size()]);
  std::vector<float> out(count * stride);
  const bool as_ids = random() % 2 == 0;
  ggufc_status status = GGUFC_OK;
  if (as_ids) {
    std::vector<int32_t> ids;
    std::vector<size_t> lengths;
    for (const Expected* one : batch) {
      ids.insert(ids.end(), one->ids.begin(), one->ids.end());
      lengths.push_back(one->ids.size());
    }
    status = ggufc_embed_ids(model, ids.data(), lengths.data(), count, nullptr, out.data(), stride);
  } else {
    std::vector<const char*> texts;
    for (const Expected* one : batch) texts.push_back(one->text.c_str());
    status = ggufc_embed(model, texts.data(), nullptr, count, nullptr, out.data(), stride);
  }
  if (status != GGUFC_OK) return false;
  for (size_t i = 0; i < count; ++i) {
    if (std::memcmp(out.data() + i * stride, batch[i]->vector.data(), dims * sizeof(float)) != 0)
      return false;
  }
  return true;
}

// Calls that fail, each with its own message in this thread.
bool FailAsExpected(ggufc_model* model, int thread) {
  const int32_t id = 1000 + thread;
  const size_t length = 1;
  float out[1024];
  if (ggufc_embed_ids(model, &id, &length, 1, nullptr, out, 0) != GGUFC_INVALID_ARGUMENT) return false;
  return std::string_view(ggufc_last_error()).find("id " + std::to_string(id)) != std::string_view::npos;
}

// A longer run: GGUFC_TEST_SECONDS=60 abi_test --gtest_filter=ConcurrencyTest.SixteenThreadsOnOneHandle
std::chrono::milliseconds TestDuration() {
  const char* const seconds = std::getenv("GGUFC_TEST_SECONDS");
  return seconds != nullptr ? std::chrono::seconds(std::atoi(seconds)) : std::chrono::milliseconds(1500);
}

TEST(ConcurrencyTest, SixteenThreadsOnOneHandle) {
  Expectations();
  // Small pieces, so that the threads' batches interleave.
  ggufc_options options = GGUFC_OPTIONS_INIT;
  options.threads = 2;
  options.chunk_tokens = 40;
  const Handle model = Open(Tiny().code, options);
  const auto end = std::chrono::steady_clock::now() + TestDuration();
  std::vector<std::thread> threads;
  std::atomic<int64_t> good{0}, bad{0};
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(static_cast<uint64_t>(t));
      do {
        const Expected& one = Expectations()[random() % Expectations().size()];
        int32_t ids[512];
        size_t count = 0;
        const bool right = EmbedRandomBatch(model.get(), random) && FailAsExpected(model.get(), t) &&
                           ggufc_threads(model.get()) == 2 &&
                           ggufc_tokenize(model.get(), one.text.data(), one.text.size(), nullptr, ids, 512,
                                          &count) == GGUFC_OK &&
                           std::equal(one.ids.begin(), one.ids.end(), ids, ids + count);
        ++(right ? good : bad);
      } while (std::chrono::steady_clock::now() < end);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(bad, 0);
  EXPECT_GE(good, 16);
  RecordProperty("rounds", std::to_string(good));
}

TEST(ConcurrencyTest, HandlesComeAndGoInManyThreads) {
  Expectations();
  std::vector<std::thread> threads;
  std::atomic<int> bad{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(static_cast<uint64_t>(t));
      for (int i = 0; i < 5; ++i) {
        ggufc_options options = GGUFC_OPTIONS_INIT;
        options.threads = 1 + t % 3;
        ggufc_model* model = nullptr;
        if (ggufc_open_code(&Tiny().code, nullptr, &options, &model) != GGUFC_OK) ++bad;
        if (model != nullptr && !EmbedRandomBatch(model, random)) ++bad;
        ggufc_close(model);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(bad, 0);
}

// Cancelling would unwind through the library; it waits until the call has returned.
TEST(ConcurrencyTest, ACancelledThreadFinishesItsCall) {
  Expectations();
  struct Shared {
    ggufc_model* model;
    std::atomic<int> calls{0}, bad{0};
  };
  const Handle model = OpenThreads(Tiny().code, 2);
  for (int i = 0; i < 5; ++i) {
    Shared shared{model.get()};
    pthread_t thread;
    ASSERT_EQ(pthread_create(
                  &thread, nullptr,
                  [](void* argument) -> void* {
                    auto& s = *static_cast<Shared*>(argument);
                    const char* const text = Expectations()[0].text.c_str();
                    float out[128];
                    for (;;) {
                      ggufc_model* other =
                          nullptr;  // opening reads files, which is where threads get cancelled
                      s.bad += ggufc_open_code(&Tiny().code, "/dev/null", nullptr, &other) != GGUFC_IO;
                      s.bad += ggufc_embed(s.model, &text, nullptr, 1, nullptr, out, 0) != GGUFC_OK;
                      ++s.calls;
                      pthread_testcancel();
                    }
                  },
                  &shared),
              0);
    while (shared.calls < 3) std::this_thread::yield();
    ASSERT_EQ(pthread_cancel(thread), 0);
    void* result = nullptr;
    ASSERT_EQ(pthread_join(thread, &result), 0);
    EXPECT_EQ(result, PTHREAD_CANCELED);
    EXPECT_EQ(shared.bad, 0);
  }
  std::mt19937_64 random(1);
  EXPECT_TRUE(EmbedRandomBatch(model.get(), random));
}

#ifndef __SANITIZE_THREAD__  // ThreadSanitizer refuses to start threads in the child of a process that had some

int ThreadsOfThisProcess() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<int>(std::distance(begin(tasks), end(tasks)));
}

TEST(ForkTest, TheChildUsesTheHandleAndSoDoesTheParent) {
  Expectations();
  for (const int threads : {1, 2, 4}) {
    Handle model = OpenThreads(Tiny().code, threads);
    std::mt19937_64 random(1);
    for (const bool used_before : {false, true}) {
      EXPECT_TRUE(!used_before || EmbedRandomBatch(model.get(), random));
      EXPECT_TRUE(InChild([&] {
        bool good = ggufc_threads(model.get()) == threads && ThreadsOfThisProcess() == 1;
        for (int i = 0; i < 5; ++i) good = good && EmbedRandomBatch(model.get(), random);
        good = good && ggufc_verify(model.get(), nullptr) == GGUFC_OK;
        good = good && ggufc_threads(model.get()) == threads && ThreadsOfThisProcess() == threads;
        ggufc_close(model.release());
        return good && ThreadsOfThisProcess() == 1;
      })) << threads;
      EXPECT_TRUE(InChild([&] {
        ggufc_close(model.release());
        return true;
      }));
    }
    EXPECT_TRUE(EmbedRandomBatch(model.get(), random));
  }
}

TEST(ForkTest, WhileOtherThreadsAreAtWork) {
  Expectations();
  ggufc_options options = GGUFC_OPTIONS_INIT;
  options.threads = 2;
  options.chunk_tokens = 16;
  Handle model = Open(Tiny().code, options);
  std::atomic<bool> stop{false};
  std::atomic<int> bad{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(static_cast<uint64_t>(t));
      while (!stop) bad += !EmbedRandomBatch(model.get(), random);
    });
  }
  std::mt19937_64 random(99);
  for (int i = 0; i < 40; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
    EXPECT_TRUE(InChild([&] {
      bool good = true;
      for (int n = 0; n < 3; ++n) good = good && EmbedRandomBatch(model.get(), random);
      ggufc_close(model.release());
      return good;
    })) << i;
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(bad, 0);
}

TEST(ForkTest, ThreadsOfTheChildAndItsOwnChildren) {
  Expectations();
  Handle model = OpenThreads(Tiny().code, 2);
  const auto many_threads = [&] {
    std::vector<std::thread> threads;
    std::atomic<int> bad{0};
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        std::mt19937_64 random(static_cast<uint64_t>(t));
        for (int i = 0; i < 5; ++i) bad += !EmbedRandomBatch(model.get(), random);
      });
    }
    for (std::thread& thread : threads) thread.join();
    return bad == 0;
  };
  EXPECT_TRUE(InChild([&] {
    return many_threads() && InChild([&] { return many_threads() && InChild(many_threads); }) &&
           many_threads();
  }));
  EXPECT_TRUE(InChild([&] { return InChild(many_threads); }));  // used first in the grandchild
  EXPECT_TRUE(many_threads());
}

#endif

}  // namespace
}  // namespace ggufc::testing
