// What stands in an image without its container: the first byte says which. 0: a program, 1: what a model says about
// itself, 2: golden vectors.
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
        fuzz::Require(std::ranges::equal(SerializeProgram(*program), bytes), "a program has one spelling");
      } else {
        fuzz::RequireMessage(program.error().message);
      }
      break;
    case 1:
      if (const Result<ModelCard> info = ParseModelCard(bytes); info) {
        fuzz::Require(std::ranges::equal(SerializeModelCard(*info), bytes),
                      "a model's info has one spelling");
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
                      "golden vectors have one spelling");
      } else {
        fuzz::RequireMessage(golden.error().message);
      }
  }
  return 0;
}
