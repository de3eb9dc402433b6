// IR text: parsed, verified, printed, and parsed again. What prints must read back as itself, verified or not; what
// verifies must verify again.
#include "fuzz_target.h"
#include "ir/text/parser.h"
#include "ir/text/printer.h"
#include "ir/verify/verifier.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ggufc;
  const Result<ir::Module> module = ir::Parse(fuzz::AsText(data, size), "fuzz.tir");
  if (!module) {
    fuzz::RequireMessage(module.error().message, "fuzz.tir:", 16384);
    return 0;
  }
  const std::string text = ir::Print(*module);
  const Result<ir::Module> again = ir::Parse(text, "printed");
  fuzz::Require(again.has_value(), again ? std::string() : again.error().message);
  fuzz::Require(ir::Print(*again) == text, "printing and parsing are inverse");
  const Status verified = ir::Verify(*module);
  // It quotes the op, however many operands that has.
  if (!verified) fuzz::RequireMessage(verified.error().message, {}, SIZE_MAX);
  fuzz::Require(ir::Verify(*again).has_value() == verified.has_value(),
                "the copy verifies as the original does");
  return 0;
}
