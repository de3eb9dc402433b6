// Golden vectors: token sequences and the embeddings that they must give, stored with an ahead-of-time model so that
// anybody can tell whether it still computes what it did where it was made.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "driver/aot/artifact_plan.h"
#include "runtime/store/model_card.h"
#include "support/result.h"

namespace ggufc::driver {

// Four sequences of 1, 11, 33 and 80 ids, shorter where the context is: a row alone, tiles of every remainder, more
// than one attention tile. Depends on the two numbers alone; ids come from all of the vocabulary.
std::vector<std::vector<int32_t>> GoldenSequences(int64_t vocab, int64_t context_length);

// Runs them, with the code that `object` (EmitArtifactObject, of model NAME) has for `target`, which this machine runs, and
// with freshly packed weights.
Result<std::vector<runtime::GoldenVector>> ComputeGolden(const SourceModel& model, const TargetPlan& target,
                                                         std::span<const uint8_t> object,
                                                         const std::string& name);

}  // namespace ggufc::driver
