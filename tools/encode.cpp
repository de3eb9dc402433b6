#include "tools/encode.h"

#include "runtime/prompts.h"

namespace ggufc::tools {

void InputFlags::Add(CLI::App& app) {
  std::string names;
  for (const runtime::Prompt& known : runtime::Prompts()) {
    const bool wrap = known.name == "classification";
    names += fmt::format("{}{}", names.empty() ? "" : wrap ? ",\n" : ", ", known.name);
  }
  app.add_option("--input", input,
                 "read documents from FILE: JSON lines, {\"text\": \"...\"} or {\"ids\": [...]}, or\nplain "
                 "lines when its name "
                 "ends in .txt; - is standard input (JSON lines)")
      ->type_name("FILE|-");
  app.add_option("--ids", ids, "a document as token ids, taken as they are; may be repeated")
      ->allow_extra_args(false)
      ->type_name("ID[,ID...]");
  app.add_option("--prompt", prompt, fmt::format("put a task prompt before each text: {}", names))
      ->type_name("NAME");
  app.add_option("--title", title, "the title of the texts, for --prompt document")->type_name("TITLE");
}

Status InputFlags::Check(const std::vector<std::string>& texts) const {
  if (input.empty() && texts.empty() && ids.empty()) {
    return Err("no documents: give texts behind the model, or --input, or --ids");
  }
  if (!input.empty() && (!texts.empty() || !ids.empty())) {
    return Err("documents come from --input or from the command line, not from both");
  }
  for (const std::string& list : ids)
    RETURN_IF_ERROR(WithContext("--ids", ParseIds(list)).map([](auto&&) {}));
  if (!prompt.empty()) {
    RETURN_IF_ERROR(runtime::ApplyPrompt(prompt, title, "").map([](auto&&) {}));
  } else if (!title.empty()) {
    return Err("--title needs --prompt document");
  }
  return {};
}

Result<std::unique_ptr<DocumentSource>> InputFlags::Open(const std::vector<std::string>& texts) const {
  if (!input.empty()) return OpenDocuments(input);
  std::vector<std::vector<int32_t>> lists;
  for (const std::string& list : ids) {
    ASSIGN_OR_RETURN(lists.emplace_back(), ParseIds(list));
  }
  return DocumentsOf(texts, std::move(lists));
}

Status Encoder::Encode(Document& document, std::vector<int32_t>& ids) {
  if (!document.has_text) {
    ids = std::move(document.ids);
    return {};
  }
  ASSIGN_OR_RETURN(const runtime::Tokenizer* tokenizer, model_.tokenizer());
  if (!flags_.prompt.empty()) {
    ASSIGN_OR_RETURN(document.text, runtime::ApplyPrompt(flags_.prompt, flags_.title, document.text));
  }
  return WithContext(document.where, tokenizer->Encode(document.text, ids));
}

Status Encoder::EncodeForModel(Document& document, bool truncate, std::vector<int32_t>& ids) {
  if (document.has_text && document.text.empty()) return Err("{}: the text is empty", document.where);
  if (!document.has_text && document.ids.empty()) return Err("{}: the list of ids is empty", document.where);
  RETURN_IF_ERROR(Encode(document, ids));
  const int64_t vocab = model_.config().vocab;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= vocab) {
      return Err("{}: token {} is {} (the vocabulary has 0 to {})", document.where, i, ids[i], vocab - 1);
    }
  }
  const auto limit = static_cast<size_t>(model_.config().context_length);
  if (ids.size() <= limit) return {};
  if (!truncate) {
    return Err("{}: {} tokens (the model takes {} at most; --overlength truncate cuts the rest off)",
               document.where, ids.size(), limit);
  }
  ASSIGN_OR_RETURN(const runtime::Tokenizer* tokenizer, model_.tokenizer());
  ++truncated_documents_;
  truncated_tokens_ += static_cast<int64_t>(ids.size() - limit);
  tokenizer->Truncate(ids, limit);
  return {};
}

}  // namespace ggufc::tools
