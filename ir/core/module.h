// A Module is the program that passes transform: named weights and functions.
//
//   graph stage    one function, `forward`, with ops on whole tensors
//   kernel stage   `forward` consists of calls. Each called function is a kernel: tensor ops over a domain of rows and
//                  columns. Layers of the same shape share their kernels and pass their weights.
//   loop stage     `forward` consists of buffers and calls. A kernel works on rows [r0, r1) and column units [c0, c1)
//                  of its domain: its last five parameters are (scratch: ptr, r0, r1, c0, c1: index).
//                  Micro-kernels are functions that kernels call.
//
// A Function owns its values, ops and blocks in arrays; ids index them. Deleting an op removes it from its block but
// not from the array, so walk a program by blocks from the body, never by array.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/core/op.h"
#include "ir/core/types.h"

namespace ggufc::ir {

// A weight and its definition. Derived weights have other weights as sources and are computed when weights are packed.
struct Weight {
  enum class Def : uint8_t {
    kTensor,      // a tensor of the GGUF file, by name
    kConcat,      // the rows (output columns) of all sources, one source after another
    kInterleave,  // `granule` rows of each source in turn, each padded with zero rows to whole granules
    kScale,       // source times `factor`; f32 vectors
    kRopeTable,   // f32[positions, head_dim]: cos(p * theta^(-2i/head_dim)) for i < head_dim/2, then sines
  };
  std::string name;  // without the @
  Type type;
  Def def = Def::kTensor;
  std::vector<WeightId> sources;
  int64_t granule = 0;  // kInterleave
  double factor = 0;    // kScale: factor; kRopeTable: theta
  // Set by assign-layouts. The weight is packed in panels of 16 rows (output columns); each group of `unit` rows is
  // padded with zero rows to whole panels, and `pack` consecutive k of a row are adjacent. 0: the tensor as in the file
  // (vectors, tables).
  int64_t pack = 0;
  int64_t unit = 0;
};

struct Value {
  enum class Def : uint8_t { kResult, kParam, kBlockArg, kWeight };
  Type type;
  Def def = Def::kResult;
  OpId op;           // kResult: the op
  WeightId weight;   // kWeight
  std::string name;  // a hint for printing: letters and underscores
};

struct Block {
  std::vector<ValueId> args;
  std::vector<OpId> ops;
};

// The iteration space of a kernel, and how it is split into work items.
struct Domain {
  Symbol rows = Symbol::kNone;  // kNone: not a kernel
  int64_t cols = 1;             // column units
  int64_t row_grain = 0;        // maximum rows per work item; set by parallelize (0: not set)
  int64_t col_grain = 0;        // minimum column units per work item; set by parallelize (0: not set)
  int64_t scratch_bytes = 0;    // set by plan-memory
  friend bool operator==(const Domain&, const Domain&) = default;
};

struct Function {
  enum class Kind : uint8_t { kForward, kKernel, kMicro };
  std::string name;
  Kind kind = Kind::kForward;
  std::vector<ValueId> params;
  std::vector<Type> result_types;
  Domain domain;
  BlockId body;

  std::vector<Value> values;
  std::vector<Op> ops;
  std::vector<Block> blocks;

  Value& value(ValueId id) { return values[id.index]; }
  const Value& value(ValueId id) const { return values[id.index]; }
  const Type& type(ValueId id) const { return values[id.index].type; }
  Op& op(OpId id) { return ops[id.index]; }
  const Op& op(OpId id) const { return ops[id.index]; }
  Block& block(BlockId id) { return blocks[id.index]; }
  const Block& block(BlockId id) const { return blocks[id.index]; }

  ValueId AddValue(Type type, Value::Def def, std::string name = {});
  ValueId AddParam(Type type, std::string name = {});
  // The value that stands for a weight in this function; made on first use.
  ValueId WeightValue(WeightId weight, const Type& type);
  BlockId AddBlock();
  OpId AddOp(Op op);
  void ReplaceAllUses(ValueId from, ValueId to);
  // Visits every op of the body and of its nested regions, in program order.
  template <typename Visit>
  void ForEachOp(const Visit& visit) const {
    if (body.valid()) ForEachOp(body, visit);
  }
  // The op that defines a value, or null for parameters, block arguments and weights.
  const Op* DefiningOp(ValueId id) const;

 private:
  template <typename Visit>
  void ForEachOp(BlockId id, const Visit& visit) const {
    for (const OpId op_id : block(id).ops) {
      visit(op_id, op(op_id));
      for (const BlockId region : op(op_id).regions) ForEachOp(region, visit);
    }
  }
};

struct Module {
  std::string name;
  Stage stage = Stage::kGraph;
  std::vector<Weight> weights;
  std::vector<Function> functions;  // functions[0] is `forward`

  Function& forward() { return functions[0]; }
  const Function& forward() const { return functions[0]; }
  Function& function(FunctionId id) { return functions[id.index]; }
  const Function& function(FunctionId id) const { return functions[id.index]; }
  Weight& weight(WeightId id) { return weights[id.index]; }
  const Weight& weight(WeightId id) const { return weights[id.index]; }

  FunctionId AddFunction(Function function);
  std::optional<FunctionId> FindFunction(std::string_view name) const;
  WeightId AddWeight(Weight weight);
  std::optional<WeightId> FindWeight(std::string_view name) const;
};

}  // namespace ggufc::ir
