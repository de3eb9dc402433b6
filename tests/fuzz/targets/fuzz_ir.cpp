// IR text: parsed, printed, parsed again, and verified. Printed text must parse to the same text, whether the module verifies
// or not. If the module verifies, so must the copy.
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
  // The message quotes the op, which may have any number of operands.
  if (!verified) fuzz::RequireMessage(verified.error().message, {}, SIZE_MAX);
  fuzz::Require(ir::Verify(*again).has_value() == verified.has_value(),
                "the copy verifies if and only if the original does");
  return 0;
}
