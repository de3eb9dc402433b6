// The rules, where u is the roundoff, e the standard error of x, and K the number of terms of a sum. A chain of K
// additions of terms t has an error of about u sqrt(K / 2) |t|, |t| the Euclidean length of the terms, if signs
// alternate, and of at most u sqrt(K) |sum| if they do not.
//
//   embed, scale    the factor's rounding and the product's: 2u |y|
//   rms_norm        y = x r g, r = 1 / sqrt(mean(x^2) + eps): e r g, and dr = r^3 mean(x e) for the whole group
//   l2_normalize    the same with the sum instead of the mean; the error of a unit vector is at most 2
//   linear          |w e| and the error of the sum
//   quantize        e and half a step, where the step follows from the block's largest magnitude
//   rope            the errors of both halves and of the table, and three roundings
//   attention       scores: the errors of q and k through the dot product, and its roundings. The relative error of a
//                   weight is the error ds of its score, so the error of the result is sum(p ds |v - y|), at most the
//                   largest |v - y|, plus the error of v. A ds that is not small is multiplied by (exp(2d) - 1) / 2d.
//                   With dots=16, half a step of queries, keys, values and weights is added.
//   gelu            the slope is at most 1.13; the roundings of t become relative roundings of exp(-t)
//   mean_pool       the mean of the tokens' errors, which are not independent (a token may occur twice)
//   add, mul        both errors, even if both operands are one value
#include "error_bound.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numbers>

#include "support/batch_tables.h"
#include "support/check.h"

namespace ggufc::passes {
namespace {

using ir::Attr;
using ir::OpKind;

double Square(double x) { return x * x; }

// A matrix and its standard errors; a vector has one row.
struct Tensor {
  int64_t columns = 0;
  std::vector<double> values, errors;

  int64_t rows() const { return static_cast<int64_t>(values.size()) / columns; }
  const double* row(int64_t r) const { return values.data() + r * columns; }
  const double* error_row(int64_t r) const { return errors.data() + r * columns; }
};

class Propagation {
 public:
  Propagation(const ir::Module& module, const ir::WeightSource& weights, const ir::InterpreterInput& batch,
              const Noise& noise)
      : module_(module),
        weights_(weights),
        noise_(noise),
        u_(noise.roundoff),
        sequences_(MakeBatchTables(batch.lengths).sequences) {}

  void Add(const ir::Op& op, std::span<const double> result) {
    if (!failure_) return;
    const ir::Function& forward = module_.forward();
    std::vector<const Tensor*> in;
    for (const ir::ValueId id : op.operands) {
      const Result<const Tensor*> operand = Operand(id);
      if (!operand) {
        failure_ = tl::unexpected<Error>(operand.error());
        return;
      }
      in.push_back(*operand);
    }
    Tensor out{forward.type(op.results[0]).columns(), {result.begin(), result.end()}, {}};
    out.errors.resize(out.values.size());
    Propagate(op, in, out);
    tensors_[op.results[0]] = std::move(out);
  }

  Result<std::vector<double>> ErrorsOf(ir::ValueId value) const {
    RETURN_IF_ERROR(failure_);
    return tensors_.at(value).errors;
  }

 private:
  // Null for the ids, which have no error.
  Result<const Tensor*> Operand(ir::ValueId id) {
    const ir::Value& value = module_.forward().value(id);
    if (value.def == ir::Value::Def::kParam) return nullptr;
    if (value.def == ir::Value::Def::kResult) return &tensors_.at(id);
    const auto [it, fresh] = tensors_.try_emplace(id);
    if (fresh) {
      ASSIGN_OR_RETURN(it->second.values, weights_.floats(module_, value.weight));
      it->second.columns = value.type.columns();
      it->second.errors.resize(it->second.values.size());
      if (noise_.folded && module_.weight(value.weight).def == ir::Weight::Def::kScale) {
        for (size_t i = 0; i < it->second.values.size(); ++i)
          it->second.errors[i] = kF32Roundoff * std::fabs(it->second.values[i]);
      }
    }
    return &it->second;
  }

