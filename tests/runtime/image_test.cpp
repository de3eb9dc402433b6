// Valid images, damaged images, and images with deliberate errors.
#include "runtime/store/image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <thread>

#include "support/hash.h"
#include "test_image.h"

namespace ggufc::runtime {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr size_t kTableBytes = 5 * kTableChunkBytes + 1000;

std::vector<uint8_t> ContentOf(SectionKind kind, uint64_t id = 0) {
  const size_t count = kind == SectionKind::kWeights  ? 30000 + id
                       : kind == SectionKind::kTables ? kTableBytes
                       : kind == SectionKind::kGolden ? 5000
                                                      : kSectionAlign;
  return RandomBytes(count, static_cast<uint64_t>(kind) * 100 + id);
}

// An image with one section of each kind of a sidecar, two layouts of weights, and an unused page before the second.
TestImage SampleImage() {
  TestImage image;
  image.Add(SectionKind::kModel, 0, ContentOf(SectionKind::kModel));
  image.Add(SectionKind::kTokenizer, 0, ContentOf(SectionKind::kTokenizer));
  image.Add(SectionKind::kWeights, 1, ContentOf(SectionKind::kWeights, 1));
  image.Add(SectionKind::kWeights, 2, ContentOf(SectionKind::kWeights, 2), kSectionAlign);
  image.AddTables(ContentOf(SectionKind::kTables));
  image.Add(SectionKind::kGolden, 0, ContentOf(SectionKind::kGolden));
  return image;
}

std::string ErrorOf(const Status& status) { return status ? "no error" : status.error().message; }

// Opens a copy of `bytes` and returns the error of Open, or else that of CheckAll, or else "no error".
std::string OpenError(std::span<const uint8_t> bytes, bool check_all = false) {
  const AlignedBytes copy(bytes);
  const auto image = Image::FromMemory(copy.span(), "test.weights");
  if (!image) {
    EXPECT_EQ(image.error().kind, ErrorKind::kBadFile);
    return image.error().message;
  }
  return check_all ? ErrorOf(image->CheckAll()) : "no error";
}

std::vector<uint8_t> Flipped(std::vector<uint8_t> bytes, size_t bit) {
  bytes[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
  return bytes;
}

class ImageFile : public testing::Test {
 protected:
  ImageFile() : path_(testing::TempDir() + "ggufc-image-" + std::to_string(getpid()) + ".weights") {}
  ~ImageFile() override { std::filesystem::remove(path_); }

  void Write(std::span<const uint8_t> bytes) {
    std::ofstream file(path_, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    ASSERT_TRUE(file.good());
  }
  void Shorten(size_t bytes) { std::filesystem::resize_file(path_, bytes); }

  const std::string path_;
};

void ExpectSample(const Image& image) {
  FingerprintBytes fingerprint;
  fingerprint.fill(7);
  EXPECT_EQ(image.fingerprint(), fingerprint);
  EXPECT_EQ(image.sections().size(), 7u);
  for (const auto& [kind, id] : {std::pair{SectionKind::kModel, 0},
                                 {SectionKind::kTokenizer, 0},
                                 {SectionKind::kWeights, 1},
                                 {SectionKind::kWeights, 2},
                                 {SectionKind::kTables, 0},
                                 {SectionKind::kGolden, 0}}) {
    const auto where = testing::Message() << SectionName(kind) << " " << id;
    EXPECT_TRUE(image.Has(kind, static_cast<uint64_t>(id))) << where;
    const auto bytes = image.Get(kind, static_cast<uint64_t>(id));
    ASSERT_TRUE(bytes) << where << ": " << bytes.error().message;
    EXPECT_TRUE(std::ranges::equal(*bytes, ContentOf(kind, static_cast<uint64_t>(id)))) << where;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(bytes->data()) % Image::kMemoryAlign, 0u) << where;
  }
  EXPECT_TRUE(image.CheckAll());
}

TEST_F(ImageFile, ReturnsEverySection) {
  Write(SampleImage().Finish());
  auto image = Image::Open(path_);
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->name(), path_);
  const Image moved = std::move(*image);
  ExpectSample(moved);
  // Mapped and used in place: sections lie at multiples of a page.
  EXPECT_EQ(reinterpret_cast<uintptr_t>(moved.Get(SectionKind::kModel)->data()) % kSectionAlign, 0u);
}

TEST(Image, OpensFromMemory) {
  const AlignedBytes bytes(SampleImage().Finish());
  const auto image = Image::FromMemory(bytes.span(), "embedded");
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->name(), "embedded");
  ExpectSample(*image);

