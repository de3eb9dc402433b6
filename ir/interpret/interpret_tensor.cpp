// One function per op, a direct transcription of its formula in ops.def, in double precision and without optimisation:
// the reference for all other implementations.
#include "ir/interpret/interpret_tensor.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numbers>
#include <unordered_map>

#include "ir/text/printer.h"
#include "support/batch_tables.h"

namespace ggufc::ir {
namespace {

constexpr int64_t kMaxElements = int64_t{1} << 30;

// A matrix of double; a vector has one row. The data is shared: tensors are immutable and calls pass them on.
struct Tensor {
  int64_t rows = 0;
  int64_t columns = 0;
  std::shared_ptr<std::vector<double>> data;

  double* row(int64_t r) const { return data->data() + r * columns; }
};

class Machine {
 public:
  Machine(const Module& module, const WeightSource& weights, const InterpreterInput& input)
      : module_(module), weights_(weights), batch_(MakeBatchTables(input.lengths)), observe_(input.observe) {}

  Result<std::vector<Tensor>> Run(const Function& function, const std::vector<Tensor>& args) {
    Frame frame{function, std::vector<Tensor>(function.values.size())};
    for (size_t i = 0; i < args.size(); ++i) frame.values[function.params[i].index] = args[i];
    for (const OpId id : function.block(function.body).ops) {
      const Op& op = function.op(id);
      std::vector<Tensor> in;
      for (const ValueId operand : op.operands) {
        ASSIGN_OR_RETURN(in.emplace_back(), Read(frame, operand));
      }
      if (op.kind == OpKind::kReturn) return in;
      if (op.kind == OpKind::kCall) {
        ASSIGN_OR_RETURN(const std::vector<Tensor> out, Run(module_.function(op.callee), in));
        for (size_t i = 0; i < out.size(); ++i) frame.values[op.results[i].index] = out[i];
        continue;
      }
      Result<Tensor> out = MakeTensor(function.type(op.results[0]));
      if (out) {
        if (Status status = Compute(op, function.type(op.results[0]), in, *out); !status) {
          out = tl::unexpected<Error>(std::move(status.error()));
        }
      }
      if (!out)
        return Err("@{}: `{}`: {}", function.name, PrintOp(module_, function, op), out.error().message);
      if (observe_) observe_(op, *out->data);
      frame.values[op.results[0].index] = std::move(*out);
    }
    return std::vector<Tensor>{};
  }

  const BatchTables& batch() const { return batch_; }

 private:
  struct Frame {
    const Function& function;
    std::vector<Tensor> values;
  };

  int64_t Size(const Dim& dim) const {
    switch (dim.symbol) {
      case Symbol::kT:
        return batch_.tokens;
      case Symbol::kB:
        return static_cast<int64_t>(batch_.sequences.size());
      case Symbol::kQ:
        return static_cast<int64_t>(batch_.query_tiles.size());
      case Symbol::kNone:
        break;
    }
    return dim.size;
  }

  Result<Tensor> MakeTensor(const Type& type) const {
    Tensor tensor;
    tensor.rows = Size(type.rows());
    tensor.columns = type.columns();
    if (tensor.rows > kMaxElements / tensor.columns) {
      return Err("{} rows of {} elements (at most {} in all)", tensor.rows, tensor.columns, kMaxElements);
    }
    tensor.data = std::make_shared<std::vector<double>>(static_cast<size_t>(tensor.rows * tensor.columns));
    return tensor;
  }

  Result<Tensor> Read(const Frame& frame, ValueId id) {
    const Value& value = frame.function.value(id);
    if (value.def != Value::Def::kWeight) return frame.values[id.index];
    const auto [found, added] = loaded_weights_.try_emplace(value.weight.index);
    if (added) {
      ASSIGN_OR_RETURN(std::vector<double> floats, weights_.floats(module_, value.weight));
      const int64_t rows = value.type.rows().size, columns = value.type.columns();
      if (static_cast<int64_t>(floats.size()) != rows * columns) {
        return Err("weight @{}: {} elements, expected {}", module_.weight(value.weight).name, floats.size(),
                   rows * columns);
      }
      found->second = {rows, columns, std::make_shared<std::vector<double>>(std::move(floats))};
    }
    return found->second;
  }

