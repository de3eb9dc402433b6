// The type rules of ops.def: one function Infer<rule> per rule, and the checks that several rules share. infer.cpp holds
// the rules that stages share, infer_tensor.cpp those of whole tensors, infer_loop.cpp those of the loop stage.
#pragma once

#include <string>
#include <vector>

#include "ir/core/module.h"
#include "support/result.h"

namespace ggufc::ir::rules {

using Types = Result<std::vector<Type>>;

// An op whose result types are inferred.
struct Site {
  const Module& module;
  const Function& function;
  const Op& op;
  const std::vector<Type>& stated;  // result types that the IR states

  const char* name() const { return Info(op.kind).name; }
  const Type& type(size_t operand) const { return function.type(op.operands[operand]); }
  std::string type_text(size_t operand) const { return ToString(type(operand)); }
};

#define OP(enumerator, spelling, stages, operands, results, regions, rule, ...) \
  Types Infer##rule(const Site& s);
#include "ir/core/ops.def"

// Integers, without i1.
bool IsInt(Scalar s);
// Integers that are compared and shifted as signed ones, which excludes u8.
bool IsSignedInt(Scalar s);
// Element types of weights.
bool IsFileType(Scalar s);
// Scalars and vectors that loads and stores move.
bool IsMemoryType(const Type& t);
// Types of values at the loop stage. A vector fills at most one 512-bit register.
bool IsLoopType(const Type& t);
// An f32 activation: its rows are tokens or sequences. A matrix with a fixed number of rows is a weight; ops do not compute
// weights.
bool IsF32Rows(const Type& t);

// The error for an operand of the wrong type.
Types WrongOperand(const Site& s, size_t operand, const char* expected);
Status CheckPositive(const Op& op, Attr attr);
// head_dim must be even and divide `columns`.
Status CheckHeadDim(const Op& op, int64_t columns);
// dots=16 sums products exactly over blocks of kQuantBlock, so heads must consist of whole blocks.
Status CheckDots(const Op& op);

}  // namespace ggufc::ir::rules
