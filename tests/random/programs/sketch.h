// A graph in a form that is easy to reduce: a list of ops that refer to each other by index. Shapes follow from few numbers
// (the width of an embedding, the rows of a matrix, head_dim), so that the other shapes can be adapted after any edit.
#pragma once

#include <optional>
#include <vector>

#include "ir/core/module.h"

namespace ggufc::programs {

struct Sketch {
  struct Ref {
    enum class To : uint8_t { kIds, kOp, kWeight };
    To to = To::kIds;
    size_t index = 0;  // index of the op or weight
  };
  struct Op {
    ir::OpKind kind;
    std::vector<Ref> operands;
    std::vector<ir::AttrValue> attrs;
    ir::Type type;      // type of the result in the original module
    bool dead = false;  // unread, but kept as dead code

    ir::Op Attrs() const { return {kind, {}, {}, attrs, {}, {}}; }
    void Set(ir::AttrValue value);
  };
  std::vector<ir::Weight> weights;  // WeightIds of sources are indices of this list
  std::vector<Op> ops;
  size_t result = 0;  // index of the op whose result forward returns
};

// `module` must be at the graph stage.
Sketch SketchOf(const ir::Module& module);

// The module with the ops that the result needs and the dead ones. Columns of matrices, gains and tables, numbers of heads
// and ends of slices are adapted; nullopt if that is not possible or the module does not pass ir::Verify.
std::optional<ir::Module> ModuleOf(const Sketch& sketch);

}  // namespace ggufc::programs