  Status Compute(const Op& op, const Type& type, const std::vector<Tensor>& in, Tensor& out) const {
    switch (op.kind) {
      case OpKind::kEmbed:
        return Embed(in[0], in[1], op.Float(Attr::kScale), out);
      case OpKind::kRmsNorm:
        RmsNorm(in[0], in[1], op.Float(Attr::kEps), out);
        break;
      case OpKind::kLinear:
        Linear(in[0], in[1], out);
        break;
      case OpKind::kScaleBy: {
        const double scale = op.Float(Attr::kScale);
        Map(in[0], out, [&](double x) { return x * scale; });
        break;
      }
      case OpKind::kQuantize:
        Quantize(in[0], QuantMax(type.scalar), out);
        break;
      case OpKind::kRope:
        Rope(in[0], op.Float(Attr::kTheta), op.Int(Attr::kHeadDim), out);
        break;
      case OpKind::kRopeTable:
        return RopeFromTable(in[0], in[1], out);
      case OpKind::kAttention:
        Attention(op, in, out);
        break;
      case OpKind::kGelu:
        Map(in[0], out, [](double x) {
          const double inner = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
          return x / (1 + std::exp(-2 * inner));
        });
        break;
      case OpKind::kSlice: {
        const int64_t offset = op.Int(Attr::kOffset);
        GatherColumns(in[0], out, [&](int64_t j) { return offset + j; });
        break;
      }
      case OpKind::kDeinterleave: {
        const int64_t way = op.Int(Attr::kWay), ways = op.Int(Attr::kWays), granule = op.Int(Attr::kGranule);
        GatherColumns(in[0], out,
                      [&](int64_t j) { return (j / granule * ways + way) * granule + j % granule; });
        break;
      }
      case OpKind::kKeyPanels:
      case OpKind::kValuePanels:
        *out.data = *in[0].data;
        break;  // changes the order in memory, not the values
      case OpKind::kMeanPool:
        MeanPool(in[0], out);
        break;
      case OpKind::kL2Normalize:
        L2Normalize(in[0], out);
        break;
      case OpKind::kAdd:
        for (size_t i = 0; i < out.data->size(); ++i) (*out.data)[i] = (*in[0].data)[i] + (*in[1].data)[i];
        break;
      case OpKind::kMul:
        for (size_t i = 0; i < out.data->size(); ++i) (*out.data)[i] = (*in[0].data)[i] * (*in[1].data)[i];
        break;
      default:
        return Err("not an op of the graph or kernel stage");
    }
    return {};
  }

  template <typename F>
  static void Map(const Tensor& x, Tensor& out, F f) {
    std::transform(x.data->begin(), x.data->end(), out.data->begin(), f);
  }
  template <typename F>
  static void GatherColumns(const Tensor& x, Tensor& out, F from) {
    for (int64_t r = 0; r < out.rows; ++r) {
      for (int64_t j = 0; j < out.columns; ++j) out.row(r)[j] = x.row(r)[from(j)];
    }
  }

  static Status Embed(const Tensor& ids, const Tensor& table, double scale, Tensor& out) {
    for (int64_t t = 0; t < out.rows; ++t) {
      const auto id = static_cast<int64_t>((*ids.data)[t]);
      if (id < 0 || id >= table.rows)
        return Err("token {}: id {}, but the table has {} rows", t, id, table.rows);
      for (int64_t j = 0; j < out.columns; ++j) out.row(t)[j] = table.row(id)[j] * scale;
    }
    return {};
  }

  static void RmsNorm(const Tensor& x, const Tensor& gain, double eps, Tensor& out) {
    const int64_t group = gain.columns;
    for (int64_t r = 0; r < x.rows; ++r) {
      for (int64_t begin = 0; begin < x.columns; begin += group) {
        const double* const from = x.row(r) + begin;
        double squares = 0;
        for (int64_t j = 0; j < group; ++j) squares += from[j] * from[j];
        const double norm = 1 / std::sqrt(squares / static_cast<double>(group) + eps);
        for (int64_t j = 0; j < group; ++j) out.row(r)[begin + j] = from[j] * norm * (*gain.data)[j];
      }
    }
  }

  static void Linear(const Tensor& x, const Tensor& w, Tensor& out) {
    for (int64_t r = 0; r < x.rows; ++r) {
      for (int64_t n = 0; n < w.rows; ++n) {
        const double *a = x.row(r), *b = w.row(n);
        double sum = 0;
        for (int64_t k = 0; k < x.columns; ++k) sum += a[k] * b[k];
        out.row(r)[n] = sum;
      }
    }
  }

