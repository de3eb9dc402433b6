#include "tools/ggufc/encode.h"

#include "runtime/text/prompts.h"

namespace ggufc::tools {

Status Encoder::Encode(Document& document, std::vector<int32_t>& ids) {
  if (!document.has_text) {
    ids = std::move(document.ids);
    return {};
  }
  ASSIGN_OR_RETURN(const runtime::Tokenizer* tokenizer, tokenizer_());
  if (!flags_.prompt.empty()) {
    ASSIGN_OR_RETURN(document.text, runtime::ApplyPrompt(flags_.prompt, flags_.title, document.text));
  }
  return WithContext(document.where,
                     tokenizer->Encode(document.text, ids, {.parse_control = !flags_.plain_text}));
}

Result<int64_t> Encoder::EncodeForModel(Document& document, bool truncate, std::vector<int32_t>& ids) {
  if (document.has_text && document.text.empty()) return Err("{}: the text is empty", document.where);
  if (!document.has_text && document.ids.empty()) return Err("{}: the list of ids is empty", document.where);
  RETURN_IF_ERROR(Encode(document, ids));
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= limits_.vocab) {
      return Err("{}: token {} is {} (the vocabulary has 0 to {})", document.where, i, ids[i],
                 limits_.vocab - 1);
    }
  }
  const auto limit = static_cast<size_t>(limits_.context_length);
  if (ids.size() <= limit) return 0;
  if (!truncate) {
    return Err("{}: {} tokens (the model takes {} at most; --overlength truncate cuts the rest off)",
               document.where, ids.size(), limit);
  }
  ASSIGN_OR_RETURN(const runtime::Tokenizer* tokenizer, tokenizer_());
  const auto dropped = static_cast<int64_t>(ids.size() - limit);
  tokenizer->Truncate(ids, limit);
  return dropped;
}

}  // namespace ggufc::tools
