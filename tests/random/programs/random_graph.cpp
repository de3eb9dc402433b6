// The generator keeps a list of values of T rows and, later, of B rows, with their widths and an estimate of their
// magnitude (root mean square). It draws ops from a table and applies them to values drawn from the list, preferring the
// latest. A value of very large or small magnitude is normalised. At the end most unread values are pooled and contribute
// to the result; the others stay as dead code.
//
// Each graph draws widths from a few, so that many values have equal widths and can be added.
#include "random_graph.h"

#include <algorithm>
#include <cmath>

#include "ir/core/builder.h"
#include "ir/verify/verifier.h"
#include "support/check.h"

namespace ggufc::programs {
namespace {

using ir::Attr;
using ir::AttrValue;
using ir::OpKind;
using ir::Scalar;
using ir::Symbol;
using ir::Type;
using ir::ValueId;
using ir::WeightId;

struct Known {
  ValueId id;
  int64_t columns;
  double size;  // estimate of the root of the mean square
};

std::vector<int64_t> DivisorsOf(int64_t n) {
  std::vector<int64_t> divisors;
  for (int64_t d = 1; d <= n; ++d) {
    if (n % d == 0) divisors.push_back(d);
  }
  return divisors;
}

class Generator {
 public:
  Generator(Draw& draw, const GraphLimits& limits) : draw_(draw), limits_(limits), b_(Empty(module_), {0}) {
    blocks_ = draw_.Percent(60);
    const int64_t widths = draw_.Between(2, 4);
    for (int64_t i = 0; i < widths; ++i) {
      widths_.push_back(
          blocks_ ? draw_.OneOf({32, 32, 64, 64, 96, 128})
                  : draw_.OneOf({1, 2, 7, 8, 15, 16, 17, 20, 24, 31, 32, 33, 36, 40, 48, 56, 64, 72, 96}));
    }
    main_type_ = blocks_ && draw_.Percent(75) ? Scalar::kQ8_0 : FloatType();
  }

  ir::Module Generate() {
    Embed();
    const int64_t ops = draw_.OneOf({1, 1, 2, 2, 3, 3, 4, 5, 7});
    for (int64_t i = 0; i < ops; ++i) Step(kTokenOps);
    Pool();
    const int64_t more = draw_.OneOf({0, 0, 1, 1, 2, 3});
    for (int64_t i = 0; i < more; ++i) Step(kSequenceOps);
    if (draw_.Percent(40)) L2Normalize();
    const Known result = values_.back();
    b_.Return({result.id});
    module_.forward().result_types = {Type::Tensor(Scalar::kF32, Symbol::kB, result.columns)};
    const Status verified = ir::Verify(module_);
    CHECK(verified.has_value(), "{}", verified.error().message);
    return std::move(module_);
  }

 private:
  struct Choice {
    int64_t weight;
    bool (Generator::*make)();  // returns false if not possible
  };

  static ir::Module& Empty(ir::Module& module) {
    module.name = "random";
    ir::Function forward;
    forward.name = "forward";
    module.AddFunction(std::move(forward));
    module.forward().AddParam(Type::Tensor(Scalar::kI32, Symbol::kT), "ids");
    return module;
  }

  template <size_t N>
  void Step(const Choice (&choices)[N]) {
    int64_t total = 0;
    for (const Choice& choice : choices) total += choice.weight;
    for (int attempt = 0; attempt < 100; ++attempt) {
      int64_t at = draw_.Between(0, total - 1);
      const Choice* choice = choices;
      while (at >= choice->weight) at -= choice++->weight;
      if ((this->*choice->make)()) break;
    }
    KeepSize();
  }

  // ---- values ----
  const Known& Pick() {
    const size_t n = values_.size();
    return draw_.Percent(50) ? values_[n - 1] : values_[draw_.Index(n)];
  }
  // A value of `columns` columns, or null.
  const Known* PickOfWidth(int64_t columns) {
    std::vector<const Known*> fit;
    for (const Known& value : values_) {
      if (value.columns == columns) fit.push_back(&value);
    }
    return fit.empty() ? nullptr : draw_.OneOf(fit);
  }

  Known Push(OpKind kind, std::vector<ValueId> operands, std::vector<AttrValue> attrs, double size) {
    const ValueId id = b_.Emit(kind, std::move(operands), std::move(attrs));
    values_.push_back({id, module_.forward().type(id).columns(), size});
    return values_.back();
  }