  void Propagate(const ir::Op& op, const std::vector<const Tensor*>& in, Tensor& out) const {
    switch (op.kind) {
      case OpKind::kEmbed:
        for (size_t i = 0; i < out.values.size(); ++i) out.errors[i] = 2 * u_ * std::fabs(out.values[i]);
        return;
      case OpKind::kScaleBy:
        for (size_t i = 0; i < out.values.size(); ++i) {
          out.errors[i] =
              std::fabs(op.Float(Attr::kScale)) * in[0]->errors[i] + 2 * u_ * std::fabs(out.values[i]);
        }
        return;
      case OpKind::kRmsNorm:
        return RmsNorm(*in[0], *in[1], op.Float(Attr::kEps), out);
      case OpKind::kL2Normalize:
        return L2Normalize(*in[0], out);
      case OpKind::kLinear:
        return Linear(*in[0], *in[1], out);
      case OpKind::kQuantize:
        return Quantize(*in[0], ir::QuantMax(module_.forward().type(op.results[0]).scalar), out);
      case OpKind::kRope:
      case OpKind::kRopeTable:
        return Rope(*in[0], op.Int(Attr::kHeadDim), out);
      case OpKind::kAttention:
        return Attention(op, *in[0], *in[1], *in[2], out);
      case OpKind::kGelu:
        return Gelu(*in[0], out);
      case OpKind::kSlice:
        return SelectErrors(*in[0], out, [&](int64_t j) { return op.Int(Attr::kOffset) + j; });
      case OpKind::kDeinterleave: {
        const int64_t way = op.Int(Attr::kWay), ways = op.Int(Attr::kWays), granule = op.Int(Attr::kGranule);
        return SelectErrors(*in[0], out,
                            [&](int64_t j) { return (j / granule * ways + way) * granule + j % granule; });
      }
      case OpKind::kMeanPool:
        return MeanPool(*in[0], out);
      case OpKind::kAdd:
        for (size_t i = 0; i < out.values.size(); ++i)
          out.errors[i] = in[0]->errors[i] + in[1]->errors[i] + u_ * std::fabs(out.values[i]);
        return;
      case OpKind::kMul:
        for (size_t i = 0; i < out.values.size(); ++i) {
          const double a = in[0]->errors[i], b = in[1]->errors[i];
          out.errors[i] = std::fabs(in[0]->values[i]) * b + a * std::fabs(in[1]->values[i]) + a * b +
                          u_ * std::fabs(out.values[i]);
        }
        return;
      default:
        CHECK(false, "error_bound.cpp has no rule for {}", ir::Info(op.kind).name);
    }
  }

  template <typename F>
  static void SelectErrors(const Tensor& x, Tensor& out, F from) {
    for (int64_t r = 0; r < out.rows(); ++r) {
      for (int64_t j = 0; j < out.columns; ++j) out.errors[At(out, r, j)] = x.error_row(r)[from(j)];
    }
  }
  static size_t At(const Tensor& t, int64_t row, int64_t column) {
    return static_cast<size_t>(row * t.columns + column);
  }

  // Relative error of a sum of squares, a root and a division of it, and the products with the result.
  double NormRoundings(int64_t n) const { return u_ * (std::sqrt(static_cast<double>(n)) / 2 + 4); }

  void RmsNorm(const Tensor& x, const Tensor& gain, double eps, Tensor& out) const {
    const int64_t n = gain.columns;
    for (int64_t r = 0; r < x.rows(); ++r) {
      for (int64_t begin = 0; begin < x.columns; begin += n) {
        const double *const v = x.row(r) + begin, *const e = x.error_row(r) + begin;
        double squares = 0, cross = 0;
        for (int64_t j = 0; j < n; ++j) {
          squares += Square(v[j]);
          cross += Square(v[j] * e[j]);
        }
        const double root = 1 / std::sqrt(squares / static_cast<double>(n) + eps);
        const double common = Square(root) * std::sqrt(cross) / static_cast<double>(n);  // dr / r
        // Elements of a normalised row are at most sqrt(n), whatever x is.
        const double max_value = 2 * std::sqrt(static_cast<double>(n));
        for (int64_t j = 0; j < n; ++j) {
          const double own = std::hypot(root * e[j], root * v[j] * common);
          const size_t at = At(out, r, begin + j);
          out.errors[at] = std::fabs(gain.values[j]) * std::min(own, max_value) +
                           std::fabs(v[j]) * root * gain.errors[j] +
                           NormRoundings(n) * std::fabs(out.values[at]);
        }
      }
    }
  }

