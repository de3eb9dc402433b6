// Which documents a command works on, and where their vectors go.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "runtime/text/text_encoder.h"
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
  // How texts are tokenized. Refers to the flags.
  runtime::EmbedOptions Options() const { return {.parse_control = !plain_text, .prompt = prompt}; }
};

// The ids that the document's vector is computed from; returns how many truncation dropped. The error, which does not name
// the document, is what is wrong with it.
Result<int64_t> EncodeDocument(const runtime::TextEncoder& encoder, const Document& document,
                               std::string_view title, const runtime::EmbedOptions& options,
                               std::vector<int32_t>& ids);

struct OutputFlags {
  std::string overlength = "error";
  std::string on_error = "fail";
  bool allow_empty = false;
  std::string path = "-";
  std::string format = "jsonl";

  void Add(CLI::App& app);
  bool truncate() const { return overlength == "truncate"; }
  bool skip_errors() const { return on_error == "skip"; }
  Result<std::unique_ptr<VectorWriter>> Open(int64_t dims) const;
};

}  // namespace ggufc::tools
