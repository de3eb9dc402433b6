#include "reduce.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "sketch.h"

namespace ggufc::programs {
namespace {

using ir::Attr;
using ir::AttrValue;
using ir::OpKind;
using To = Sketch::Ref::To;

class Reducer {
 public:
  Reducer(const Program& program, const std::function<bool(const Program&)>& fails,
          const ReduceLimits& limits)
      : best_(program), fails_(fails), limits_(limits) {}

  Reduction Run() {
    bool smaller = true;
    while (smaller && !Spent()) {
      smaller = Batch();
      smaller |= EarlierResult();
      smaller |= FewerOps();
      smaller |= Narrower();
      smaller |= PlainerAttrs();
      smaller |= PlainerWeights();
    }
    return {std::move(best_), tries_};
  }

 private:
  bool Spent() const {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
    return tries_ >= limits_.tries || elapsed.count() >= limits_.seconds;
  }

  bool Try(Program candidate) {
    if (Spent()) return false;
    ++tries_;
    if (!fails_(candidate)) return false;
    best_ = std::move(candidate);
    return true;
  }
  bool Try(const Sketch& sketch) {
    std::optional<ir::Module> module = ModuleOf(sketch);
    if (!module) return false;
    Program candidate = best_;
    candidate.module = std::move(*module);
    return Try(std::move(candidate));
  }

  // ---- batch ----
  // Tries the batch with the ids of sequence `index` changed by `edit`; an empty sequence is removed.
  template <typename Edit>
  bool TrySequence(size_t index, const Edit& edit) {
    Program candidate = best_;
    candidate.batch.ids.clear();
    candidate.batch.lengths.clear();
    auto from = best_.batch.ids.begin();
    for (size_t i = 0; i < best_.batch.lengths.size(); ++i) {
      std::vector<int32_t> ids(from, from + best_.batch.lengths[i]);
      from += best_.batch.lengths[i];
      if (i == index) edit(ids);
      if (ids.empty()) continue;
      candidate.batch.lengths.push_back(static_cast<int32_t>(ids.size()));
      candidate.batch.ids.insert(candidate.batch.ids.end(), ids.begin(), ids.end());
    }
    return !candidate.batch.lengths.empty() && Try(std::move(candidate));
  }

  bool Batch() {
    bool any = false;
    const auto& lengths = best_.batch.lengths;
    for (size_t i = lengths.size(); i-- > 0;) {
      if (lengths.size() > 1 && TrySequence(i, [](auto& ids) { ids.clear(); })) any = true;
    }
    for (size_t i = 0; i < lengths.size(); ++i) {
      for (size_t cut = static_cast<size_t>(lengths[i]) / 2; cut > 0;) {
        const bool shorter = static_cast<size_t>(lengths[i]) > cut &&
                             TrySequence(i, [&](auto& ids) { ids.resize(ids.size() - cut); });
        any |= shorter;
        if (!shorter) cut /= 2;
      }
    }
    if (Program candidate = best_;
        std::exchange(candidate.batch.ids, std::vector<int32_t>(best_.batch.ids.size())) !=
        candidate.batch.ids) {
      any |= Try(std::move(candidate));
    }
    Program candidate = best_;
    candidate.row_block = 48;
    candidate.context_length = *std::max_element(lengths.begin(), lengths.end());
    const bool plainer =
        candidate.row_block != best_.row_block || candidate.context_length != best_.context_length;
    return (plainer && Try(std::move(candidate))) || any;
  }

  // ---- ops ----
  bool EarlierResult() {
    const Sketch sketch = SketchOf(best_.module);
    for (size_t i = 0; i < sketch.result; ++i) {
      Sketch candidate = sketch;
      candidate.result = i;
      if (sketch.ops[i].dead) continue;
      if (sketch.ops[i].type.scalar != ir::Scalar::kF32) continue;
      if (sketch.ops[i].type.rows() == ir::Dim(ir::Symbol::kT)) {
        if (sketch.ops[i + 1].kind == OpKind::kMeanPool && i + 1 == sketch.result) continue;  // unchanged
        candidate.ops.push_back({OpKind::kMeanPool, {{To::kOp, i}}, {}, {}, false});
        candidate.result = candidate.ops.size() - 1;
      }
      if (Try(candidate)) return true;
    }
    return false;
  }

  // Replaces the op at `index` by another value of its type, preferably an operand; removes it if it is dead.
  bool Drop(const Sketch& sketch, size_t index) {
    if (sketch.ops[index].dead) {
      Sketch candidate = sketch;
      candidate.ops[index].dead = false;
      return Try(candidate);
    }
    std::vector<size_t> values;
    for (const Sketch::Ref& ref : sketch.ops[index].operands) {
      if (ref.to == To::kOp) values.push_back(ref.index);
    }
    constexpr size_t kOthers = 2;
    for (size_t i = 0, found = 0; i < index && found < kOthers; ++i) {
      if (sketch.ops[i].type != sketch.ops[index].type) continue;
      values.push_back(i);
      ++found;
    }
    for (const size_t value : values) {
      Sketch candidate = sketch;
      for (Sketch::Op& op : candidate.ops) {
        for (Sketch::Ref& ref : op.operands) {
          if (ref.to == To::kOp && ref.index == index) ref.index = value;
        }
      }
      if (candidate.result == index) candidate.result = value;
      if (Try(candidate)) return true;
    }
    return false;
  }

  bool FewerOps() {
    bool any = false;
    size_t index = SketchOf(best_.module).ops.size();
    while (index-- > 0 && !Spent()) {
      const Sketch sketch = SketchOf(best_.module);
      if (index >= sketch.ops.size()) continue;
      any |= Drop(sketch, index);
    }
    return any;
  }