  void L2Normalize(const Tensor& x, Tensor& out) const {
    for (int64_t r = 0; r < x.rows(); ++r) {
      double squares = 0, cross = 0;
      for (int64_t j = 0; j < x.columns; ++j) {
        squares += Square(x.row(r)[j]);
        cross += Square(x.row(r)[j] * x.error_row(r)[j]);
      }
      for (int64_t j = 0; j < x.columns; ++j) {
        const size_t at = At(out, r, j);
        const double e = x.error_row(r)[j];
        double own = e > 0 ? 2 : 0;
        if (squares > 0) {
          own =
              std::min(own, std::hypot(e, out.values[at] * std::sqrt(cross / squares)) / std::sqrt(squares));
        }
        out.errors[at] = own + NormRoundings(x.columns) * std::fabs(out.values[at]);
      }
    }
  }

  void Linear(const Tensor& x, const Tensor& w, Tensor& out) const {
    const double k = static_cast<double>(x.columns);
    for (int64_t r = 0; r < x.rows(); ++r) {
      for (int64_t n = 0; n < w.rows(); ++n) {
        double error = 0, terms = 0;
        for (int64_t i = 0; i < x.columns; ++i) {
          error += Square(w.row(n)[i] * x.error_row(r)[i]);
          terms += Square(w.row(n)[i] * x.row(r)[i]);
        }
        const size_t at = At(out, r, n);
        const double sum = u_ * (std::sqrt(k / 2 * terms) + (std::sqrt(k) + 4) * std::fabs(out.values[at]));
        out.errors[at] = std::hypot(std::sqrt(error), sum);
      }
    }
  }

  void Quantize(const Tensor& x, double max_value, Tensor& out) const {
    for (size_t begin = 0; begin < x.values.size(); begin += ir::kQuantBlock) {
      double largest = 0, error = 0;
      for (size_t i = begin; i < begin + ir::kQuantBlock; ++i) {
        largest = std::max(largest, std::fabs(x.values[i]));
        error = std::max(error, x.errors[i]);
      }
      const double half_step = noise_.quantized ? (largest + error) / max_value / 2 : 0;
      for (size_t i = begin; i < begin + ir::kQuantBlock; ++i)
        out.errors[i] = x.errors[i] + half_step + 2 * u_ * std::fabs(out.values[i]);
    }
  }

  void Rope(const Tensor& x, int64_t head_dim, Tensor& out) const {
    const double table = noise_.folded ? kF32Roundoff : 0;
    const int64_t half = head_dim / 2;
    for (int64_t r = 0; r < x.rows(); ++r) {
      for (int64_t j = 0; j < x.columns; ++j) {
        const int64_t other = j % head_dim < half ? j + half : j - half;
        const double size = std::fabs(x.row(r)[j]) + std::fabs(x.row(r)[other]);
        out.errors[At(out, r, j)] =
            std::hypot(x.error_row(r)[j], x.error_row(r)[other]) + (table + 3 * u_) * size;
      }
    }
  }

  // One head of one query against the keys of tokens [begin, end).
  struct Query {
    int64_t token, column;       // of the query, and of its head
    int64_t first, begin, end;   // tokens: of the sequence, of the keys
    int64_t kv_column, columns;  // of the keys' head
    bool integer;                // dots=16
  };

  void Attention(const ir::Op& op, const Tensor& q, const Tensor& k, const Tensor& v, Tensor& out) const {
    const int64_t heads = op.Int(Attr::kHeads), kv_heads = op.Int(Attr::kKvHeads);
    const int64_t head_dim = op.Int(Attr::kHeadDim), window = op.Int(Attr::kWindow);
    const bool integer = op.Int(Attr::kDots) != 0;
    const auto rounded = [&](const Tensor& x, bool bound_norm) {
      return integer && noise_.quantized ? WithRoundedHeads(x, head_dim, bound_norm) : x;
    };
    const Tensor rounded_q = rounded(q, true), rounded_k = rounded(k, true), rounded_v = rounded(v, false);
    for (const SequenceEntry& sequence : sequences_) {
      const int64_t first = sequence.first_token, length = sequence.length;
      const int64_t reach = window == 0 ? length : window / 2;
      for (int64_t i = 0; i < length; ++i) {
        const int64_t begin = std::max<int64_t>(0, i - reach), end = std::min(length, i + reach + 1);
        for (int64_t h = 0; h < heads; ++h) {
          const int64_t kv = h / (heads / kv_heads) * head_dim;
          Attend({first + i, h * head_dim, first, first + begin, first + end, kv, head_dim, integer},
                 rounded_q, rounded_k, rounded_v, out);
        }
      }
    }
  }

