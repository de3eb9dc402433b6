// Contents of an image's sections without the image. The first byte modulo 3 selects 0: a program, 1: a model card, 2: golden
// vectors.
#include <algorithm>
#include <vector>

#include "fuzz_target.h"
#include "runtime/store/model_card.h"
#include "runtime/store/program_format.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ggufc;
  using namespace ggufc::runtime;
  if (size == 0) return 0;
  const std::span<const uint8_t> bytes(data + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      if (const Result<Program> program = ParseProgram(bytes); program) {
        fuzz::Require(std::ranges::equal(SerializeProgram(*program), bytes),
                      "serialising a program gives the same bytes");
      } else {
        fuzz::RequireMessage(program.error().message);
      }
      break;
    case 1:
      if (const Result<ModelCard> info = ParseModelCard(bytes); info) {
        fuzz::Require(std::ranges::equal(SerializeModelCard(*info), bytes),
                      "serialising a model card gives the same bytes");
        static_cast<void>(CheckTableFits(*info, 4096));
      } else {
        fuzz::RequireMessage(info.error().message);
      }
      break;
    default:
      ModelCard info;
      info.dims = info.full_dims = 2;
      info.vocab = 8;
      info.context_length = 16;
      if (const Result<std::vector<GoldenVector>> golden = ParseGolden(bytes, info); golden) {
        fuzz::Require(std::ranges::equal(SerializeGolden(*golden), bytes),
                      "serialising golden vectors gives the same bytes");
      } else {
        fuzz::RequireMessage(golden.error().message);
      }
  }
  return 0;
}
