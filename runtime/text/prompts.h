// The task prompts of EmbeddingGemma: the model was trained with one of these strings in front of every text.
// Source: the model card's prompt instructions; the aliases are the prompt names of the sentence-transformers
// configuration that ships with the model. Names compare without case, and `_` and ` ` count as `-`.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "support/result.h"

namespace ggufc::runtime {

struct Prompt {
  std::string_view name;    // canonical, as listed in errors and help
  std::string_view prefix;  // what stands in front of the text, to the byte
  bool takes_title;         // the prefix has a title, `none` where the caller gives none
};

// Every prompt once, in the order of the model card.
std::span<const Prompt> Prompts();

// The prompt of that name or alias; the error lists the known names.
Result<Prompt> FindPrompt(std::string_view name);

// The text with its prompt in front. A title replaces `none` in the document prompt; an empty title means
// none, and a title for any other prompt is an error.
Result<std::string> ApplyPrompt(std::string_view name, std::string_view title, std::string_view text);

}  // namespace ggufc::runtime