  // ---- shapes ----
  // Smaller widths to try, smallest first.
  static std::vector<int64_t> Smaller(int64_t width) {
    std::vector<int64_t> widths;
    for (const int64_t candidate :
         {int64_t{1}, int64_t{2}, int64_t{8}, int64_t{16}, int64_t{32}, int64_t{64}, width / 2}) {
      if (candidate > 0 && candidate < width) widths.push_back(candidate);
    }
    std::sort(widths.begin(), widths.end());
    return widths;
  }

  // Reduces widths one by one: all numbers of the program that equal `from` become `to`.
  bool Narrower() {
    bool any = false;
    const auto widths_of = [](const Sketch& sketch) {
      std::vector<int64_t> widths;
      for (const Sketch::Op& op : sketch.ops) {
        widths.push_back(op.type.columns());
        for (const Attr attr : {Attr::kHeadDim, Attr::kGroup}) {
          if (op.Attrs().Int(attr) > 0) widths.push_back(op.Attrs().Int(attr));
        }
      }
      std::sort(widths.begin(), widths.end(), std::greater<>());
      widths.erase(std::unique(widths.begin(), widths.end()), widths.end());
      return widths;
    };
    for (const int64_t from : widths_of(SketchOf(best_.module))) {
      for (const int64_t to : Smaller(from)) {
        const Sketch sketch = SketchOf(best_.module);
        if (Try(Resized(sketch, from, to))) {
          any = true;
          break;
        }
      }
    }
    // Then single matrices, because equal widths need not depend on each other.
    for (size_t w = 0; w < best_.module.weights.size() && !Spent(); ++w) {
      Sketch sketch = SketchOf(best_.module);
      ir::Weight& weight = sketch.weights[w];
      if (weight.type.rank != 2 || weight.def != ir::Weight::Def::kTensor) continue;
      const int64_t rows = weight.type.dims[0].size;
      for (const int64_t fewer : Smaller(rows)) {
        weight.type.dims[0] = fewer;
        if (HasRowsOfBatch(weight, sketch, w) && Try(sketch)) {
          any = true;
          break;
        }
      }
    }
    return any;
  }

  // Whether the weight, if it is an embedding table, has a row for each id of the batch.
  bool HasRowsOfBatch(const ir::Weight& weight, const Sketch& sketch, size_t index) const {
    const bool is_table = std::any_of(sketch.ops.begin(), sketch.ops.end(), [&](const Sketch::Op& op) {
      return op.kind == OpKind::kEmbed && op.operands[1].index == index;
    });
    return !is_table ||
           weight.type.dims[0].size > *std::max_element(best_.batch.ids.begin(), best_.batch.ids.end());
  }

  static Sketch Resized(Sketch sketch, int64_t from, int64_t to) {
    for (Sketch::Op& op : sketch.ops) {
      for (const Attr attr : {Attr::kHeadDim, Attr::kGroup, Attr::kSize, Attr::kOffset}) {
        if (op.Attrs().Has(attr) && op.Attrs().Int(attr) == from) op.Set(AttrValue::Int(attr, to));
      }
      for (const Sketch::Ref& ref : op.operands) {
        if (ref.to != To::kWeight) continue;
        ir::Type& type = sketch.weights[ref.index].type;
        if (op.kind == OpKind::kLinear && type.dims[0].size == from) type.dims[0] = to;
        if (op.kind == OpKind::kEmbed && type.dims[1].size == from) type.dims[1] = to;
      }
    }
    return sketch;
  }

  // ---- attributes and weights ----
  bool PlainerAttrs() {
    bool any = false;
    const size_t ops = SketchOf(best_.module).ops.size();
    for (size_t i = 0; i < ops && !Spent(); ++i) {
      for (const AttrValue& plain : {AttrValue::Int(Attr::kWindow, 0), AttrValue::Int(Attr::kOffset, 0),
                                     AttrValue::Float(Attr::kScale, 1), AttrValue::Float(Attr::kTheta, 10000),
                                     AttrValue::Float(Attr::kEps, 1e-6)}) {
        Sketch sketch = SketchOf(best_.module);
        const ir::Op attrs = sketch.ops[i].Attrs();
        if (!attrs.Has(plain.attr) ||
            std::find(attrs.attrs.begin(), attrs.attrs.end(), plain) != attrs.attrs.end())
          continue;
        sketch.ops[i].Set(plain);
        any |= Try(sketch);
      }
    }
    return any;
  }

  bool PlainerWeights() {
    bool any = false;
    for (size_t w = 0; w < best_.module.weights.size() && !Spent(); ++w) {
      Sketch sketch = SketchOf(best_.module);
      ir::Weight& weight = sketch.weights[w];
      if (weight.def == ir::Weight::Def::kTensor && weight.type.scalar == ir::Scalar::kF32) continue;
      if (weight.def == ir::Weight::Def::kTensor) weight.type.scalar = ir::Scalar::kF32;
      ir::Weight plain;
      plain.name = weight.name;
      plain.type = weight.type;
      weight = std::move(plain);
      any |= Try(sketch);
    }
    return any;
  }

  Program best_;
  const std::function<bool(const Program&)>& fails_;
  const ReduceLimits limits_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  int64_t tries_ = 0;
};

}  // namespace

Reduction Reduce(const Program& program, const std::function<bool(const Program&)>& fails,
                 const ReduceLimits& limits) {
  return Reducer(program, fails, limits).Run();
}

}  // namespace ggufc::programs