  // Adds half a step to the error of each column. A head has one step (docs/ir.md, attention with dots=16).
  static Tensor WithRoundedHeads(const Tensor& x, int64_t head_dim, bool bound_norm) {
    Tensor rounded = x;
    for (size_t head = 0; head < x.values.size(); head += static_cast<size_t>(head_dim)) {
      double largest = 0, norm = 0;
      for (size_t block = head; block < head + static_cast<size_t>(head_dim); block += ir::kQuantBlock) {
        double squares = 0;
        for (size_t i = block; i < block + ir::kQuantBlock; ++i) {
          largest = std::max(largest, std::fabs(x.values[i]) + x.errors[i]);
          squares += Square(std::fabs(x.values[i]) + x.errors[i]);
        }
        norm = std::max(norm, std::sqrt(squares));
      }
      double step = largest / ir::QuantMax(ir::Scalar::kQ16);
      if (bound_norm) step = std::max(step, norm / ir::kMaxBlockNorm);
      for (size_t i = head; i < head + static_cast<size_t>(head_dim); ++i) rounded.errors[i] += step / 2;
    }
    return rounded;
  }

  void Attend(const Query& at, const Tensor& q, const Tensor& k, const Tensor& v, Tensor& out) const {
    const size_t keys = static_cast<size_t>(at.end - at.begin);
    const double n = static_cast<double>(at.columns);
    std::vector<double> weights(keys), score_errors(keys);
    double highest = -std::numeric_limits<double>::infinity(), sum = 0, worst = 0;
    for (size_t j = 0; j < keys; ++j) {
      const int64_t token = at.begin + static_cast<int64_t>(j);
      const double *const a = q.row(at.token) + at.column, *const b = k.row(token) + at.kv_column;
      const double *const ea = q.error_row(at.token) + at.column, *const eb =
                                                                      k.error_row(token) + at.kv_column;
      double dot = 0, terms = 0, from_q = 0, from_k = 0;
      for (int64_t d = 0; d < at.columns; ++d) {
        dot += a[d] * b[d];
        terms += Square(a[d] * b[d]);
        from_q += Square(ea[d] * b[d]);
        from_k += Square(a[d] * eb[d]);
      }
      score_errors[j] = std::sqrt(from_q) + std::sqrt(from_k) +
                        u_ * (std::sqrt(n / 2 * terms) + (std::sqrt(n) + 4) * std::fabs(dot) + 8);
      weights[j] = dot;
      highest = std::max(highest, dot);
      worst = std::max(worst, score_errors[j]);
    }
    for (double& weight : weights) sum += weight = std::exp(weight - highest);
    std::vector<double> weight_errors(keys);
    if (at.integer && noise_.quantized) weight_errors = RoundedWeights(at, weights, v);
    const double d = std::min(worst, 20.0);
    const double growth = d > 1e-3 ? std::expm1(2 * d) / (2 * d) : 1 + d;
    for (int64_t c = 0; c < at.columns; ++c) {
      const size_t to = At(out, at.token, at.column + c);
      double from_scores = 0, from_weights = 0, from_values = 0, size = 0, apart = 0;
      for (size_t j = 0; j < keys; ++j) {
        const int64_t token = at.begin + static_cast<int64_t>(j);
        const double value = v.row(token)[at.kv_column + c], p = weights[j] / sum;
        from_scores += p * score_errors[j] * std::fabs(value - out.values[to]);
        from_weights += Square(weight_errors[j] / sum * value);
        from_values += p * v.error_row(token)[at.kv_column + c];
        size += p * std::fabs(value);
        apart = std::max(apart, std::fabs(value - out.values[to]));
      }
      out.errors[to] = std::min(growth * from_scores, apart) + std::sqrt(from_weights) + from_values +
                       u_ * (std::sqrt(static_cast<double>(keys)) + 8) * size;
    }
  }

