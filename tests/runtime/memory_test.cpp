#include "runtime/exec/memory.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ggufc::runtime {
namespace {

TEST(PageMemoryTest, AlignedZeroedAndWritable) {
  for (const int64_t size : {1LL, 4096LL, 4097LL, 2LL << 20, (2LL << 20) + 1, 9LL << 20}) {
    auto memory = PageMemory::Allocate(size, "test");
    ASSERT_TRUE(memory.has_value()) << memory.error().message;
    EXPECT_EQ(memory->size(), size);
    EXPECT_EQ(memory->bytes().size(), static_cast<size_t>(size));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory->data()) % (size >= 2 << 20 ? 2 << 20 : 4096), 0u) << size;
    EXPECT_TRUE(
        std::all_of(memory->bytes().begin(), memory->bytes().end(), [](uint8_t b) { return b == 0; }));
    std::fill(memory->bytes().begin(), memory->bytes().end(), uint8_t{1});
  }
}

TEST(PageMemoryTest, ZeroBytes) {
  const auto memory = PageMemory::Allocate(0, "test");
  ASSERT_TRUE(memory.has_value());
  EXPECT_EQ(memory->data(), nullptr);
  EXPECT_EQ(memory->size(), 0);
}

TEST(PageMemoryTest, FailureIsAnErrorThatNamesPurposeAndSize) {
  for (const int64_t size : {int64_t{-1}, INT64_MAX, int64_t{1} << 60}) {
    const auto memory = PageMemory::Allocate(size, "arena for 7 tokens");
    ASSERT_FALSE(memory.has_value()) << size;
    EXPECT_NE(memory.error().message.find("arena for 7 tokens"), std::string::npos) << memory.error().message;
    EXPECT_NE(memory.error().message.find(std::to_string(size)), std::string::npos) << memory.error().message;
  }
}

TEST(PageMemoryTest, Moves) {
  auto a = PageMemory::Allocate(10, "a");
  ASSERT_TRUE(a.has_value());
  a->data()[3] = 7;
  PageMemory b = std::move(*a);
  EXPECT_EQ(b.data()[3], 7);
  EXPECT_EQ(a->data(), nullptr);
  b = PageMemory();
  EXPECT_EQ(b.size(), 0);
}

}  // namespace
}  // namespace ggufc::runtime