  static void Quantize(const Tensor& x, double max, Tensor& out) {
    for (size_t begin = 0; begin < x.data->size(); begin += kQuantBlock) {
      const double* const from = x.data->data() + begin;
      double amax = 0;
      for (int64_t j = 0; j < kQuantBlock; ++j) amax = std::max(amax, std::fabs(from[j]));
      const double scale = amax / max;
      const double inverse = amax == 0 ? 0 : max / amax;
      for (int64_t j = 0; j < kQuantBlock; ++j)
        (*out.data)[begin + j] = std::nearbyint(from[j] * inverse) * scale;
    }
  }

  static void Rotate(const double* x, double c, double s, int64_t half, double* out) {
    const double a = x[0], b = x[half];
    out[0] = a * c - b * s;
    out[half] = b * c + a * s;
  }

  void Rope(const Tensor& x, double theta, int64_t head_dim, Tensor& out) const {
    const int64_t half = head_dim / 2;
    for (int64_t t = 0; t < x.rows; ++t) {
      for (int64_t i = 0; i < half; ++i) {
        const double frequency =
            std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
        const double angle = batch_.positions[t] * frequency;
        const double c = std::cos(angle), s = std::sin(angle);
        for (int64_t h = i; h < x.columns; h += head_dim) Rotate(x.row(t) + h, c, s, half, out.row(t) + h);
      }
    }
  }

  Status RopeFromTable(const Tensor& x, const Tensor& table, Tensor& out) const {
    const int64_t head_dim = table.columns, half = head_dim / 2;
    for (int64_t t = 0; t < x.rows; ++t) {
      const int64_t position = batch_.positions[t];
      if (position >= table.rows)
        return Err("position {}, but the table has {} positions", position, table.rows);
      for (int64_t i = 0; i < half; ++i) {
        const double c = table.row(position)[i], s = table.row(position)[half + i];
        for (int64_t h = i; h < x.columns; h += head_dim) Rotate(x.row(t) + h, c, s, half, out.row(t) + h);
      }
    }
    return {};
  }

  // Rounds a head to 16-bit integers times a scale, as attention with dots=16 does (docs/ir.md). Returns the scale.
  static double RoundHead(double* x, int64_t head_dim, bool bound_norm) {
    double amax = 0, norm = 0;
    for (int64_t begin = 0; begin < head_dim; begin += kQuantBlock) {
      double squares = 0;
      for (int64_t d = begin; d < begin + kQuantBlock; ++d) {
        amax = std::max(amax, std::fabs(x[d]));
        squares += x[d] * x[d];
      }
      norm = std::max(norm, std::sqrt(squares));
    }
    double scale = amax / QuantMax(Scalar::kQ16);
    if (bound_norm) scale = std::max(scale, norm / kMaxBlockNorm);
    for (int64_t d = 0; d < head_dim; ++d) x[d] = scale == 0 ? 0 : std::nearbyint(x[d] / scale) * scale;
    return scale;
  }

  static void RoundHeads(Tensor& x, int64_t head_dim, bool bound_norm, std::vector<double>* scales) {
    for (int64_t begin = 0; begin < x.rows * x.columns; begin += head_dim) {
      const double scale = RoundHead(x.data->data() + begin, head_dim, bound_norm);
      if (scales != nullptr) scales->push_back(scale);
    }
  }

  // Rounds attention weights in blocks of kQuantBlock keys, counted from the start of the sequence; weights[0] is the
  // weight of key `begin`. `scale_of(j)`: the scale of key j's value.
  template <typename ScaleOf>
  static void RoundWeights(std::vector<double>& weights, int64_t begin, const ScaleOf& scale_of) {
    const auto end = begin + static_cast<int64_t>(weights.size());
    for (int64_t block = begin / kQuantBlock * kQuantBlock; block < end; block += kQuantBlock) {
      const int64_t from = std::max(begin, block), to = std::min(end, block + kQuantBlock);
      double sum = 0, largest = 0;
      for (int64_t j = from; j < to; ++j) {
        const double weight = weights[j - begin] * scale_of(j);
        sum += weight;
        largest = std::max(largest, weight);
      }
      const double scale = std::max(sum / kMaxBlockSum, largest / QuantMax(Scalar::kQ16));
      for (int64_t j = from; j < to; ++j) {
        double& weight = weights[j - begin];
        if (scale > 0 && scale_of(j) > 0)
          weight = std::nearbyint(weight * scale_of(j) / scale) * scale / scale_of(j);
      }
    }
  }

