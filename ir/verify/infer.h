// Infers the result types of an op from its operands and attributes, by the type rule that ops.def names. An error names
// the op and the wrong operand or attribute.
#pragma once

#include <vector>

#include "ir/core/module.h"
#include "support/result.h"

namespace ggufc::ir {

// `op.results` may be empty. `stated` holds the result types that the IR states, which the rules Explicit and Quantize
// check and return.
Result<std::vector<Type>> InferTypes(const Module& module, const Function& function, const Op& op,
                                     const std::vector<Type>& stated);

}  // namespace ggufc::ir