  // Normalises the last value if its magnitude is far from 1.
  void KeepSize() {
    constexpr double kLeast = 1e-2, kMost = 1e2;
    const Known last = values_.back();
    if (last.size < kLeast || last.size > kMost) NormOf(last, 0);
  }

  // ---- weights ----
  Scalar FloatType() { return draw_.OneOf({Scalar::kF32, Scalar::kF32, Scalar::kF16, Scalar::kBF16}); }
  Scalar MatrixType(int64_t columns) {
    Scalar type = draw_.Percent(80) ? main_type_
                                    : draw_.OneOf({Scalar::kQ8_0, Scalar::kF32, Scalar::kF16, Scalar::kBF16});
    if (type == Scalar::kQ8_0 && columns % ir::kQuantBlock != 0) type = FloatType();
    return type;
  }
  int64_t Width() { return draw_.OneOf(widths_); }

  ir::Weight Named(const char* word, Type type) {
    ir::Weight weight;
    weight.name = fmt::format("blk.{}.{}_{}.weight", draw_.Between(0, 2), word, module_.weights.size());
    weight.type = type;
    return weight;
  }

  // A weight [rows, columns]: new, sometimes an existing one, or one derived from two others.
  WeightId Matrix(Scalar scalar, int64_t rows, int64_t columns) {
    const Type type = Type::Tensor(scalar, rows, columns);
    if (draw_.Percent(5)) {
      for (uint32_t i = 0; i < module_.weights.size(); ++i) {
        if (module_.weights[i].type == type) return {i};
      }
    }
    if (draw_.Percent(4) && rows % 2 == 0) {
      const bool interleave = draw_.Percent(50);
      ir::Weight derived = Named("derived", type);
      derived.def = interleave ? ir::Weight::Def::kInterleave : ir::Weight::Def::kConcat;
      if (interleave) {
        derived.granule = draw_.OneOf(DivisorsOf(rows / 2));
      }
      const Type half = Type::Tensor(scalar, rows / 2, columns);
      for (const char* word : {"a", "b"}) derived.sources.push_back(module_.AddWeight(Named(word, half)));
      return module_.AddWeight(std::move(derived));
    }
    return module_.AddWeight(Named(draw_.OneOf({"w", "attn_q", "ffn.up"}), type));
  }

  WeightId Gain(int64_t columns) {
    const Type type = Type::Tensor(Scalar::kF32, columns);
    if (draw_.Percent(25)) {
      for (uint32_t i = 0; i < module_.weights.size(); ++i) {
        if (module_.weights[i].type == type) return {i};
      }
    }
    const WeightId gain = module_.AddWeight(Named("norm", type));
    if (!draw_.Percent(5)) return gain;
    ir::Weight scaled = Named("norm", type);
    scaled.def = ir::Weight::Def::kScale;
    scaled.factor = draw_.OneOf({0.7, -1.5, 2.0});
    scaled.sources = {gain};
    return module_.AddWeight(std::move(scaled));
  }

  // ---- ops ----
  void Embed() {
    const int64_t columns = Width();
    const Type type = Type::Tensor(MatrixType(columns), limits_.vocab, columns);
    const bool again = !tables_.empty() && draw_.Percent(30);
    WeightId table = again ? draw_.OneOf(tables_) : module_.AddWeight(Named("token_embd", type));
    if (!again) tables_.push_back(table);
    const double length = std::sqrt(static_cast<double>(module_.weight(table).type.columns()));
    const double scale = draw_.OneOf({1.0, 3.0, length});
    Push(OpKind::kEmbed, {module_.forward().params[0], b_.Weight(table)},
         {AttrValue::Float(Attr::kScale, scale)}, scale / length);
  }
  bool EmbedAgain() {
    Embed();
    return true;
  }

  Known LinearOf(const Known& x, int64_t out, Scalar scalar) {
    return Push(OpKind::kLinear, {x.id, b_.Weight(Matrix(scalar, out, x.columns))}, {}, x.size);
  }
  Known LinearOf(const Known& x, int64_t out) { return LinearOf(x, out, MatrixType(x.columns)); }
  bool Linear() {
    LinearOf(Pick(), Width());
    return true;
  }
  // Linears of one input, which merge-linears merges.
  bool Linears() {
    const Known x = Pick();
    const Scalar scalar = MatrixType(x.columns);
    const int64_t count = draw_.Between(2, 3);
    for (int64_t i = 0; i < count; ++i) {
      LinearOf(x, Width(), draw_.Percent(85) ? scalar : MatrixType(x.columns));
      if (draw_.Percent(15)) Step(kRowOps);
    }
    return true;
  }