  void Attention(const Op& op, const std::vector<Tensor>& in, Tensor& out) const {
    Tensor q = in[0], k = in[1], v = in[2];
    std::vector<double> value_scales;  // by token and kv head
    const bool integer = op.Int(Attr::kDots) != 0;
    if (integer) {
      for (Tensor* x : {&q, &k, &v}) x->data = std::make_shared<std::vector<double>>(*x->data);
      RoundHeads(q, op.Int(Attr::kHeadDim), true, nullptr);
      RoundHeads(k, op.Int(Attr::kHeadDim), true, nullptr);
      RoundHeads(v, op.Int(Attr::kHeadDim), false, &value_scales);
    }
    const int64_t heads = op.Int(Attr::kHeads), kv_heads = op.Int(Attr::kKvHeads),
                  head_dim = op.Int(Attr::kHeadDim);
    const int64_t window = op.Int(Attr::kWindow);
    std::vector<double> scores;
    for (const SequenceEntry& sequence : batch_.sequences) {
      const int64_t first = sequence.first_token, length = sequence.length;
      const int64_t reach = window == 0 ? length : window / 2;
      for (int64_t i = 0; i < length; ++i) {
        const int64_t begin = std::max<int64_t>(0, i - reach), end = std::min(length, i + reach + 1);
        for (int64_t h = 0; h < heads; ++h) {
          const int64_t kv = h / (heads / kv_heads) * head_dim;
          const double* const query = q.row(first + i) + h * head_dim;
          double highest = -std::numeric_limits<double>::infinity(), sum = 0;
          scores.assign(static_cast<size_t>(end - begin), 0);
          for (int64_t j = begin; j < end; ++j) {
            const double* const key = k.row(first + j) + kv;
            for (int64_t d = 0; d < head_dim; ++d) scores[j - begin] += query[d] * key[d];
            highest = std::max(highest, scores[j - begin]);
          }
          for (double& score : scores) sum += score = std::exp(score - highest);
          if (integer) {
            RoundWeights(scores, begin, [&](int64_t j) {
              return value_scales[static_cast<size_t>((first + j) * kv_heads + kv / head_dim)];
            });
          }
          double* const to = out.row(first + i) + h * head_dim;
          for (int64_t j = begin; j < end; ++j) {
            const double* const value = v.row(first + j) + kv;
            for (int64_t d = 0; d < head_dim; ++d) to[d] += scores[j - begin] / sum * value[d];
          }
        }
      }
    }
  }

  void MeanPool(const Tensor& x, Tensor& out) const {
    for (int64_t b = 0; b < out.rows; ++b) {
      const SequenceEntry& sequence = batch_.sequences[b];
      for (int64_t j = 0; j < x.columns; ++j) {
        double sum = 0;
        for (int64_t i = 0; i < sequence.length; ++i) sum += x.row(sequence.first_token + i)[j];
        out.row(b)[j] = sum / sequence.length;
      }
    }
  }

  static void L2Normalize(const Tensor& x, Tensor& out) {
    for (int64_t r = 0; r < x.rows; ++r) {
      double squares = 0;
      for (int64_t j = 0; j < x.columns; ++j) squares += x.row(r)[j] * x.row(r)[j];
      const double norm = squares == 0 ? 0 : 1 / std::sqrt(squares);
      for (int64_t j = 0; j < x.columns; ++j) out.row(r)[j] = x.row(r)[j] * norm;
    }
  }

  const Module& module_;
  const WeightSource& weights_;
  const BatchTables batch_;
  const std::function<void(const Op&, std::span<const double>)>& observe_;
  std::unordered_map<uint32_t, Tensor> loaded_weights_;
};

}  // namespace

Result<InterpreterOutput> InterpretTensors(const Module& module, const WeightSource& weights,
                                           const InterpreterInput& input) {
  Machine machine(module, weights, input);
  Tensor ids{1, static_cast<int64_t>(input.ids.size()),
             std::make_shared<std::vector<double>>(input.ids.begin(), input.ids.end())};
  ASSIGN_OR_RETURN(const std::vector<Tensor> results, machine.Run(module.forward(), {ids}));
  return InterpreterOutput{results[0].rows, results[0].columns, *results[0].data};
}

}  // namespace ggufc::ir
