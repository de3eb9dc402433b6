// ggufc synth: a model file with true shapes and random weights.
#include "frontend/synth.h"
#include "support/os/output_file.h"
#include "tools/ggufc/command_line.h"

namespace ggufc::tools {
namespace {

constexpr CommandHelp kSynthHelp = {
    "synth", "-o MODEL.gguf [options]",
    "Writes a model with the shapes of EmbeddingGemma 300M (or those given) and "
    "random weights. It runs at the\n"
    "speed of the real model and uses its memory; its embeddings mean nothing. "
    "Equal options give equal bytes.",
    R"(Examples:
  ggufc synth -o full.gguf                                              320 MB, a few seconds
  ggufc synth -o full.gguf --tokenizer tokenizer.json                   with the real vocabulary
  ggufc synth -o tiny.gguf --layers 2 --dim 64 --head-dim 32 --ffn 96 --vocab 1000 --dense 128)"};

Result<frontend::GgmlType> ParseType(const std::string& name) {
  for (const frontend::GgmlType type : {frontend::GgmlType::Q8_0, frontend::GgmlType::F32,
                                        frontend::GgmlType::F16, frontend::GgmlType::BF16}) {
    if (frontend::Traits(type).name == name) return type;
  }
  return Err("--type {}: q8_0, f32, f16 and bf16 are known", name);
}

}  // namespace

int RunSynth(const Arguments& arguments) {
  CommandLine line(kSynthHelp);
  frontend::SynthOptions options;
  std::string output;
  std::string tokenizer;
  std::string type = "q8_0";
  line.app().add_option("-o,--output", output, "the file to write (required)")->required()->type_name("FILE");
  line.app()
      .add_option("--tokenizer", tokenizer, "take the vocabulary from a Hugging Face tokenizer.json")
      ->type_name("FILE");
  const auto number = [&](const char* flag, auto& value, const char* what) {
    CLI::Option* const option =
        line.app().add_option(flag, value, fmt::format("{} ({})", what, value))->type_name("N");
    // Which of them make a model is for the writer to say; a seed has no limit.
    if constexpr (std::is_same_v<decltype(value), uint32_t&>) option->check(NumberFrom(0, UINT32_MAX));
  };
  number("--layers", options.layers, "layers");
  number("--dim", options.dim, "width of the residual stream");
  number("--heads", options.heads, "query heads");
  number("--kv-heads", options.kv_heads, "key and value heads");
  number("--head-dim", options.head_dim, "width of a head");
  number("--ffn", options.ffn, "width of the feed-forward part");
  number("--vocab", options.vocab, "tokens in the vocabulary");
  number("--window", options.window, "sliding window of local attention");
  number("--context", options.context, "tokens of a document at most");
  number("--dense", options.dense, "width between the two dense modules; 0: without them");
  number("--seed", options.seed, "random seed");
  number("--outlier-gain", options.outlier_gain, "how much larger outlier channels are; 1: none");
  line.app()
      .add_option("--type", type, "of all matrices: q8_0 (default), f32, f16, bf16")
      ->check(OneOf({"q8_0", "f32", "f16", "bf16"}))
      ->type_name("NAME");
  if (const auto status = line.Parse(arguments)) return *status;
  const Result<frontend::GgmlType> parsed = ParseType(type);
  if (!parsed) return line.UsageError(parsed.error().message);
  options.type = *parsed;

  if (const Status status = CheckNotAnInput(output, {tokenizer}); !status) return Fail(status.error());
  Progress progress;
  const auto show = [&](uint64_t done, uint64_t total) {
    progress.Show(fmt::format("{} MB of {} MB", done >> 20, total >> 20));
  };
  const std::optional<std::string> vocabulary = tokenizer.empty() ? std::nullopt : std::optional(tokenizer);
  const Status status = frontend::WriteSyntheticModel(options, vocabulary, output, show);
  progress.Clear();
  return status ? kGood : Fail(status.error());
}

}  // namespace ggufc::tools
