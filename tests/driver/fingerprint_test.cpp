// A fingerprint is of the file that was opened, not of what has its path by then.
#include "driver/fingerprint.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

#include "driver/aot/artifact.h"
#include "test_models.h"

namespace ggufc::testing {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class FingerprintTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = ::testing::TempDir() + "ggufc-fingerprint-" + std::to_string(getpid());
    fs::create_directories(root_);
    path_ = root_ + "/m.gguf";
    fs::copy_file(DataPath("tiny-q8_0.gguf"), path_);
    fs::copy_file(DataPath("tiny-f32.gguf"), root_ + "/new.gguf");
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }
  void Replace() const { fs::rename(root_ + "/new.gguf", path_); }

  std::string root_, path_;
};

TEST_F(FingerprintTest, OfAFileThatWasReplacedIsAnError) {
  const auto model = Value(driver::SourceModel::Open(path_));
  EXPECT_EQ(Value(driver::Fingerprint(*model, {})), Value(driver::Fingerprint(*model, {})));
  Replace();
  const auto fingerprint = driver::Fingerprint(*model, {});
  ASSERT_FALSE(fingerprint);
  EXPECT_EQ(fingerprint.error().kind, ErrorKind::kIo);
  EXPECT_THAT(fingerprint.error().message, HasSubstr(path_ + ": the file was replaced or changed while"));
}

TEST_F(FingerprintTest, AnArtifactIsOfOneFile) {
  const auto model = Value(driver::SourceModel::Open(path_));
  driver::ArtifactOptions options;
  options.name = "m";
  options.targets = {&codegen::Targets().front()};
  options.progress = [&](std::string_view what) {
    if (what == "passes") Replace();
  };
  const auto artifact = driver::Artifact::Plan(*model, std::move(options));
  ASSERT_FALSE(artifact);
  EXPECT_THAT(artifact.error().message, HasSubstr("the file was replaced or changed while it was compiled"));
}

TEST(ArtifactName, WhatIsMadeOfAFileNameIsMostlyOne) {
  for (const char* name : {"a", "_", "_1x", "int", "Gguf", "x_open"})
    EXPECT_TRUE(driver::CheckArtifactName(name)) << name;
  EXPECT_TRUE(driver::CheckArtifactName(std::string(64, 'a')));
  for (const char* name : {"", "1x", "a-b", "a/b", "ggufc", "ggufc_x", "\xc3\xa9"}) {
    EXPECT_FALSE(driver::CheckArtifactName(name)) << name;
  }
  EXPECT_EQ(driver::MakeArtifactName("1x"), "_1x");
  EXPECT_EQ(driver::MakeArtifactName("a-b.c"), "a_b_c");
  for (const std::string& text : {std::string(), std::string("ggufc-x"), std::string(65, 'a')}) {
    EXPECT_FALSE(driver::CheckArtifactName(driver::MakeArtifactName(text))) << text;
  }
}

}  // namespace
}  // namespace ggufc::testing
