// The weights of a module as a GGUF file, which is what the compiler takes them from.
#pragma once

#include <string>

#include "frontend/gguf/gguf_reader.h"
#include "ir/core/module.h"
#include "ir/interpret/interpreter.h"
#include "support/result.h"

namespace ggufc::programs {

// Writes every tensor that `graph` (a module at the graph stage) names, with the bytes of `weights`, to a file in `folder`,
// opens it and removes its name.
Result<frontend::GgufFile> WriteWeights(const ir::Module& graph, const ir::WeightSource& weights,
                                        const std::string& folder);

}  // namespace ggufc::programs
