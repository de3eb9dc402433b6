// A vocabulary and a text. The tokenizer's result is compared with that of the reference implementation, and with that of the
// tokenizer after serialising and parsing its tables.
#include <string>
#include <vector>

#include "../../tokenizer/reference_bpe.h"
#include "fuzz_target.h"
#include "runtime/text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ggufc;
  using namespace ggufc::runtime;
  fuzz::Pieces input(data, size);
  VocabularyView view;
  const auto flags = input.Take<uint8_t>();
  view.add_bos = (flags & 1) != 0;
  view.add_eos = (flags & 2) != 0;
  view.add_space_prefix = (flags & 4) != 0;
  view.unknown = (flags & 8) != 0 ? kNoToken : input.Take<uint8_t>();
  view.bos = (flags & 16) != 0 ? kNoToken : input.Take<uint8_t>();
  view.eos = (flags & 32) != 0 ? kNoToken : input.Take<uint8_t>();
  std::vector<std::string> spelled;
  std::vector<float> scores;
  std::vector<int32_t> types;
  if ((flags & 64) != 0) {
    static constexpr char kDigits[] = "0123456789ABCDEF";
    for (int byte = 0; byte < 256; ++byte) {
      spelled.push_back(std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + ">");
      types.push_back(static_cast<int32_t>(TokenType::kByte));
      scores.push_back(0);
    }
  }
  for (uint32_t count = input.Take<uint8_t>(); count > 0; --count) {
    const auto shape = input.Take<uint8_t>();
    types.push_back(shape & 7);
    scores.push_back((shape & 8) != 0 ? input.Take<float>() : static_cast<float>(input.Take<int8_t>()));
    spelled.emplace_back(input.TakeText(shape >> 4));
  }
  const std::vector<std::string_view> pieces(spelled.begin(), spelled.end());
  view.pieces = pieces;
  view.scores = scores;
  view.types = types;
  const Result<Tokenizer> tokenizer = Tokenizer::Create(view);
  if (!tokenizer) {
    fuzz::RequireMessage(tokenizer.error().message, "vocabulary: ");
    return 0;
  }

  const EncodeOptions options = {.add_bos = false, .add_eos = false, .parse_control = (flags & 128) != 0};
  // The reference implementation takes quadratic time.
  const std::string_view text = input.TakeRest().substr(0, 512);
  std::vector<int32_t> ids;
  EncodeStats stats;
  fuzz::Require(tokenizer->Encode(text, ids, options, &stats).has_value(), "any text can be encoded");
  for (const int32_t id : ids)
    fuzz::Require(id >= 0 && static_cast<size_t>(id) < tokenizer->size(), "ids are in the vocabulary");
  fuzz::Require(stats.merges <= 2 * text.size() + 8 && stats.heap_pushes <= 8 * text.size() + 32,
                "work is linear in the text");
  fuzz::Require(ids == ReferenceTokenizer(view).Encode(text, options.parse_control),
                "the reference implementation gives the same ids");

  const std::vector<uint8_t> bytes = tokenizer->Serialize();
  const Result<Tokenizer> again = Tokenizer::FromBytes(bytes);
  fuzz::Require(again.has_value(), "serialised tables are accepted");
  std::vector<int32_t> ids_again;
  fuzz::Require(again->Encode(text, ids_again, options).has_value() && ids_again == ids,
                "serialised tables give the same ids");
  return 0;
}
