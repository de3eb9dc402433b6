#include "tools/roofline/kernels.h"

#include <algorithm>
#include <optional>
#include <set>

#include "ir/core/weight_layout.h"
#include "passes/kernel/kernel_shape.h"
#include "passes/lower/tile_micro.h"
#include "passes/lower/tile_rows.h"
#include "passes/pipeline.h"
#include "support/batch_tables.h"
#include "support/check.h"

namespace ggufc::roofline {
namespace {

using ir::Attr;
using ir::OpKind;
using ir::Type;
using ir::ValueId;
using passes::RoundUp;

constexpr int64_t kFloat = 4;

int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The first op of a kind in a kernel's body; null if there is none.
const ir::Op* FindOp(const ir::Function& kernel, OpKind kind) {
  for (const ir::OpId id : kernel.block(kernel.body).ops) {
    if (kernel.op(id).kind == kind) return &kernel.op(id);
  }
  return nullptr;
}

// Counts the costs of calls in order; weights that an earlier call read are in cache.
class Counter {
 public:
  Counter(const ir::Module& module, const codegen::Target& target, std::span<const int32_t> lengths)
      : module_(module), target_(target), lengths_(lengths), tables_(MakeBatchTables(lengths)) {}

  Cost Count(const ir::Op& call) {
    const ir::Function& kernel = module_.function(call.callee);
    Cost cost;
    cost.kernel = kernel.name;
    CountMacs(call, kernel, cost);

    const ir::Op* const linear = FindOp(kernel, OpKind::kLinear);
    const ir::Op* const attention = FindOp(kernel, OpKind::kAttention);
    const ir::Op* const embed = FindOp(kernel, OpKind::kEmbed);
    for (size_t i = 0; i < call.operands.size(); ++i) {
      const ValueId param = kernel.params[i];
      const ir::Value& value = module_.forward().value(call.operands[i]);
      if (value.def == ir::Value::Def::kWeight) {
        const ir::Weight& weight = module_.weight(value.weight);
        const bool looked_up = embed != nullptr && embed->operands[1] == param;
        const int64_t bytes = looked_up ? LookedUpBytes(weight) : WeightBytes(weight);
        if (seen_.insert(value.weight).second) cost.weight_bytes += bytes;
        cost.footprint += bytes;
        const bool is_linear_weight = linear != nullptr && linear->operands[1] == param;
        const int64_t rows = linear != nullptr ? Rows(kernel.type(linear->results[0])) : 0;
        cost.cache_bytes += is_linear_weight ? bytes * CeilDivide(rows, target_.info.row_block) : bytes;
        continue;
      }
      if (embed != nullptr && embed->operands[0] == param) continue;  // ids
      const bool keys = attention != nullptr && attention->operands[1] == param;
      const bool values = attention != nullptr && attention->operands[2] == param;
      const bool integer = attention != nullptr && attention->Int(Attr::kDots) != 0;
      const bool panels = (keys || (values && integer)) && attention->Int(Attr::kLayout) == 1;
      const int64_t bytes = TensorBytes(value.type, panels, panels && integer);
      cost.footprint += bytes;
      cost.cache_bytes += keys || values ? TileBytes(*attention) : bytes;
    }
    const std::vector<ValueId>& returned = kernel.op(kernel.block(kernel.body).ops.back()).operands;
    for (size_t i = 0; i < call.results.size(); ++i) {
      const ir::Op* const defining = kernel.DefiningOp(returned[i]);
      const bool panels = defining != nullptr && passes::IsPanels(*defining);
      const int64_t bytes = TensorBytes(module_.forward().type(call.results[i]), panels,
                                        panels && defining->Int(Attr::kDots) != 0);
      cost.footprint += bytes;
      cost.cache_bytes += bytes;
    }
    return cost;
  }

 private:
  int64_t Tokens() const { return tables_.tokens; }
  int64_t Rows(const Type& type) const {
    return type.dims[0].symbol == ir::Symbol::kB ? static_cast<int64_t>(lengths_.size()) : Tokens();
  }

  void CountMacs(const ir::Op& call, const ir::Function& kernel, Cost& cost) const {
    if (const ir::Op* const linear = FindOp(kernel, OpKind::kLinear)) {
      const Type& x = kernel.type(linear->operands[0]);
      const auto param = std::ranges::find(kernel.params, linear->operands[1]);
      CHECK(param != kernel.params.end(), "@{}: the linear's weight is not a parameter", kernel.name);
      const ValueId weight = call.operands[static_cast<size_t>(param - kernel.params.begin())];
      cost.arithmetic = ArithmeticOf(target_, x.scalar);
      cost.macs =
          Rows(x) * x.columns() * OutputColumns(module_.weight(module_.forward().value(weight).weight));
    } else if (const ir::Op* const attention = FindOp(kernel, OpKind::kAttention)) {
      int64_t pairs = 0;
      for (const int32_t length : lengths_) pairs += VisiblePairs(length, attention->Int(Attr::kWindow));
      cost.macs = 2 * pairs * attention->Int(Attr::kHeads) * attention->Int(Attr::kHeadDim);
      if (attention->Int(Attr::kDots) != 0) cost.arithmetic = Arithmetic::kI16;
    }
  }

