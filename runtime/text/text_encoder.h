// From a text, or a list of token ids, to the token ids that a model computes with: prompt, tokenizer, and the limits of
// the model. Every way to embed goes through it, so that all of them take and refuse the same, in the same words.
// Errors do not name the text or list.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "runtime/text/tokenizer.h"
#include "support/result.h"

namespace ggufc::runtime {

struct EmbedOptions {
  bool truncate = false;      // what is too long loses tokens at its end, but keeps EOS; else it is an error
  bool parse_control = true;  // false: control tokens spelled in a text are plain text
  bool allow_empty = false;   // an empty text is its special tokens, and its prompt; else it is an error
  std::string_view prompt = {};  // prompts.h; empty: none
};

// `title` only for prompts that take one; empty: none.
struct Text {
  std::string_view text;
  std::string_view title = {};
};

struct ModelLimits {
  int64_t vocab = 0;
  int64_t context_length = 0;
};

// May be used by any number of threads at a time, if `tokenizer` may.
class TextEncoder {
 public:
  // Asked for the tokenizer when one is needed: making it can take time, and ids that fit need none.
  using GetTokenizer = std::function<Result<const Tokenizer*>()>;

  TextEncoder(GetTokenizer tokenizer, const ModelLimits& limits)
      : tokenizer_(std::move(tokenizer)), limits_(limits) {}

  Status CheckTokenizer() const {
    return tokenizer_().map([](auto&&) {});
  }

  // The tokens of the text with its prompt, BOS and EOS. An empty text is fine; unless options.truncate, so is any
  // number of tokens. Returns how many were dropped.
  Result<int64_t> Tokenize(const Text& text, const EmbedOptions& options, std::vector<int32_t>& ids) const;

  // The same for a text that is to be embedded: errors are an empty text, unless options.allow_empty; no tokens;
  // and, unless options.truncate, more than the context holds (ErrorKind::kTooLong).
  Result<int64_t> Encode(const Text& text, const EmbedOptions& options, std::vector<int32_t>& ids) const;

  // The same for token ids, taken as they are: errors are an empty list, an id outside the vocabulary, and, unless
  // `truncate`, too many. `given` is not part of `ids`.
  Result<int64_t> Take(std::span<const int32_t> given, bool truncate, std::vector<int32_t>& ids) const;

 private:
  Status CheckLength(size_t tokens) const;

  GetTokenizer tokenizer_;
  ModelLimits limits_;
};

}  // namespace ggufc::runtime
