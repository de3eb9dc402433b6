// Result types of an op from its operands and attributes: the type rules that ops.def names. Refuses operands
// and attributes that do not fit, with a message that names the op and what is wrong.
#pragma once

#include <vector>

#include "ir/core/module.h"
#include "support/result.h"

namespace ggufc::ir {

// `op.results` may be empty; for rules that state their type (Explicit), `stated` is that type and is only
// checked.
Result<std::vector<Type>> InferTypes(const Module& module, const Function& function, const Op& op,
                                     const std::vector<Type>& stated);

}  // namespace ggufc::ir