  // Half a step of each weight with dots=16. A block of keys, counted from the sequence's first token, has one step.
  static std::vector<double> RoundedWeights(const Query& at, const std::vector<double>& weights,
                                            const Tensor& v) {
    const auto scale_of = [&](int64_t token) {
      double largest = 0;
      for (int64_t c = 0; c < at.columns; ++c)
        largest = std::max(largest, std::fabs(v.row(token)[at.kv_column + c]));
      return largest / ir::QuantMax(ir::Scalar::kQ16);
    };
    std::vector<double> errors(weights.size());
    const int64_t first_block = (at.begin - at.first) / ir::kQuantBlock * ir::kQuantBlock + at.first;
    for (int64_t block = first_block; block < at.end; block += ir::kQuantBlock) {
      const int64_t from = std::max(at.begin, block), to = std::min(at.end, block + ir::kQuantBlock);
      double sum = 0, largest = 0;
      for (int64_t token = from; token < to; ++token) {
        const double weight = weights[static_cast<size_t>(token - at.begin)] * scale_of(token);
        sum += weight;
        largest = std::max(largest, weight);
      }
      const double step = std::max(sum / ir::kMaxBlockSum, largest / ir::QuantMax(ir::Scalar::kQ16));
      for (int64_t token = from; token < to; ++token) {
        const double scale = scale_of(token);
        if (scale > 0) errors[static_cast<size_t>(token - at.begin)] = step / 2 / scale;
      }
    }
    return errors;
  }

  void Gelu(const Tensor& x, Tensor& out) const {
    constexpr double kSteepest = 1.13;
    for (size_t i = 0; i < x.values.size(); ++i) {
      const double v = x.values[i];
      const double t = 2 * std::sqrt(2 / std::numbers::pi) * (v + 0.044715 * v * v * v);
      const double share = 1 / (1 + std::exp(t));  // of exp(-t) in the denominator
      out.errors[i] =
          kSteepest * x.errors[i] + u_ * std::fabs(out.values[i]) * (6 + 3 * std::fabs(t) * share);
    }
  }

  void MeanPool(const Tensor& x, Tensor& out) const {
    for (int64_t b = 0; b < out.rows(); ++b) {
      const SequenceEntry& sequence = sequences_[static_cast<size_t>(b)];
      const double n = sequence.length;
      for (int64_t j = 0; j < x.columns; ++j) {
        double error = 0, size = 0;
        for (int64_t i = 0; i < sequence.length; ++i) {
          error += x.error_row(sequence.first_token + i)[j];
          size += std::fabs(x.row(sequence.first_token + i)[j]);
        }
        out.errors[At(out, b, j)] = (error + u_ * (std::sqrt(n) + 2) * size) / n;
      }
    }
  }

  const ir::Module& module_;
  const ir::WeightSource& weights_;
  const Noise noise_;
  const double u_;
  const std::vector<SequenceEntry> sequences_;
  std::map<ir::ValueId, Tensor> tensors_;
  Status failure_;
};

}  // namespace

Result<std::vector<double>> StandardErrors(const ir::Module& graph, const ir::WeightSource& weights,
                                           const ir::InterpreterInput& batch, const Noise& noise) {
  CHECK(graph.stage == ir::Stage::kGraph);
  Propagation propagation(graph, weights, batch, noise);
  ir::InterpreterInput input = batch;
  input.observe = [&](const ir::Op& op, std::span<const double> result) { propagation.Add(op, result); };
  ASSIGN_OR_RETURN([[maybe_unused]] const ir::InterpreterOutput output, ir::Interpret(graph, weights, input));
  const ir::Function& forward = graph.forward();
  return propagation.ErrorsOf(forward.op(forward.block(forward.body).ops.back()).operands[0]);
}

double InStandardErrors(const ir::InterpreterOutput& a, const ir::InterpreterOutput& b,
                        const std::vector<double>& errors) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (a.rows != b.rows || a.columns != b.columns || errors.size() != b.values.size()) return kInfinity;
  double worst = 0;
  for (int64_t row = 0; row < b.rows; ++row) {
    double difference = 0, error = 0;
    for (int64_t column = 0; column < b.columns; ++column) {
      const size_t i = static_cast<size_t>(row * b.columns + column);
      difference += Square(a.values[i] - b.values[i]);
      error += Square(errors[i]);
    }
    if (difference == 0) continue;
    const double ratio = std::sqrt(difference / error);
    if (std::isnan(ratio)) return kInfinity;
    worst = std::max(worst, ratio);
  }
  return worst;
}

}  // namespace ggufc::passes
