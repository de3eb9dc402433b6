// A text, and serialised tokenizer tables from an untrusted source.
#include <cstring>
#include <string>
#include <vector>

#include "fuzz_target.h"
#include "runtime/text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ggufc;
  using namespace ggufc::runtime;
  // The text comes first, so that the tables end at the end of the allocation.
  constexpr size_t kTextBytes = 64;
  const size_t text_bytes = std::min(size, kTextBytes);
  const std::string_view text = fuzz::AsText(data, text_bytes);
  std::vector<uint64_t> storage((size - text_bytes + 7) / 8);
  if (size > text_bytes) std::memcpy(storage.data(), data + text_bytes, size - text_bytes);
  const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(storage.data()), size - text_bytes);
  const Result<Tokenizer> tokenizer = Tokenizer::FromBytes(bytes);
  if (!tokenizer) {
    fuzz::RequireMessage(tokenizer.error().message);
    return 0;
  }
  for (const bool parse_control : {false, true}) {
    std::vector<int32_t> ids;
    const Status encoded =
        tokenizer->Encode(text, ids, {.add_bos = {}, .add_eos = {}, .parse_control = parse_control});
    if (!encoded) {
      fuzz::RequireMessage(encoded.error().message);
      continue;
    }
    size_t spelled = 0;
    for (const int32_t id : ids) {
      fuzz::Require(id >= 0 && static_cast<size_t>(id) < tokenizer->size(), "ids are in the vocabulary");
      spelled += tokenizer->Piece(id).size() + static_cast<size_t>(tokenizer->Type(id));
    }
    fuzz::Require(spelled < SIZE_MAX / 2, "the pieces of all ids can be read");
    std::vector<int32_t> few = ids;
    tokenizer->Truncate(few, 3);
    fuzz::Require(few.size() <= 3, "a list of ids can be truncated");
  }
  return 0;
}
