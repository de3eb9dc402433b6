// Golden vectors: token sequences and their expected embeddings, stored with an ahead-of-time model so that its results can
// be checked on any machine.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "driver/aot/artifact_plan.h"
#include "runtime/store/model_card.h"
#include "support/result.h"

namespace ggufc::driver {

// Four sequences of 1, 11, 33 and 80 ids (at most the context length): a single row, register tiles with remainders, more
// than one attention tile. Ids come from the whole vocabulary. The sequences depend on the two arguments alone.
std::vector<std::vector<int32_t>> GoldenSequences(int64_t vocab, int64_t context_length);

// Computes the embeddings of the golden sequences with the code for `target` in `object` (from EmitArtifactObject for model
// `name`) and with newly packed weights. This machine must run `target`.
Result<std::vector<runtime::GoldenVector>> ComputeGolden(const SourceModel& model, const TargetPlan& target,
                                                         std::span<const uint8_t> object,
                                                         const std::string& name);

}  // namespace ggufc::driver
