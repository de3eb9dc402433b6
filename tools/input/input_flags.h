// Which documents a command works on, and where their vectors go.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "support/result.h"
#include "tools/input/documents.h"
#include "tools/io/vector_writer.h"

namespace ggufc::tools {

struct InputFlags {
  std::string input;
  std::vector<std::string> ids;
  std::string prompt;
  std::string title;
  bool plain_text = false;

  void Add(CLI::App& app);
  // What is wrong with the flags themselves, before any file is opened.
  Status Check(const std::vector<std::string>& texts) const;
  Result<std::unique_ptr<DocumentSource>> Open(const std::vector<std::string>& texts) const;
};

struct OutputFlags {
  std::string overlength = "error";
  std::string path = "-";
  std::string format = "jsonl";

  void Add(CLI::App& app);
  bool truncate() const { return overlength == "truncate"; }
  Result<std::unique_ptr<VectorWriter>> Open(int64_t dims) const;
};

}  // namespace ggufc::tools