  const auto shifted = Image::FromMemory(bytes.span().subspan(8), "embedded");
  ASSERT_FALSE(shifted);
  EXPECT_THAT(shifted.error().message, AllOf(HasSubstr("embedded: "), HasSubstr("multiple of 64")));
}

TEST(Image, NamesAMissingSection) {
  const AlignedBytes bytes(SampleImage().Finish());
  const auto image = Image::FromMemory(bytes.span(), "test.weights");
  ASSERT_TRUE(image);
  EXPECT_FALSE(image->Has(SectionKind::kCode));
  EXPECT_FALSE(image->Has(SectionKind::kWeights));
  EXPECT_EQ(image->Get(SectionKind::kCode).error().message, "test.weights: there is no code section");
  EXPECT_EQ(image->Get(SectionKind::kWeights, 0xC0FFEE).error().message,
            "test.weights: there is no weights section 0000000000c0ffee");
}

TEST_F(ImageFile, FilesThatAreNotImages) {
  const auto error = [](const std::string& path, ErrorKind kind) {
    const auto image = Image::Open(path);
    if (image) return std::string("no error");
    EXPECT_EQ(image.error().kind, kind);
    return image.error().message;
  };
  EXPECT_THAT(error(path_, ErrorKind::kIo), AllOf(HasSubstr(path_), HasSubstr("No such file")));
  EXPECT_THAT(error(testing::TempDir(), ErrorKind::kIo), HasSubstr("not a regular file"));
  Write({});
  EXPECT_THAT(error(path_, ErrorKind::kBadFile), HasSubstr("empty"));
}

TEST(Image, EveryTruncationIsAnError) {
  const TestImage sample = [] {
    TestImage image = SampleImage();
    image.Finish();
    return image;
  }();
  std::vector<size_t> lengths = {0, 1, 63, 64, 65};
  for (const SectionEntry& entry : sample.entries) {
    for (const uint64_t edge : {entry.offset, entry.offset + entry.bytes}) {
      for (const uint64_t length : {edge - 1, edge, edge + 1}) lengths.push_back(length);
    }
  }
  for (size_t i = 0; i <= sample.entries.size(); ++i) {
    for (const size_t length : {63 + 64 * i, 64 + 64 * i, 65 + 64 * i}) lengths.push_back(length);
  }
  std::mt19937_64 random(1);
  for (int i = 0; i < 500; ++i) lengths.push_back(random() % sample.bytes.size());
  for (const size_t length : lengths) {
    ASSERT_LT(length, sample.bytes.size());
    EXPECT_THAT(OpenError(std::span(sample.bytes).first(length)),
                AllOf(HasSubstr("test.weights: "), HasSubstr(fmt::format("{} bytes", length))));
  }
  std::vector<uint8_t> longer = sample.bytes;
  longer.resize(longer.size() + kSectionAlign);
  EXPECT_THAT(OpenError(longer), HasSubstr("it has something appended"));
}

TEST(Image, EveryFlippedBitOfHeaderAndTableIsAnError) {
  const std::vector<uint8_t> bytes = SampleImage().Finish();
  const AlignedBytes copy(bytes);
  for (size_t bit = 0; bit < 8 * (64 + 7 * 64); ++bit) {
    uint8_t& byte = copy.span()[bit / 8];
    byte ^= static_cast<uint8_t>(1u << bit % 8);
    EXPECT_FALSE(Image::FromMemory(copy.span(), "test.weights")) << "bit " << bit;
    byte ^= static_cast<uint8_t>(1u << bit % 8);
  }
  EXPECT_TRUE(Image::FromMemory(copy.span(), "test.weights"));
}