  // Rows of a weight without padding.
  int64_t OutputColumns(const ir::Weight& weight) const {
    if (weight.def != ir::Weight::Def::kInterleave && weight.def != ir::Weight::Def::kConcat) {
      return weight.type.dims[0].size;
    }
    int64_t columns = 0;
    for (const ir::WeightId source : weight.sources) columns += OutputColumns(module_.weight(source));
    return columns;
  }

  int64_t WeightBytes(const ir::Weight& weight) const {
    const Type& type = weight.type;
    if (weight.def == ir::Weight::Def::kRopeTable) {
      return std::min<int64_t>(type.dims[0].size, std::ranges::max(lengths_)) * type.columns() * kFloat;
    }
    if (type.rank == 1) return RoundUp(type.columns(), ir::kLanes) * kFloat;
    if (weight.pack == 0) return ir::FileBytes(type);
    const int64_t units = CeilDivide(type.dims[0].size, weight.unit);
    const int64_t panels = units * CeilDivide(weight.unit, passes::kPanelColumns);
    return panels * passes::PanelBytes(type.scalar, type.columns());
  }

  // One row of the embedding table per token, assuming that all tokens differ.
  int64_t LookedUpBytes(const ir::Weight& weight) const {
    return ir::FileBytes(weight.type) / weight.type.dims[0].size * Tokens();
  }

  // `integer`: panels of i16 elements; their scales, 4 bytes per head, are not counted.
  int64_t TensorBytes(const Type& type, bool panels, bool integer) const {
    const int64_t pack = ir::IsActivationQuant(type.scalar) ? target_.info.Pack(type.scalar) : 0;
    int64_t rows = Rows(type);
    if (panels) {
      rows = 0;
      for (const int32_t length : lengths_) rows += RoundUp(length, kKeyBlock);
    }
    return rows * passes::RowStride(type.scalar, type.columns(), pack) / (integer ? 2 : 1);
  }

  // Bytes of keys, or of values, that the query tiles read: each tile reads the keys that its queries attend to.
  int64_t TileBytes(const ir::Op& attention) const {
    const int64_t half = attention.Int(Attr::kWindow) / 2;
    int64_t keys = 0;
    for (const QueryTileEntry& tile : tables_.query_tiles) {
      const int64_t last = std::min(tile.first_query + kQueryTile, tile.length) - 1;
      const int64_t from = half > 0 ? std::max<int64_t>(0, tile.first_query - half) : 0;
      const int64_t to = half > 0 ? std::min<int64_t>(tile.length, last + half + 1) : tile.length;
      keys += to - from;
    }
    const int64_t element = attention.Int(Attr::kDots) != 0 ? 2 : kFloat;
    return keys * attention.Int(Attr::kKvHeads) * attention.Int(Attr::kHeadDim) * element;
  }

  const ir::Module& module_;
  const codegen::Target& target_;
  const std::span<const int32_t> lengths_;
  const BatchTables tables_;
  std::set<ir::WeightId> seen_;
};

}  // namespace

Result<ir::Module> KernelStage(const driver::SourceModel& model, const driver::CompileOptions& options) {
  ASSIGN_OR_RETURN(ir::Module module, driver::ImportGraph(model, options));
  std::optional<ir::Module> kernels;
  const auto observe = [&](const passes::PassReport&, const ir::Module& after) -> Status {
    if (after.stage == ir::Stage::kKernel) kernels = after;
    return {};
  };
  RETURN_IF_ERROR(WithContext(model.file().path(),
                              passes::RunPipeline(module, driver::ContextOf(model, options), observe)));
  CHECK(kernels.has_value(), "no pass leaves a module at the kernel stage");
  return std::move(*kernels);
}

std::vector<Cost> CountCalls(const ir::Module& module, const codegen::Target& target,
                             std::span<const int32_t> lengths) {
  Counter counter(module, target, lengths);
  std::vector<Cost> costs;
  const ir::Function& forward = module.forward();
  for (const ir::OpId id : forward.block(forward.body).ops) {
    if (forward.op(id).kind == OpKind::kCall) costs.push_back(counter.Count(forward.op(id)));
  }
  return costs;
}

// n tokens that attend to h neighbours on each side: n (2h + 1) pairs, less those beyond the two ends.
int64_t VisiblePairs(int64_t tokens, int64_t window) {
  if (window == 0) return tokens * tokens;
  const int64_t h = std::min(window / 2, tokens - 1);
  return tokens * (2 * h + 1) - h * (h + 1);
}

}  // namespace ggufc::roofline