  // Linears of an explicitly quantised value; the activation type may differ from the program's.
  bool QuantizedLinear() {
    const Known x = Pick();
    if (x.columns % ir::kQuantBlock != 0) return false;
    const Type type = Type::Tensor(draw_.OneOf({Scalar::kQ16, Scalar::kQ8, Scalar::kQ7}),
                                   module_.forward().type(x.id).rows(), x.columns);
    const ValueId q = b_.Emit(OpKind::kQuantize, {x.id}, {}, type);
    const int64_t count = draw_.OneOf({1, 1, 2});
    for (int64_t i = 0; i < count; ++i) {
      Push(OpKind::kLinear, {q, b_.Weight(Matrix(Scalar::kQ8_0, Width(), x.columns))}, {}, x.size);
    }
    return true;
  }

  // mul(gelu(gate), up) of two linears of one input.
  bool Gated() {
    const Known x = Pick();
    const Scalar scalar = MatrixType(x.columns);
    const int64_t width = Width();
    const bool up_first = draw_.Percent(30);
    Known gate = LinearOf(x, width, scalar);
    Known up = LinearOf(x, width, draw_.Percent(90) ? scalar : MatrixType(x.columns));
    if (up_first) std::swap(gate, up);
    const Known gelu = Push(OpKind::kGelu, {gate.id}, {}, gate.size);
    if (draw_.Percent(15)) Step(kRowOps);
    std::vector<ValueId> sides = {gelu.id, up.id};
    if (draw_.Percent(30)) std::swap(sides[0], sides[1]);
    const Known product = Push(OpKind::kMul, sides, {}, gelu.size * up.size);
    if (draw_.Percent(70)) LinearOf(product, Width());
    return true;
  }

  bool Residual() {
    const Known x = Pick();
    const Known normed = NormOf(x, 0);
    const Known y = LinearOf(normed, draw_.Percent(50) ? x.columns : Width());
    const Known back = y.columns == x.columns ? y : LinearOf(y, x.columns);
    const Known last = draw_.Percent(50) ? NormOf(back, 0) : back;
    Push(OpKind::kAdd, {x.id, last.id}, {}, x.size + last.size);
    return true;
  }

  Known NormOf(const Known& x, int64_t group) {
    const WeightId gain = Gain(group > 0 ? group : x.columns);
    std::vector<AttrValue> attrs = {AttrValue::Float(Attr::kEps, draw_.OneOf({1e-6, 1e-6, 1e-5, 1e-12}))};
    if (group > 0) attrs.push_back(AttrValue::Int(Attr::kGroup, group));
    return Push(OpKind::kRmsNorm, {x.id, b_.Weight(gain)}, attrs, 1);
  }
  bool Norm() {
    NormOf(Pick(), 0);
    return true;
  }
  bool GroupedNorm() {
    const Known x = Pick();
    NormOf(x, draw_.OneOf(DivisorsOf(x.columns)));
    return true;
  }

  Known RopeOf(const Known& x, int64_t head_dim) {
    const double theta = draw_.OneOf({100.0, 10000.0, 1e6});
    if (draw_.Percent(90)) {
      return Push(OpKind::kRope, {x.id},
                  {AttrValue::Float(Attr::kTheta, theta), AttrValue::Int(Attr::kHeadDim, head_dim)}, x.size);
    }
    ir::Weight table = Named("rope", Type::Tensor(Scalar::kF32, limits_.positions, head_dim));
    table.def = ir::Weight::Def::kRopeTable;
    table.factor = theta;
    const WeightId id = module_.AddWeight(std::move(table));
    return Push(OpKind::kRopeTable, {x.id, b_.Weight(id)}, {AttrValue::Int(Attr::kHeadDim, head_dim)},
                x.size);
  }
  bool Rope() {
    const Known x = Pick();
    std::vector<int64_t> dims = DivisorsOf(x.columns);
    std::erase_if(dims, [](int64_t d) { return d % 2 != 0; });
    if (dims.empty()) return false;
    RopeOf(x, draw_.OneOf(dims));
    return true;
  }

