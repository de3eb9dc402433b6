// From documents to token ids: prompts, the tokenizer, and the model's limits.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/compile.h"
#include "support/result.h"
#include "tools/documents.h"

namespace ggufc::tools {

// Which documents a command works on.
struct InputFlags {
  std::string input;
  std::vector<std::string> ids;
  std::string prompt;
  std::string title;

  void Add(CLI::App& app);
  // What is wrong with the flags themselves, before any file is opened.
  Status Check(const std::vector<std::string>& texts) const;
  Result<std::unique_ptr<DocumentSource>> Open(const std::vector<std::string>& texts) const;
};

class Encoder {
 public:
  // `flags` has passed Check; it and the model must outlive the encoder.
  Encoder(compiler::Model& model, const InputFlags& flags) : model_(model), flags_(flags) {}

  // The document's ids as they are; of a text, its prompt and itself with BOS and EOS. The error names the
  // document.
  Status Encode(Document& document, std::vector<int32_t>& ids);
  // As Encode, for a document that is to be embedded: an empty text or list, an id outside the vocabulary and
  // more tokens than the context holds are errors; with `truncate` a document that is too long loses tokens
  // at its end, and keeps EOS.
  Status EncodeForModel(Document& document, bool truncate, std::vector<int32_t>& ids);

  int64_t truncated_documents() const { return truncated_documents_; }
  int64_t truncated_tokens() const { return truncated_tokens_; }

 private:
  compiler::Model& model_;
  const InputFlags& flags_;
  int64_t truncated_documents_ = 0;
  int64_t truncated_tokens_ = 0;
};

}  // namespace ggufc::tools
