#include "support/hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace ggufc {
namespace {

uint64_t HashOf(std::string_view text) {
  return Hash64({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

// Existing files depend on these values: XXH3-64 with seed 0.
TEST(Hash64, IsXxh3) {
  EXPECT_EQ(HashOf(""), 0x2D06800538D394C2u);
  EXPECT_EQ(HashOf("a"), 0xE6C632B61E964E1Fu);
  EXPECT_EQ(HashOf("abc"), 0x78AF5F94892F3950u);
}

TEST(Hash64, StreamOfPartsEqualsHashOfWhole) {
  std::vector<uint8_t> bytes(100000);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * i >> 3);
  for (const size_t size : {0, 1, 8, 16, 17, 128, 129, 240, 241, 1024, 65536, 100000}) {
    const auto whole = std::span(bytes).first(size);
    for (const size_t part : {1, 7, 64, 256, 1000, 65536}) {
      Hash64Stream stream;
      for (size_t at = 0; at < size; at += part) stream.Update(whole.subspan(at, std::min(part, size - at)));
      EXPECT_EQ(stream.Digest(), Hash64(whole)) << size << " bytes by " << part;
    }
  }
}

TEST(Hash64, StreamContinuesAfterDigestAndMove) {
  const std::vector<uint8_t> bytes(300, 5);
  Hash64Stream stream;
  stream.Update(std::span(bytes).first(100));
  EXPECT_EQ(stream.Digest(), Hash64(std::span(bytes).first(100)));
  Hash64Stream moved = std::move(stream);
  moved.Update(std::span(bytes).subspan(100));
  EXPECT_EQ(moved.Digest(), Hash64(bytes));
}

}  // namespace
}  // namespace ggufc
