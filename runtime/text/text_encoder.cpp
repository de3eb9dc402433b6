#include "runtime/text/text_encoder.h"

#include <algorithm>
#include <string>

#include "runtime/text/prompts.h"

namespace ggufc::runtime {

Result<int64_t> TextEncoder::Tokenize(const Text& text, const EmbedOptions& options,
                                      std::vector<int32_t>& ids) const {
  std::string prompted;
  std::string_view all = text.text;
  if (!options.prompt.empty()) {
    ASSIGN_OR_RETURN(prompted, ApplyPrompt(options.prompt, text.title, text.text));
    all = prompted;
  } else if (!text.title.empty()) {
    return Err("the title `{}` needs a prompt that takes one", text.title);
  }
  if (all.size() > Tokenizer::kMaxTextBytes) {
    return Err(ErrorKind::kTooLong, "the text has {} bytes (the limit is {})", all.size(),
               Tokenizer::kMaxTextBytes);
  }
  ASSIGN_OR_RETURN(const Tokenizer* const tokenizer, tokenizer_());
  RETURN_IF_ERROR(tokenizer->Encode(all, ids, {.parse_control = options.parse_control}));
  const size_t before = ids.size();
  if (options.truncate) tokenizer->Truncate(ids, static_cast<size_t>(limits_.context_length));
  return static_cast<int64_t>(before - ids.size());
}

Result<int64_t> TextEncoder::Encode(const Text& text, const EmbedOptions& options,
                                    std::vector<int32_t>& ids) const {
  if (text.text.empty() && !options.allow_empty) return Err("the text is empty");
  ASSIGN_OR_RETURN(const int64_t dropped, Tokenize(text, options, ids));
  if (ids.empty()) return Err("the text has no tokens");
  RETURN_IF_ERROR(CheckLength(ids.size()));
  return dropped;
}

Result<int64_t> TextEncoder::Take(std::span<const int32_t> given, bool truncate,
                                  std::vector<int32_t>& ids) const {
  if (given.empty()) return Err("the list of ids is empty");
  for (size_t i = 0; i < given.size(); ++i) {
    if (given[i] >= 0 && given[i] < limits_.vocab) continue;
    return Err("token {}: id {} is not in the vocabulary of {}", i, given[i], limits_.vocab);
  }
  if (!truncate) RETURN_IF_ERROR(CheckLength(given.size()));
  const auto limit = static_cast<size_t>(limits_.context_length);
  const std::span<const int32_t> taken = given.first(std::min(given.size(), limit));
  ids.assign(taken.begin(), taken.end());
  if (given.size() > limit) {
    // Of what lies beyond, only an EOS at the very end matters.
    ASSIGN_OR_RETURN(const Tokenizer* const tokenizer, tokenizer_());
    ids.push_back(given.back());
    tokenizer->Truncate(ids, limit);
  }
  return static_cast<int64_t>(given.size() - ids.size());
}

Status TextEncoder::CheckLength(size_t tokens) const {
  if (tokens <= static_cast<size_t>(limits_.context_length)) return {};
  return Err(ErrorKind::kTooLong, "{} tokens (the model takes at most {})", tokens, limits_.context_length);
}

}  // namespace ggufc::runtime
