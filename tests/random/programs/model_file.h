// Writes the weights of a module to a GGUF file, the compiler's source of weights.
#pragma once

#include <string>

#include "frontend/gguf/gguf_reader.h"
#include "ir/core/module.h"
#include "ir/interpret/interpreter.h"
#include "support/result.h"

namespace ggufc::programs {

// Writes all kTensor weights of `graph`, a module at the graph stage, with the bytes from `weights` to a file in `folder`,
// opens the file and unlinks it.
Result<frontend::GgufFile> WriteWeights(const ir::Module& graph, const ir::WeightSource& weights,
                                        const std::string& folder);

}  // namespace ggufc::programs
