// Images as the compiler writes them and the runtime reads them.
#include "driver/aot/image_writer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "runtime/store/image.h"
#include "support/hash.h"

namespace ggufc::testing {
namespace {

using driver::ImageWriter;
using driver::PlannedSection;
using runtime::SectionKind;

constexpr runtime::FingerprintBytes kFingerprint = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255};

class ImageWriterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const size_t bytes : {size_t{1}, size_t{4096}, size_t{4097}, size_t{700'001}}) {
      std::vector<uint8_t>& section = contents_.emplace_back(bytes);
      for (size_t i = 0; i < bytes; ++i) section[i] = static_cast<uint8_t>(i * 31 + bytes);
    }
    kinds_ = {SectionKind::kModel, SectionKind::kWeights, SectionKind::kWeights, SectionKind::kTables};
    for (size_t i = 0; i < contents_.size(); ++i)
      planned_.push_back({kinds_[i], i == 2 ? 77u : 0u, contents_[i].size()});
    const auto& tables = contents_.back();
    for (size_t at = 0; at < tables.size(); at += runtime::kTableChunkBytes) {
      hashes_.push_back(
          Hash64(std::span(tables).subspan(at, std::min(tables.size() - at, runtime::kTableChunkBytes))));
    }
    planned_.push_back({SectionKind::kTableHashes, 0, hashes_.size() * sizeof(uint64_t)});
  }
  void TearDown() override { std::filesystem::remove(path_); }

  // `base` bytes before the image, sections in pieces of `piece` bytes.
  std::string Write(uint64_t base, size_t piece) {
    auto file = OutputFile::Create(path_);
    EXPECT_TRUE(file) << file.error().message;
    EXPECT_TRUE(file->Write(std::string(base, 'x')));
    auto writer = ImageWriter::Begin(*file, base, kFingerprint, planned_);
    EXPECT_TRUE(writer) << writer.error().message;
    for (const auto& section : contents_) {
      std::span<const uint8_t> rest = section;
      while (!rest.empty()) {
        EXPECT_TRUE(writer->Write(rest.first(std::min(rest.size(), piece))));
        rest = rest.subspan(std::min(rest.size(), piece));
      }
    }
    EXPECT_TRUE(writer->WriteSection(
        SectionKind::kTableHashes,
        {reinterpret_cast<const uint8_t*>(hashes_.data()), hashes_.size() * sizeof(uint64_t)}));
    EXPECT_TRUE(writer->Finish());
    EXPECT_TRUE(file->Finish());
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }

  const std::string path_ = ::testing::TempDir() + "ggufc-image-" + std::to_string(getpid());
  std::vector<std::vector<uint8_t>> contents_;
  std::vector<SectionKind> kinds_;
  std::vector<uint64_t> hashes_;
  std::vector<PlannedSection> planned_;
};

TEST_F(ImageWriterTest, TheRuntimeReadsWhatWasWritten) {
  const std::string bytes = Write(0, 100'000);
  EXPECT_EQ(bytes.size(), driver::ImageBytes(planned_));
  const auto image = runtime::Image::Open(path_);
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->fingerprint(), kFingerprint);
  const Status whole = image->CheckAll();
  EXPECT_TRUE(whole) << whole.error().message;
  for (size_t i = 0; i < contents_.size(); ++i) {
    const auto section = image->Get(kinds_[i], planned_[i].id);
    ASSERT_TRUE(section) << section.error().message;
    EXPECT_TRUE(std::ranges::equal(*section, contents_[i])) << i;
  }
}

TEST_F(ImageWriterTest, PiecesAndPlaceDoNotMatter) {
  const std::string whole = Write(0, size_t{1} << 20);
  EXPECT_EQ(Write(0, 4096), whole);
  EXPECT_EQ(Write(0, 999), whole);
  const std::string behind = Write(8192, 5000);
  EXPECT_EQ(behind.substr(0, 8192), std::string(8192, 'x'));
  EXPECT_EQ(behind.substr(8192), whole);
}

TEST_F(ImageWriterTest, IsNoImageBeforeItIsFinished) {
  auto file = OutputFile::Create(path_);
  ASSERT_TRUE(file);
  auto writer = ImageWriter::Begin(*file, 0, kFingerprint, std::span(planned_).first(1));
  ASSERT_TRUE(writer);
  ASSERT_TRUE(writer->WriteSection(SectionKind::kModel, contents_[0]));
  ASSERT_TRUE(file->Flush());
  EXPECT_FALSE(runtime::Image::Open(file->temporary()));
  ASSERT_TRUE(writer->Finish());
  EXPECT_TRUE(runtime::Image::Open(file->temporary()));
}

}  // namespace
}  // namespace ggufc::testing
