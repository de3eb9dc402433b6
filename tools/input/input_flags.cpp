#include "tools/input/input_flags.h"

#include "runtime/text/prompts.h"
#include "tools/io/console.h"
#include "tools/io/number_list.h"

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
  app.add_option("--ids", ids,
                 "a document as token ids, taken as they are; may be repeated, and come\nbehind all TEXTs")
      ->allow_extra_args(false)
      ->type_name("ID[,ID...]");
  app.add_option("--prompt", prompt, fmt::format("put a task prompt before each text: {}", names))
      ->type_name("NAME");
  app.add_option("--title", title, "the title of the texts, for --prompt document")->type_name("TITLE");
  app.add_flag(
      "--plain-text", plain_text,
      "the spelling of a control token in a text, such as <eos>, is text like any\nother and not the "
      "token");
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

Result<int64_t> EncodeDocument(const runtime::TextEncoder& encoder, const Document& document,
                               std::string_view title, const runtime::EmbedOptions& options,
                               std::vector<int32_t>& ids) {
  if (!document.status) return tl::unexpected(document.status.error());
  if (document.has_text) return encoder.Encode({document.text, title}, options, ids);
  return encoder.Take(document.ids, options.truncate, ids);
}

void OutputFlags::Add(CLI::App& app) {
  app.add_option("--overlength", overlength,
                 "a document longer than the model's context: error (default), or\ntruncate: cut its end "
                 "off, keep EOS")
      ->check(OneOf({"error", "truncate"}))
      ->type_name("error|truncate");
  app.add_flag("--allow-empty", allow_empty,
               "an empty text is its prompt, BOS and EOS; without this it is wrong");
  app.add_option(
         "--on-error", on_error,
         "a document that is wrong: fail (default): end there; skip: write an error in\nits place, see "
         "below")
      ->check(OneOf({"fail", "skip"}))
      ->type_name("fail|skip");
  app.add_option("--output", path,
                 "write to FILE, which appears when all is done; - is standard output\n(default)")
      ->type_name("FILE|-");
  app.add_option("--format", format, "jsonl (default), npy or text")
      ->check(OneOf({"jsonl", "npy", "text"}))
      ->type_name("NAME");
}

Result<std::unique_ptr<VectorWriter>> OutputFlags::Open(int64_t dims) const {
  return MakeVectorWriter(format, path, dims);
}

}  // namespace ggufc::tools
