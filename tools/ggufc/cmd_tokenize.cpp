// ggufc tokenize: texts in, a JSON array of token ids a text out.
#include "runtime/text/text_encoder.h"
#include "support/os/output_file.h"
#include "tools/ggufc/command_line.h"
#include "tools/input/input_flags.h"

namespace ggufc::tools {
namespace {

constexpr CommandHelp kTokenizeHelp = {
    "tokenize", "MODEL [TEXT...] [options]",
    "Writes the token ids of each text as a JSON array on a line of its own, BOS and EOS included: what the\n"
    "model sees when the text is embedded.",
    R"(Examples:
  ggufc tokenize model.gguf "Hello world"
  ggufc tokenize model.gguf --prompt query "Hello world"
  ggufc tokenize model.gguf --input lines.txt | head -3)"};

Status Tokenize(const std::string& path, const InputFlags& flags, const std::vector<std::string>& texts) {
  ASSIGN_OR_RETURN(const std::shared_ptr<driver::SourceModel> model, OpenModel(path));
  ASSIGN_OR_RETURN(const std::unique_ptr<DocumentSource> source, flags.Open(texts));
  ASSIGN_OR_RETURN(OutputFile out, OutputFile::Create("-"));
  const runtime::TextEncoder encoder([&] { return model->tokenizer(); },
                                     {model->config().vocab, model->config().context_length});
  Document document;
  std::vector<int32_t> ids;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, source->Next(document));
    if (!more) return out.Finish();
    RETURN_IF_ERROR(WithContext(document.where, document.status));
    if (document.has_text) {
      const runtime::Text text = {document.text, flags.title};
      RETURN_IF_ERROR(
          WithContext(document.where, encoder.Tokenize(text, flags.Options(), ids)).map([](auto&&) {}));
    } else {
      ids = std::move(document.ids);
    }
    RETURN_IF_ERROR(out.Write(fmt::format("[{}]\n", fmt::join(ids, ","))));
  }
}

}  // namespace

int RunTokenize(const Arguments& arguments) {
  CommandLine line(kTokenizeHelp);
  ModelFlags model;
  InputFlags input;
  model.AddModel(line.app());
  line.TakeTexts();
  input.Add(line.app());
  line.app().remove_option(line.app().get_option("--ids"));
  if (const auto status = line.Parse(arguments)) return *status;
  if (const Status status = input.Check(line.texts()); !status)
    return line.UsageError(status.error().message);
  const Status status = Tokenize(model.model, input, line.texts());
  return status ? kGood : Fail(status.error());
}

}  // namespace ggufc::tools