TEST(Image, AFlippedBitOfASectionIsAnErrorOfItsReadersOnly) {
  TestImage sample = SampleImage();
  const std::vector<uint8_t> bytes = sample.Finish();
  std::mt19937_64 random(2);
  for (const SectionEntry& entry : sample.entries) {
    const auto kind = static_cast<SectionKind>(entry.kind);
    for (int i = 0; i < 20; ++i) {
      const size_t bit = random() % (8 * entry.bytes);
      const AlignedBytes damaged(Flipped(bytes, 8 * entry.offset + bit));
      const auto image = Image::FromMemory(damaged.span(), "test.weights");
      if (kind == SectionKind::kTableHashes) {
        ASSERT_FALSE(image);
        EXPECT_THAT(image.error().message, HasSubstr("table hashes section: the hash of its 48 bytes is "));
        continue;
      }
      ASSERT_TRUE(image) << image.error().message;
      EXPECT_THAT(ErrorOf(image->CheckAll()), HasSubstr(std::string(SectionName(kind)) + " section"));
      for (const SectionEntry& other : sample.entries) {
        const auto other_kind = static_cast<SectionKind>(other.kind);
        const bool hit = &other == &entry && kind != SectionKind::kTables;
        EXPECT_EQ(image->Get(other_kind, other.id).has_value(), !hit) << SectionName(other_kind);
      }
      if (kind != SectionKind::kTables) continue;
      const auto chunk = static_cast<int64_t>(bit / 8 / kTableChunkBytes);
      for (int64_t c = 0; c * int64_t{kTableChunkBytes} < int64_t{kTableBytes}; ++c) {
        // Twice, because a damaged chunk must fail each time.
        for (int turn = 0; turn < 2; ++turn) {
          EXPECT_EQ(image->CheckTables(c * int64_t{kTableChunkBytes}, 1).has_value(), c != chunk) << c;
        }
      }
    }
  }
}

TEST(Image, NonzeroBytesBetweenSectionsAreAnError) {
  TestImage sample = SampleImage();
  const std::vector<uint8_t> bytes = sample.Finish();
  EXPECT_EQ(OpenError(bytes, true), "no error");
  // After the table, in the unused page, after a section, and in the last byte.
  for (const size_t at : {size_t{64 + 7 * 64}, sample.entries[3].offset - 1,
                          sample.entries[2].offset + sample.entries[2].bytes, sample.entries[5].offset - 1}) {
    EXPECT_EQ(OpenError(Flipped(bytes, 8 * at)), "no error");
    EXPECT_THAT(OpenError(Flipped(bytes, 8 * at), true), HasSubstr("belong to no section and are not 0"))
        << at;
  }
}

TEST(Image, ChecksTheChunksThatARangeOverlaps) {
  TestImage sample = SampleImage();
  std::vector<uint8_t> bytes = sample.Finish();
  const uint64_t tables = sample.entries[4].offset;
  bytes[tables + 2 * kTableChunkBytes] ^= 1;
  const AlignedBytes damaged(bytes);
  const auto image = Image::FromMemory(damaged.span(), "test.weights");
  ASSERT_TRUE(image);
  const auto chunk = int64_t{kTableChunkBytes};
  EXPECT_TRUE(image->CheckTables(0, 2 * chunk));
  EXPECT_TRUE(image->CheckTables(2 * chunk, 0));
  EXPECT_THAT(ErrorOf(image->CheckTables(0, 2 * chunk + 1)),
              AllOf(HasSubstr("test.weights: tables section: the hash of bytes 131072 to 196608 is "),
                    HasSubstr("the file is damaged")));
  EXPECT_FALSE(image->CheckTables(3 * chunk - 1, 1));
  EXPECT_TRUE(image->CheckTables(3 * chunk, int64_t{kTableBytes} - 3 * chunk));
  for (const auto& [offset, count] : {std::pair<int64_t, int64_t>{-1, 1},
                                      {0, -1},
                                      {kTableBytes, 1},
                                      {0, kTableBytes + 1},
                                      {INT64_MAX, INT64_MAX},
                                      {1, INT64_MAX}}) {
    EXPECT_THAT(ErrorOf(image->CheckTables(offset, count)), HasSubstr("lie outside its 328680 bytes"));
  }
}

TEST(Image, WithoutTablesEveryRangeIsAnError) {
  TestImage small;
  small.Add(SectionKind::kModel, 0, ContentOf(SectionKind::kModel));
  const AlignedBytes bytes(small.Finish());
  const auto image = Image::FromMemory(bytes.span(), "test.weights");
  ASSERT_TRUE(image);
  EXPECT_FALSE(image->CheckTables(0, 1));
  EXPECT_TRUE(image->CheckTables(0, 0));
  EXPECT_TRUE(image->CheckAll());
}

