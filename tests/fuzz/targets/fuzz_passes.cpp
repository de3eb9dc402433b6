// Passes on IR text, as with ggufc-opt --passes: each pass of the text's stage alone on a copy, then the pipeline from that
// stage on. A pass may refuse a module; its result must verify.
#include "fuzz_target.h"
#include "ir/text/parser.h"
#include "ir/verify/verifier.h"
#include "passes/pipeline.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ggufc;
  const Result<ir::Module> parsed = ir::Parse(fuzz::AsText(data, size), "fuzz.tir");
  if (!parsed || !ir::Verify(*parsed)) return 0;
  passes::PassContext context;
  context.context_length = 64;
  const auto check = [](const Result<bool>& changed) {
    if (changed) return true;
    fuzz::RequireMessage(changed.error().message, {}, SIZE_MAX);
    // RunPass verifies the result of a pass.
    fuzz::Require(changed.error().message.find("left a malformed module") == std::string::npos,
                  changed.error().message);
    return false;
  };
  for (const passes::PassInfo& pass : passes::AllPasses()) {
    if (pass.stage != parsed->stage) continue;
    ir::Module module = *parsed;
    check(passes::RunPass(pass, module, context));
  }
  ir::Module module = *parsed;
  for (const passes::PassInfo& pass : passes::AllPasses()) {
    if (pass.stage == module.stage && !check(passes::RunPass(pass, module, context))) return 0;
  }
  return 0;
}
