// A Hugging Face tokenizer.json.
#include "frontend/tokenizer/token_table.h"
#include "frontend/tokenizer/vocabulary.h"
#include "fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ggufc;
  if (size == 0) return 0;
  const uint64_t vocab = uint64_t{data[0]} * 4;
  const Result<frontend::TokenTable> table =
      frontend::ParseTokenizerJson("tokenizer.json", fuzz::AsText(data + 1, size - 1), vocab);
  if (!table) {
    fuzz::RequireMessage(table.error().message, "tokenizer.json: ");
    return 0;
  }
  fuzz::Require(
      table->pieces.size() == vocab && table->scores.size() == vocab && table->types.size() == vocab,
      "there is one entry per token");
  for (size_t i = 0; i < vocab; ++i) {
    fuzz::Require(!table->pieces[i].empty() && table->pieces[i].size() <= frontend::kMaxPieceBytes,
                  "the sizes of pieces are within the limits");
    fuzz::Require(table->types[i] >= 1 && table->types[i] <= 6, "types are known");
    fuzz::Require(table->scores[i] <= 0 && table->scores[i] >= frontend::kUnreachableScore,
                  "scores are within their range");
  }
  fuzz::Require(table->bos < vocab && table->eos < vocab && table->unknown < vocab,
                "special tokens are in the table");
  return 0;
}