  Known ScaleOf(const Known& x, double scale) {
    const double size = scale == 0 ? 1 : x.size * std::fabs(scale);  // zeros are harmless
    return Push(OpKind::kScaleBy, {x.id}, {AttrValue::Float(Attr::kScale, scale)}, size);
  }
  bool Scale() {
    ScaleOf(Pick(), draw_.Percent(2) ? draw_.OneOf({0.0, -0.0})
                                     : draw_.OneOf({0.5, 0.3, 2.0, 3.0, -1.0, 1.0, 0.125}));
    return true;
  }

  bool Gelu() {
    const Known x = Pick();
    Push(OpKind::kGelu, {x.id}, {}, x.size);
    return true;
  }
  bool L2Normalize() {
    const Known x = Pick();
    Push(OpKind::kL2Normalize, {x.id}, {}, 1 / std::sqrt(static_cast<double>(x.columns)));
    return true;
  }
  bool Add() {
    const Known a = Pick();
    const Known b = *PickOfWidth(a.columns);
    Push(OpKind::kAdd, {a.id, b.id}, {}, a.size + b.size);
    return true;
  }
  bool Mul() {
    const Known a = Pick();
    const Known b = *PickOfWidth(a.columns);
    Push(OpKind::kMul, {a.id, b.id}, {}, a.size * b.size);
    return true;
  }
  bool Slice() {
    const Known x = Pick();
    const int64_t step = draw_.OneOf({1, 8, 16, 32});
    const int64_t offset = step * draw_.Between(0, (x.columns - 1) / step);
    const int64_t most = x.columns - offset;
    const int64_t size = draw_.Percent(50) ? most : draw_.Between(1, most);
    Push(OpKind::kSlice, {x.id}, {AttrValue::Int(Attr::kOffset, offset), AttrValue::Int(Attr::kSize, size)},
         x.size);
    return true;
  }
  bool Deinterleave() {
    const Known x = Pick();
    const int64_t ways = draw_.Between(2, 3), granule = draw_.OneOf({1, 4, 8, 16, 32, 32});
    const int64_t groups = x.columns / (ways * granule);
    if (groups == 0) return false;
    int64_t size = draw_.Percent(70) ? groups * granule : draw_.Between(1, groups * granule);
    const int64_t first = draw_.Between(0, ways - 1), end = draw_.Percent(50) ? first + 1 : ways;
    for (int64_t way = first; way < end; ++way) {
      // Mostly all ways have one size, as in one deinterleaving; sometimes another size.
      if (draw_.Percent(10)) size = draw_.Between(1, groups * granule);
      Push(OpKind::kDeinterleave, {x.id},
           {AttrValue::Int(Attr::kSize, size), AttrValue::Int(Attr::kWay, way),
            AttrValue::Int(Attr::kWays, ways), AttrValue::Int(Attr::kGranule, granule)},
           x.size);
    }
    return true;
  }

  // Heads from a linear of `x` or from an existing value, with random norm, rope and gelu.
  Known Heads(const Known& x, int64_t heads, int64_t head_dim, bool linear, Scalar scalar) {
    const Known* known = linear ? nullptr : PickOfWidth(heads * head_dim);
    Known value = known != nullptr ? *known : LinearOf(x, heads * head_dim, scalar);
    if (draw_.Percent(60)) value = NormOf(value, head_dim);
    if (draw_.Percent(50) && head_dim % 2 == 0) value = RopeOf(value, head_dim);
    if (draw_.Percent(10)) value = Push(OpKind::kGelu, {value.id}, {}, value.size);
    return value;
  }
  bool Attention() {
    constexpr int64_t kMostColumns = 128;
    const Known x = Pick();
    const int64_t head_dim =
        blocks_ ? draw_.OneOf({16, 32, 32, 64}) : draw_.OneOf({1, 2, 6, 8, 12, 16, 20, 24, 32, 33, 40});
    const int64_t kv_heads = draw_.OneOf({1, 1, 2, 3});
    const int64_t heads = kv_heads * draw_.OneOf({1, 1, 2, 3});
    if (heads * head_dim > kMostColumns) return false;
    const Scalar scalar = MatrixType(x.columns);
    Known q = Heads(x, heads, head_dim, draw_.Percent(80), scalar);
    const Known k = Heads(x, kv_heads, head_dim, draw_.Percent(95), scalar);
    const Known v = draw_.Percent(75) ? LinearOf(x, kv_heads * head_dim, scalar)
                                      : Heads(x, kv_heads, head_dim, draw_.Percent(80), scalar);
    // Keep the magnitude of scores independent of head_dim.
    const double size = q.size * k.size * std::sqrt(static_cast<double>(head_dim));
    q = ScaleOf(q, draw_.OneOf({0.5, 1.0, 4.0}) / size);
    const Known out = Push(OpKind::kAttention, {q.id, k.id, v.id},
                           {AttrValue::Int(Attr::kHeads, heads), AttrValue::Int(Attr::kKvHeads, kv_heads),
                            AttrValue::Int(Attr::kHeadDim, head_dim),
                            AttrValue::Int(Attr::kWindow, draw_.OneOf({0, 0, 1, 2, 3, 5, 8, 16, 31, 64}))},
                           v.size);
    // The compiler refuses keys that other ops read.
    if (draw_.Percent(95)) std::erase_if(values_, [&](const Known& value) { return value.id == k.id; });
    if (draw_.Percent(60)) LinearOf(out, Width());
    return true;
  }

