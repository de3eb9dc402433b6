// Runs the ggufc binary, and makes files for it.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "test_paths.h"

namespace ggufc::testing {

enum class Stdout { kCapture, kClosedPipe, kFullDevice };

struct Outcome {
  int status = -1;  // exit status, or 128 + the signal that ended it
  std::string out;
  std::string err;
};

Outcome RunProgram(const std::string& binary, const std::vector<std::string>& arguments,
                   std::string_view standard_input = {}, Stdout standard_output = Stdout::kCapture);
// The same of ggufc.
Outcome RunGgufc(const std::vector<std::string>& arguments, std::string_view standard_input = {},
                 Stdout standard_output = Stdout::kCapture);

std::string ReadFile(const std::string& path);
void WriteFile(const std::string& path, std::string_view bytes);
std::vector<std::string> Lines(const std::string& text);
// Each line of JSON lines.
std::vector<nlohmann::json> ParseLines(const std::string& text);

// Every test has an empty folder of its own.
class CliTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
  std::string File(const std::string& name) const { return folder_ + "/" + name; }
  std::vector<std::string> FilesThere() const;  // names, sorted

  const std::string model_ = DataPath("tiny-q8_0.gguf");

 private:
  std::string folder_;
};

}  // namespace ggufc::testing
