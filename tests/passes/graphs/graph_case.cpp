#include "graph_case.h"

#include <random>

#include "../equivalence.h"
#include "../random_model.h"
#include "ir/interpret/random_weights.h"
#include "ir/text/parser.h"
#include "ir/verify/verifier.h"

namespace ggufc::passes {

void ExpectEveryPassPreserves(const GraphCase& graph) {
  const std::string text =
      fmt::format("module @graph stage graph\n{}func @forward(%0: i32[T]) -> ({}) {{\n{}}}\n", graph.weights,
                  graph.result, graph.body);
  for (const ir::Scalar activations : {ir::Scalar::kQ16, ir::Scalar::kQ8}) {
    SCOPED_TRACE(ir::Name(activations));
    Result<ir::Module> module = ir::Parse(text, graph.name);
    ASSERT_TRUE(module.has_value()) << module.error().message;
    const Status verified = ir::Verify(*module);
    ASSERT_TRUE(verified.has_value()) << verified.error().message;
    PassContext context;
    context.activations = activations;
    context.context_length = 40;
    context.target.pack_q8 = 4;
    std::mt19937_64 random(1);
    const Status preserved = Preserved(
        CheckEveryPass({std::move(*module), ir::RandomWeights(1), RandomBatch(random, 3, 40, 50), context}));
    EXPECT_TRUE(preserved.has_value()) << preserved.error().message;
  }
}

}  // namespace ggufc::passes