  // Pools the last value and most unread values into one value of B rows.
  void Pool() {
    std::vector<bool> read(module_.forward().values.size());
    module_.forward().ForEachOp([&](ir::OpId, const ir::Op& op) {
      for (const ValueId operand : op.operands) read[operand.index] = true;
    });
    std::vector<Known> pooled, tokens = values_;
    for (const Known& value : tokens) {
      const bool last = value.id == tokens.back().id;
      if (!last && (read[value.id.index] || draw_.Percent(15))) continue;
      pooled.push_back(Push(OpKind::kMeanPool, {value.id}, {}, value.size));
    }
    if (draw_.Percent(10)) {
      const Known again = draw_.OneOf(tokens);
      pooled.push_back(Push(OpKind::kMeanPool, {again.id}, {}, again.size));
    }
    values_ = pooled;
    while (pooled.size() > 1) {
      Known a = pooled.back();
      pooled.pop_back();
      Known b = pooled.back();
      pooled.pop_back();
      if (a.columns != b.columns) a = LinearOf(a, b.columns);
      pooled.push_back(Push(OpKind::kAdd, {a.id, b.id}, {}, a.size + b.size));
    }
    KeepSize();
  }

  // Row-wise ops, used as obstacles within patterns.
  static constexpr Choice kRowOps[] = {
      {3, &Generator::Norm}, {2, &Generator::GroupedNorm}, {2, &Generator::Gelu},  {3, &Generator::Scale},
      {2, &Generator::Add},  {1, &Generator::Mul},         {1, &Generator::Slice},
  };
  static constexpr Choice kTokenOps[] = {
      {8, &Generator::Linear},      {5, &Generator::Linears},     {6, &Generator::Gated},
      {6, &Generator::Residual},    {8, &Generator::Attention},   {2, &Generator::QuantizedLinear},
      {4, &Generator::Norm},        {4, &Generator::GroupedNorm}, {3, &Generator::Rope},
      {5, &Generator::Scale},       {4, &Generator::Gelu},        {4, &Generator::Add},
      {3, &Generator::Mul},         {3, &Generator::Slice},       {2, &Generator::Deinterleave},
      {1, &Generator::L2Normalize}, {2, &Generator::EmbedAgain},
  };
  static constexpr Choice kSequenceOps[] = {
      {6, &Generator::Linear},
      {2, &Generator::Linears},
      {2, &Generator::Gated},
      {2, &Generator::Residual},
      {1, &Generator::QuantizedLinear},
      {2, &Generator::Norm},
      {1, &Generator::GroupedNorm},
      {2, &Generator::Scale},
      {2, &Generator::Gelu},
      {2, &Generator::Add},
      {1, &Generator::Mul},
      {2, &Generator::Slice},
      {1, &Generator::Deinterleave},
      {1, &Generator::L2Normalize},
  };

  Draw& draw_;
  const GraphLimits& limits_;
  ir::Module module_;
  ir::Builder b_;
  bool blocks_ = false;  // widths are multiples of the quantisation block
  std::vector<int64_t> widths_;
  std::vector<WeightId> tables_;
  Scalar main_type_ = Scalar::kF32;
  std::vector<Known> values_;  // of T rows, then of B rows
};

}  // namespace

ir::Module RandomGraph(Draw& draw, const GraphLimits& limits) { return Generator(draw, limits).Generate(); }

}  // namespace ggufc::programs
