#include "refusal.h"

#include <gmock/gmock.h>

#include <sstream>

#include "ir/text/parser.h"
#include "ir/text/printer.h"
#include "ir/verify/verifier.h"
#include "passes/pipeline.h"

namespace ggufc::passes {

void ExpectRefusal(const Refusal& refusal) {
  Result<ir::Module> module = ir::Parse(fmt::format("module @graph stage {}", refusal.text), refusal.name);
  ASSERT_TRUE(module.has_value()) << module.error().message;
  const Status verified = ir::Verify(*module);
  ASSERT_TRUE(verified.has_value()) << verified.error().message;
  PassContext context;
  context.context_length = 32;
  std::istringstream names(refusal.passes);
  std::string name;
  std::string last(refusal.passes);
  last = last.substr(last.rfind(' ') + 1);
  while (names >> name) {
    const Result<bool> result = RunPass(*FindPass(name), *module, context);
    if (name != last) {
      ASSERT_TRUE(result.has_value()) << result.error().message;
      continue;
    }
    ASSERT_FALSE(result.has_value()) << ir::Print(*module);
    EXPECT_THAT(result.error().message, testing::HasSubstr(refusal.message));
  }
}

}  // namespace ggufc::passes
