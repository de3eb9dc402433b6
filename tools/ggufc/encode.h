// From documents to token ids: prompts, the tokenizer, and the model's limits.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "driver/compile.h"
#include "runtime/text/tokenizer.h"
#include "support/result.h"
#include "tools/input/input_flags.h"

namespace ggufc::tools {

// What a model takes.
struct EncoderLimits {
  int64_t vocab = 0;
  int64_t context_length = 0;
};

class Encoder {
 public:
  // Asked for the tokenizer when one is needed: making it takes time, and documents of token ids need none.
  using GetTokenizer = std::function<Result<const runtime::Tokenizer*>()>;

  // `flags` has passed Check; it and what the tokenizer comes from must outlive the encoder.
  Encoder(GetTokenizer tokenizer, const EncoderLimits& limits, const InputFlags& flags)
      : tokenizer_(std::move(tokenizer)), limits_(limits), flags_(flags) {}
  Encoder(driver::SourceModel& model, const InputFlags& flags)
      : Encoder([&model] { return model.tokenizer(); }, {model.config().vocab, model.config().context_length},
                flags) {}

  // The document's ids as they are; of a text, its prompt and itself with BOS and EOS. The error names the
  // document.
  Status Encode(Document& document, std::vector<int32_t>& ids);
  // As Encode, for a document that is to be embedded: an empty text or list, an id outside the vocabulary and
  // more tokens than the context holds are errors; with `truncate` a document that is too long loses tokens
  // at its end, and keeps EOS. Returns the number of tokens lost.
  Result<int64_t> EncodeForModel(Document& document, bool truncate, std::vector<int32_t>& ids);

 private:
  const GetTokenizer tokenizer_;
  const EncoderLimits limits_;
  const InputFlags& flags_;
};

}  // namespace ggufc::tools