TEST(Image, TablesAreCheckedByManyThreads) {
  TestImage sample = SampleImage();
  std::vector<uint8_t> bytes = sample.Finish();
  bytes[sample.entries[4].offset + 3 * kTableChunkBytes + 77] ^= 4;
  const AlignedBytes damaged(bytes);
  const auto image = Image::FromMemory(damaged.span(), "test.weights");
  ASSERT_TRUE(image);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (uint64_t seed = 0; seed < 8; ++seed) {
    threads.emplace_back([&, seed] {
      std::mt19937_64 random(seed);
      for (int i = 0; i < 500; ++i) {
        const auto offset = static_cast<int64_t>(random() % kTableBytes);
        const bool good = offset / int64_t{kTableChunkBytes} != 3;
        if (image->CheckTables(offset, 1).has_value() != good) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

// The header's hash is right in all of these, as from a faulty or hostile writer.
struct Hostile {
  const char* name;
  std::function<void(TestImage&)> edit;
  const char* error;
};

TEST(Image, WrongTablesWithTheRightHashAreErrors) {
  constexpr uint64_t kPage = kSectionAlign;
  const Hostile cases[] = {
      {"older version", [](TestImage& i) { i.header.version = 0; },
       "header: image version 0, but this program reads version 2"},
      {"newer version", [](TestImage& i) { i.header.version = 3; },
       "image version 3, but this program reads version 2; the file comes from a newer ggufc"},
      {"magic", [](TestImage& i) { i.header.magic[7] = 'Q'; }, "header: not a ggufc image"},
      {"no sections", [](TestImage& i) { i.header.sections = 0; },
       "header: 0 sections (1 to 64 are allowed)"},
      {"65 sections", [](TestImage& i) { i.header.sections = 65; },
       "header: 65 sections (1 to 64 are allowed)"},
      {"huge count", [](TestImage& i) { i.header.sections = UINT32_MAX; }, "header: 4294967295 sections"},
      {"a count without entries", [](TestImage& i) { i.header.sections = 64; }, "header: its hash is "},
      {"reserved", [](TestImage& i) { i.header.zero[1] = 1; }, "header: reserved bytes are not 0"},
      {"file bytes", [](TestImage& i) { i.header.file_bytes += kPage; }, "it is cut short"},
      {"huge file", [](TestImage& i) { i.header.file_bytes = UINT64_MAX; },
       "expected 18446744073709551615; it is cut short"},
      {"kind 0", [](TestImage& i) { i.entries[1].kind = 0; }, "section 1 of 7: unknown kind 0"},
      {"kind 10", [](TestImage& i) { i.entries[6].kind = 10; }, "section 6 of 7: unknown kind 10"},
      {"huge kind", [](TestImage& i) { i.entries[6].kind = UINT32_MAX; }, "unknown kind 4294967295"},
      {"reserved of an entry", [](TestImage& i) { i.entries[2].zero = 1; },
       "section 2 of 7: reserved bytes are not 0"},
      {"reserved of an entry", [](TestImage& i) { i.entries[2].zeros[2] = 1; },
       "section 2 of 7: reserved bytes are not 0"},
      {"an id", [](TestImage& i) { i.entries[0].id = 5; },
       "model section 0000000000000005: its id must be 0"},
      {"an id", [](TestImage& i) { i.entries[4].id = 5; },
       "tables section 0000000000000005: its id must be 0"},
      {"twice", [](TestImage& i) { i.entries[3].id = 1; },
       "weights section 0000000000000001: the image has it twice"},
      {"misaligned", [](TestImage& i) { i.entries[3].offset += 64; }, "multiple of 4096"},
      {"overlapping", [](TestImage& i) { i.entries[3].offset = i.entries[2].offset + kPage; },
       "the end of the section before it"},
      {"the same place", [](TestImage& i) { i.entries[3].offset = i.entries[2].offset; },
       "the end of the section before it"},
      {"unordered", [](TestImage& i) { std::swap(i.entries[2], i.entries[3]); },
       "section 3 of 7: weights section 0000000000000001: offset 16384 lies before"},
      {"within the table", [](TestImage& i) { i.entries[0].offset = 0; },
       "model section: offset 0 lies before 512, the end of the section before it"},
      {"empty", [](TestImage& i) { i.entries[1].bytes = 0; }, "tokenizer section: it is empty"},
      {"too long", [](TestImage& i) { i.entries[6].bytes += kPage; }, "golden section: 9096 bytes at offset"},
      {"into the next", [](TestImage& i) { i.entries[2].bytes += 5 * kPage; },
       "the end of the section before it"},
      {"huge", [](TestImage& i) { i.entries[6].bytes = UINT64_MAX; }, "18446744073709551615 bytes at offset"},
      {"a sum that wraps", [](TestImage& i) { i.entries[6].bytes = 0 - i.entries[6].offset; },
       "lie outside the file of"},
      {"outside", [](TestImage& i) { i.entries[6].offset = i.bytes.size(); }, "lie outside the file of"},
      {"far outside", [](TestImage& i) { i.entries[6].offset = UINT64_MAX / kPage * kPage; },
       "lie outside the file of"},
      {"bytes after the last section",
       [](TestImage& i) {
         i.bytes.resize(i.bytes.size() + kPage);
         i.header.file_bytes += kPage;
       },
       "but the last section ends at"},
      {"tables without hashes",
       [](TestImage& i) { i.entries[5].kind = static_cast<uint32_t>(SectionKind::kCode); },
       "a tables section, but no table hashes section"},
      {"hashes without tables",
       [](TestImage& i) { i.entries[4].kind = static_cast<uint32_t>(SectionKind::kCode); },
       "a table hashes section, but no tables section"},
      {"a chunk less",
       [](TestImage& i) {
         i.entries[5].bytes -= 8;
         i.entries[5].hash = Hash64(std::span(i.bytes).subspan(i.entries[5].offset, i.entries[5].bytes));
       },
       "table hashes section: 40 bytes, expected 48 for the 328680 bytes of the tables"},
      {"a hash of another section", [](TestImage& i) { i.entries[5].hash = i.entries[4].hash; },
       "table hashes section: the hash of its 48 bytes"},
  };
  for (const Hostile& hostile : cases) {
    TestImage image = SampleImage();
    image.Finish();
    hostile.edit(image);
    EXPECT_THAT(OpenError(image.Finish(false)), AllOf(HasSubstr("test.weights: "), HasSubstr(hostile.error)))
        << hostile.name;
  }
}

TEST(Image, SixtyFourSectionsAreTheLimit) {
  TestImage image;
  for (uint64_t id = 0; id < kMaxSections; ++id) image.Add(SectionKind::kCode, id, RandomBytes(10, id));
  EXPECT_EQ(OpenError(image.Finish(), true), "no error");
}

// Sections of another file have other hashes, even if everything else is equal.
TEST(Image, SwappedSectionsAreFound) {
  TestImage sample = SampleImage();
  std::vector<uint8_t> bytes = sample.Finish();
  const auto swap = [&](size_t a, size_t b) {
    std::swap_ranges(bytes.begin() + static_cast<ptrdiff_t>(sample.entries[a].offset),
                     bytes.begin() + static_cast<ptrdiff_t>(sample.entries[a].offset) + 4096,
                     bytes.begin() + static_cast<ptrdiff_t>(sample.entries[b].offset));
  };
  swap(0, 1);
  const AlignedBytes swapped(bytes);
  const auto image = Image::FromMemory(swapped.span(), "test.weights");
  ASSERT_TRUE(image);
  EXPECT_THAT(ErrorOf(image->Get(SectionKind::kModel).map([](auto) {})),
              HasSubstr("model section: the hash of its 4096 bytes is "));
  EXPECT_FALSE(image->Get(SectionKind::kTokenizer));
}

// If the system can populate pages, missing pages of a shortened file are an error and not a signal.
TEST_F(ImageFile, AFileShortenedWhileOpenIsAnError) {
#ifdef MADV_POPULATE_READ
  static char page[2 * 4096];
  const auto aligned = reinterpret_cast<uintptr_t>(page + 4095) / 4096 * 4096;
  if (madvise(reinterpret_cast<void*>(aligned), 4096, MADV_POPULATE_READ) != 0)
    GTEST_SKIP() << "needs Linux 5.14";
  TestImage sample = SampleImage();
  Write(sample.Finish());
  const auto image = Image::Open(path_);
  ASSERT_TRUE(image);
  Shorten(sample.entries[3].offset);
  EXPECT_TRUE(image->Get(SectionKind::kWeights, 1));
  EXPECT_THAT(ErrorOf(image->Get(SectionKind::kWeights, 2).map([](auto) {})),
              HasSubstr("cut short while open"));
  EXPECT_THAT(ErrorOf(image->CheckTables(0, 1)), HasSubstr("cut short while open"));
#else
  GTEST_SKIP() << "needs Linux 5.14";
#endif
}

TEST(Fingerprint, ParseReadsItsText) {
  FingerprintBytes bytes = {};
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 0x11);
  EXPECT_EQ(FingerprintText(bytes), "00112233445566778899aabbccddeeff");
  const auto parsed = ParseFingerprint("00112233445566778899aabbccddeeff");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(*parsed, bytes);
  for (const char* wrong : {"", "00", "00112233445566778899aabbccddeef", "00112233445566778899aabbccddeeff0",
                            "0011223344556677889gaabbccddeeff", "00112233445566778899AABBCCDDEEFF"}) {
    const auto result = ParseFingerprint(wrong);
    ASSERT_FALSE(result) << wrong;
    EXPECT_THAT(result.error().message, HasSubstr(fmt::format("fingerprint '{}'", wrong)));
  }
}

}  // namespace
}  // namespace ggufc::runtime
