// Small tools for passes that edit a block of ops in place.
#pragma once

#include <vector>

#include "ir/core/module.h"

namespace ggufc::passes {

// Inserts an op before position `at` of the block and returns its (only) result, whose type is inferred; `at` moves
// behind the new op.
ir::ValueId InsertOp(ir::Module& module, ir::Function& function, ir::BlockId block, size_t& at, ir::Op op,
                     ir::Type stated = {});

// Sets an attribute; whether the op was different before.
bool SetAttr(ir::Op& op, ir::AttrValue value);

// How often each value of the function is an operand, nested regions included.
std::vector<uint32_t> CountUses(const ir::Function& function);

// Takes ops without uses of their results out of `block` (tensor stages: every op but return is pure).
bool EraseDeadOps(ir::Function& function, ir::BlockId block);

}  // namespace ggufc::passes
