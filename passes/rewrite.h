// Helpers for passes that edit a block of ops in place.
#pragma once

#include <vector>

#include "ir/core/module.h"

namespace ggufc::passes {

// Inserts an op with one result before position `at` of the block and returns the result. Its type is inferred from the
// operands, and from `stated` where they leave it open. `at` then points after the new op.
ir::ValueId InsertOp(ir::Module& module, ir::Function& function, ir::BlockId block, size_t& at, ir::Op op,
                     ir::Type stated = {});

// Sets an attribute. Returns whether that changed the op.
bool SetAttr(ir::Op& op, ir::AttrValue value);

// Counts the uses of each value of the function as an operand, nested regions included.
std::vector<uint32_t> CountUses(const ir::Function& function);

// Removes ops whose results have no uses from `block`. Returns whether it removed any. Only for the graph and kernel
// stages, where every op but return is pure.
bool EraseDeadOps(ir::Function& function, ir::BlockId block);

}  // namespace ggufc::passes
