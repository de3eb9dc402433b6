// A graph as a list that is easy to cut down: ops refer to ops by their place in the list, and shapes follow from few
// numbers (the width of a lookup, the rows of a matrix, the length of a head), so that after any edit the rest can be made
// to fit again.
#pragma once

#include <optional>
#include <vector>

#include "ir/core/module.h"

namespace ggufc::programs {

struct Sketch {
  struct Ref {
    enum class To : uint8_t { kIds, kOp, kWeight };
    To to = To::kIds;
    size_t index = 0;  // of the op or weight
  };
  struct Op {
    ir::OpKind kind;
    std::vector<Ref> operands;
    std::vector<ir::AttrValue> attrs;
    ir::Type type;      // of the result, in the module that the sketch was made from
    bool dead = false;  // nobody reads it, and it stays all the same

    ir::Op Attrs() const { return {kind, {}, {}, attrs, {}, {}}; }
    void Set(ir::AttrValue value);
  };
  std::vector<ir::Weight> weights;  // WeightIds of sources are indices here
  std::vector<Op> ops;
  size_t result = 0;  // the op whose result is returned
};

// `module` is at the graph stage.
Sketch SketchOf(const ir::Module& module);

// The module of the ops that the result needs, and of the dead ones. Columns of matrices, gains and tables, numbers of heads, ends of slices are
// made to fit; nullopt where that is not possible, or where the result does not pass ir::Verify.
std::optional<ir::Module> ModuleOf(const Sketch& sketch);

}  // namespace ggufc::programs
