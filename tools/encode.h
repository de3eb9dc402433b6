// From documents to token ids: prompts, the tokenizer, and the model's limits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compiler/compile.h"
#include "support/result.h"
#include "tools/input_flags.h"

namespace ggufc::tools {

class Encoder {
 public:
  // `flags` has passed Check; it and the model must outlive the encoder.
  Encoder(compiler::Model& model, const InputFlags& flags) : model_(model), flags_(flags) {}

  // The document's ids as they are; of a text, its prompt and itself with BOS and EOS. The error names the
  // document.
  Status Encode(Document& document, std::vector<int32_t>& ids);
  // As Encode, for a document that is to be embedded: an empty text or list, an id outside the vocabulary and
  // more tokens than the context holds are errors; with `truncate` a document that is too long loses tokens
  // at its end, and keeps EOS. Returns the number of tokens lost.
  Result<int64_t> EncodeForModel(Document& document, bool truncate, std::vector<int32_t>& ids);

 private:
  compiler::Model& model_;
  const InputFlags& flags_;
};

}  // namespace ggufc::tools
