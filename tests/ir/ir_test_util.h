// Helpers of the IR tests.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "ir/core/weight_layout.h"
#include "ir/interpret/interpreter.h"
#include "ir/text/parser.h"
#include "ir/text/printer.h"
#include "ir/verify/verifier.h"
#include "support/os/mapped_file.h"
#include "test_paths.h"

namespace ggufc::ir {

inline std::string ReadTestFile(const std::string& name) {
  const Result<MappedFile> file = MappedFile::Open(DataPath("ir/" + name));
  if (!file) {
    ADD_FAILURE() << file.error().message;
    return {};
  }
  return {file->bytes().begin(), file->bytes().end()};
}

inline std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << "not found in the text: " << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

// Parses text that must be correct.
inline Module MustParse(const std::string& text) {
  Result<Module> module = Parse(text, "test.tir");
  EXPECT_TRUE(module) << (module ? "" : module.error().message) << "\n" << text;
  return module ? std::move(*module) : Module();
}

// The error message of parsing and verifying `text`; empty without an error.
inline std::string ErrorOf(const std::string& text) {
  const Result<Module> module = Parse(text, "test.tir");
  if (!module) return "parser: " + module.error().message;
  const Status status = Verify(*module);
  return status ? "" : status.error().message;
}

// Weights given by name as f32 values, encoded in the weight's type.
inline WeightSource NamedWeights(std::vector<std::pair<std::string, std::vector<float>>> values) {
  return WeightsFromTensors([values](const Module& module, WeightId id) -> Result<std::vector<uint8_t>> {
    for (const auto& [name, numbers] : values) {
      if (name == module.weight(id).name) return Encode(module.weight(id).type, numbers);
    }
    return Err("no weight @{}", module.weight(id).name);
  });
}

}  // namespace ggufc::ir
