#include "frontend/arch/gemma_embedding.h"

#include <cmath>
#include <initializer_list>
#include <unordered_set>

#include "frontend/arch/gemma_limits.h"
#include "frontend/tokenizer/vocabulary.h"
#include "ir/core/builder.h"
#include "support/check.h"
#include "support/text.h"

namespace ggufc::frontend {
namespace {

constexpr std::string_view kPrefix = "gemma-embedding.";

std::string Key(std::string_view name) { return std::string(kPrefix) + std::string(name); }

std::string LayerTensor(int64_t layer, std::string_view name) {
  return fmt::format("blk.{}.{}.weight", layer, name);
}

// ---- reading and checking --------------------------------------------------------------------------------

class ConfigReader {
 public:
  explicit ConfigReader(const GgufFile& file) : file_(file) {}

  Result<Hparams> Run() {
    config_.architecture = "gemma-embedding";
    RETURN_IF_ERROR(ReadSizes());
    RETURN_IF_ERROR(ReadRope());
    RETURN_IF_ERROR(RefuseOtherModels());
    RETURN_IF_ERROR(CheckBaseTensors());
    RETURN_IF_ERROR(CheckLayerTensors());
    RETURN_IF_ERROR(ReadDense());
    Warn();
    return std::move(config_);
  }

 private:
  Result<int64_t> Count(std::string_view name, int64_t least, int64_t most) const {
    ASSIGN_OR_RETURN(const int64_t value, file_.GetI64(Key(name)));
    if (value < least || value > most) {
      return Err("{}: key '{}': {} ({} to {} are allowed)", file_.path(), Key(name), value, least, most);
    }
    return value;
  }

  Result<double> Number(std::string_view name, double least, double most) const {
    ASSIGN_OR_RETURN(const float value, file_.GetF32(Key(name)));
    // Compare with the limits rounded to f32, the type in the file. The negated condition also refuses NaN.
    if (!(value >= static_cast<float>(least) && value <= static_cast<float>(most))) {
      return Err("{}: key '{}': {} ({} to {} are allowed)", file_.path(), Key(name), value, least, most);
    }
    return value;
  }

  // Checks an optional key that has only one supported value.
  Status MustBe(std::string_view name, int64_t expected) const {
    if (!file_.Has(Key(name))) return {};
    ASSIGN_OR_RETURN(const int64_t value, file_.GetI64(Key(name)));
    if (value == expected) return {};
    return Err("{}: key '{}': {} ({} is expected)", file_.path(), Key(name), value, expected);
  }

  // Checks that `value`, the value of key `name`, times head_dim is at most `most`.
  Status CheckProduct(std::string_view name, int64_t value, int64_t most) const {
    if (value * config_.head_dim <= most) return {};
    return Err("{}: key '{}': {} times {} of key '{}' is {} ({} is allowed)", file_.path(), Key(name), value,
               config_.head_dim, Key("attention.key_length"), value * config_.head_dim, most);
  }

  Status ReadSizes() {
    ASSIGN_OR_RETURN(config_.layers, Count("block_count", 1, kMaxLayers));
    ASSIGN_OR_RETURN(config_.dim, Count("embedding_length", 1, kMaxDim));
    ASSIGN_OR_RETURN(config_.heads, Count("attention.head_count", 1, kMaxHeads));
    ASSIGN_OR_RETURN(config_.kv_heads, Count("attention.head_count_kv", 1, config_.heads));
    ASSIGN_OR_RETURN(config_.head_dim, Count("attention.key_length", 2, kMaxHeadDim));
    ASSIGN_OR_RETURN(config_.ffn, Count("feed_forward_length", 1, kMaxFfn));
    ASSIGN_OR_RETURN(config_.context_length, Count("context_length", 1, kMaxContext));
    ASSIGN_OR_RETURN(config_.window, Count("attention.sliding_window", 1, kMaxWindow));
    ASSIGN_OR_RETURN(config_.rms_eps, Number("attention.layer_norm_rms_epsilon", kLeastEps, kMostEps));
    if (config_.heads % config_.kv_heads != 0) {
      return Err("{}: key '{}': {} heads are no multiple of the {} key and value heads", file_.path(),
                 Key("attention.head_count"), config_.heads, config_.kv_heads);
    }
    if (config_.head_dim % 2 != 0) {
      return Err("{}: key '{}': {} (an even number is expected)", file_.path(), Key("attention.key_length"),
                 config_.head_dim);
    }
    RETURN_IF_ERROR(CheckProduct("attention.head_count", config_.heads, kMaxProjection));
    RETURN_IF_ERROR(CheckProduct("context_length", config_.context_length, kMaxRotations));
    const int64_t group = config_.heads / config_.kv_heads;
    if (group * config_.context_length > kMaxScores) {
      return Err(
          "{}: key '{}': {} heads to each of {} of key '{}', times {} of key '{}', is {} ({} is allowed)",
          file_.path(), Key("attention.head_count"), group, config_.kv_heads, Key("attention.head_count_kv"),
          config_.context_length, Key("context_length"), group * config_.context_length, kMaxScores);
    }
    RETURN_IF_ERROR(MustBe("attention.value_length", config_.head_dim));
    config_.global_every = 6;
    if (file_.Has(Key("attention.sliding_window_pattern"))) {
      ASSIGN_OR_RETURN(config_.global_every, Count("attention.sliding_window_pattern", 1, kMaxPattern));
    }
    return {};
  }

  Status ReadRope() {
    ASSIGN_OR_RETURN(config_.rope_theta_global, Number("rope.freq_base", kLeastTheta, kMostTheta));
    config_.rope_theta_local = 10000;
    if (file_.Has(Key("rope.freq_base_swa"))) {
      ASSIGN_OR_RETURN(config_.rope_theta_local, Number("rope.freq_base_swa", kLeastTheta, kMostTheta));
    }
    return MustBe("rope.dimension_count", config_.head_dim);
  }

  // Refuses keys that change the computation in a way that is not implemented.
  Status RefuseOtherModels() const {
    RETURN_IF_ERROR(MustBe("pooling_type", 1));  // llama.cpp's number for the mean
    ASSIGN_OR_RETURN(const bool causal, file_.GetBoolOr(Key("attention.causal"), false));
    if (causal) return Err("{}: key '{}': true (false is expected)", file_.path(), Key("attention.causal"));
    ASSIGN_OR_RETURN(const std::string_view scaling, file_.GetStringOr(Key("rope.scaling.type"), "none"));
    if (scaling != "none") {
      return Err("{}: key '{}': {} ('none' is expected)", file_.path(), Key("rope.scaling.type"),
                 Quoted(scaling));
    }
    ASSIGN_OR_RETURN(const float softcap, file_.GetF32Or(Key("attn_logit_softcapping"), 0.0f));
    if (softcap != 0.0f) {
      return Err("{}: key '{}': {} (0 is expected)", file_.path(), Key("attn_logit_softcapping"), softcap);
    }
    return {};
  }

  Status CheckTensor(const std::string& name, std::initializer_list<int64_t> shape) {
    ASSIGN_OR_RETURN(const Tensor* tensor, file_.GetTensor(name));
    known_.insert(tensor->name);
    const std::vector<uint64_t> expected(shape.begin(), shape.end());
    if (!std::equal(expected.begin(), expected.end(), tensor->shape().begin(), tensor->shape().end())) {
      return Err("{}: tensor {} has shape {} ({} is expected)", file_.path(), Quoted(name),
                 ShapeText(tensor->shape()), ShapeText(expected));
    }
    if (!IsSupportedType(tensor->type)) {
      if (config_.unsupported.empty()) {
        config_.unsupported = fmt::format("tensor {} holds {}", Quoted(name), TypeName(tensor->type));
      }
    } else if (shape.size() == 1 && tensor->type != GgmlType::F32) {
      return Err("{}: tensor {} is of type {} (f32 is expected)", file_.path(), Quoted(name),
                 TypeName(tensor->type));
    }
    return {};
  }

  Status CheckBaseTensors() {
    // The number of rows of the embedding table is the size of the vocabulary; the tokenizer's arrays must agree.
    ASSIGN_OR_RETURN(const Tensor* table, file_.GetTensor("token_embd.weight"));
    const uint64_t rows = table->rank == 2 ? table->dims[1] : 0;
    if (rows < 1 || rows > kMaxVocabulary) {
      return Err("{}: tensor 'token_embd.weight' has shape {} (a matrix of 1 to {} rows is expected)",
                 file_.path(), ShapeText(table->shape()), kMaxVocabulary);
    }
    config_.vocab = static_cast<int64_t>(rows);
    RETURN_IF_ERROR(CheckTensor("token_embd.weight", {config_.dim, config_.vocab}));
    constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
    if (const MetadataEntry* tokens = file_.Find(kTokens); tokens != nullptr && tokens->count != rows) {
      return Err("{}: key '{}': {} pieces, but tensor 'token_embd.weight' has {} rows", file_.path(), kTokens,
                 tokens->count, rows);
    }
    return CheckTensor("output_norm.weight", {config_.dim});
  }

  Status CheckLayerTensors() {
    const int64_t q = config_.heads * config_.head_dim;
    const int64_t kv = config_.kv_heads * config_.head_dim;
    for (int64_t i = 0; i < config_.layers; ++i) {
      RETURN_IF_ERROR(CheckTensor(LayerTensor(i, "attn_norm"), {config_.dim}));
      RETURN_IF_ERROR(CheckTensor(LayerTensor(i, "attn_q"), {config_.dim, q}));
      RETURN_IF_ERROR(CheckTensor(LayerTensor(i, "attn_k"), {config_.dim, kv}));
      RETURN_IF_ERROR(CheckTensor(LayerTensor(i, "attn_v"), {config_.dim, kv}));
      RETURN_IF_ERROR(CheckTensor(LayerTensor(i, "attn_q_norm"), {config_.head_dim}));
      RETURN_IF_ERROR(CheckTensor(LayerTensor(i, "attn_k_norm"), {config_.head_dim}));
      RETURN_IF_ERROR(CheckTensor(LayerTensor(i, "attn_output"), {q, config_.dim}));
      RETURN_IF_ERROR(CheckTensor(LayerTensor(i, "post_attention_norm"), {config_.dim}));
      RETURN_IF_ERROR(CheckTensor(LayerTensor(i, "ffn_norm"), {config_.dim}));
      RETURN_IF_ERROR(CheckTensor(LayerTensor(i, "ffn_gate"), {config_.dim, config_.ffn}));
      RETURN_IF_ERROR(CheckTensor(LayerTensor(i, "ffn_up"), {config_.dim, config_.ffn}));
      RETURN_IF_ERROR(CheckTensor(LayerTensor(i, "ffn_down"), {config_.ffn, config_.dim}));
      RETURN_IF_ERROR(CheckTensor(LayerTensor(i, "post_ffw_norm"), {config_.dim}));
    }
    return {};
  }

  // The widths of the dense modules come from the tensors; keys, if present, must agree.
  Status ReadDense() {
    config_.output_dim = config_.dim;
    const Tensor* first = file_.FindTensor("dense_2.weight");
    const Tensor* second = file_.FindTensor("dense_3.weight");
    if (first == nullptr && second == nullptr) {
      // Keys of dense modules without the tensors mean that the file is incomplete.
      for (const char* name : {"dense_2_feat_out", "dense_3_feat_out"}) {
        if (file_.Has(Key(name))) {
          return Err(
              "{}: key '{}' announces a dense module, but tensors 'dense_2.weight' and 'dense_3.weight' are "
              "missing",
              file_.path(), Key(name));
        }
      }
      return {};
    }
    if (first == nullptr || second == nullptr) {
      return Err("{}: tensor '{}' is missing beside '{}'", file_.path(),
                 first == nullptr ? "dense_2.weight" : "dense_3.weight",
                 first == nullptr ? "dense_3.weight" : "dense_2.weight");
    }
    ASSIGN_OR_RETURN(config_.dense_hidden, DenseWidth(*first));
    ASSIGN_OR_RETURN(config_.output_dim, DenseWidth(*second));
    RETURN_IF_ERROR(CheckTensor("dense_2.weight", {config_.dim, config_.dense_hidden}));
    RETURN_IF_ERROR(CheckTensor("dense_3.weight", {config_.dense_hidden, config_.output_dim}));
    RETURN_IF_ERROR(MustBe("dense_2_feat_in", config_.dim));
    RETURN_IF_ERROR(MustBe("dense_2_feat_out", config_.dense_hidden));
    RETURN_IF_ERROR(MustBe("dense_3_feat_in", config_.dense_hidden));
    return MustBe("dense_3_feat_out", config_.output_dim);
  }

  Result<int64_t> DenseWidth(const Tensor& tensor) const {
    const uint64_t width = tensor.rank == 2 ? tensor.dims[1] : 0;
    if (width >= 1 && width <= kMaxDenseWidth) return static_cast<int64_t>(width);
    return Err("{}: tensor {} has shape {} (a matrix of 1 to {} rows is expected)", file_.path(),
               Quoted(tensor.name), ShapeText(tensor.shape()), kMaxDenseWidth);
  }

  void Warn() {
    if (config_.dense_hidden == 0) {
      config_.warnings.push_back(
          "the file has no dense modules (dense_2, dense_3); its embeddings are not those of the full model");
    }
    if (config_.window == 257) {
      config_.warnings.push_back(fmt::format(
          "key '{}' is 257, which an early converter wrote for 512; the file should be converted again",
          Key("attention.sliding_window")));
    }
    std::string names;
    size_t extra = 0;
    constexpr size_t kNamed = 3;
    for (const Tensor& tensor : file_.tensors()) {
      if (known_.contains(tensor.name)) continue;
      if (++extra <= kNamed) names += (extra == 1 ? "" : ", ") + Quoted(tensor.name);
    }
    if (extra == 0) return;
    config_.warnings.push_back(
        fmt::format("{} tensors are not used: {}{}", extra, names, extra > kNamed ? ", ..." : ""));
  }

  const GgufFile& file_;
  Hparams config_;
  std::unordered_set<std::string_view> known_;
};

// ---- building --------------------------------------------------------------------------------------------

using ir::Attr;
using ir::AttrValue;
using ir::OpKind;
using ir::ValueId;

ir::Scalar ScalarOf(GgmlType type) {
  switch (type) {
    case GgmlType::F32:
      return ir::Scalar::kF32;
    case GgmlType::F16:
      return ir::Scalar::kF16;
    case GgmlType::BF16:
      return ir::Scalar::kBF16;
    case GgmlType::Q8_0:
      return ir::Scalar::kQ8_0;
  }
  CHECK(false, "tensor type {}", static_cast<uint32_t>(type));
  return ir::Scalar::kF32;
}

class GraphBuilder {
 public:
  GraphBuilder(const GgufFile& file, const Hparams& config, ir::Module& module)
      : file_(file), config_(config), builder_(module, AddForward(module)) {}

  void Build(const ImportOptions& options) {
    ir::Function& forward = builder_.function();
    const ValueId ids = forward.AddParam(ir::Type::Tensor(ir::Scalar::kI32, ir::Symbol::kT), "ids");
    ValueId x = builder_.Emit(OpKind::kEmbed, {ids, Weight("token_embd.weight")},
                              {AttrValue::Float(Attr::kScale, 1)});
    x = Scale(x, std::sqrt(static_cast<double>(config_.dim)));
    for (int64_t i = 0; i < config_.layers; ++i) {
      x = Add(x, Attention(i, x));
      x = Add(x, FeedForward(i, x));
    }
    ValueId e = builder_.Emit(OpKind::kMeanPool, {Norm(x, "output_norm.weight")});
    if (config_.dense_hidden != 0) e = Linear(Linear(e, "dense_2.weight"), "dense_3.weight");
    const int64_t dims = options.dims == 0 ? config_.output_dim : options.dims;
    if (dims != config_.output_dim) {
      e = builder_.Emit(OpKind::kSlice, {e},
                        {AttrValue::Int(Attr::kOffset, 0), AttrValue::Int(Attr::kSize, dims)});
    }
    if (options.normalize) e = builder_.Emit(OpKind::kL2Normalize, {e});
    builder_.Name(e, "embedding");
    builder_.function().result_types = {builder_.function().type(e)};
    builder_.Return({e});
  }

 private:
  static ir::FunctionId AddForward(ir::Module& module) {
    ir::Function forward;
    forward.name = "forward";
    return module.AddFunction(std::move(forward));
  }

  ValueId Weight(const std::string& name) {
    ir::Module& module = builder_.module();
    if (const auto known = module.FindWeight(name)) return builder_.Weight(*known);
    const Tensor* tensor = file_.FindTensor(name);
    CHECK(tensor != nullptr, "tensor {} was not checked by ReadHparams", name);
    // IR shapes are row-major: GGUF's first dimension, the contiguous one, comes last.
    ir::Weight weight;
    weight.name = name;
    const ir::Scalar scalar = ScalarOf(tensor->type);
    const auto columns = static_cast<int64_t>(tensor->dims[0]);
    weight.type = tensor->rank == 1
                      ? ir::Type::Tensor(scalar, columns)
                      : ir::Type::Tensor(scalar, static_cast<int64_t>(tensor->dims[1]), columns);
    return builder_.Weight(module.AddWeight(std::move(weight)));
  }

  ValueId Named(ValueId value, std::string name) {
    builder_.Name(value, std::move(name));
    return value;
  }

  ValueId Add(ValueId a, ValueId b) { return Named(builder_.Add(a, b), "x"); }
  ValueId Scale(ValueId x, double factor) {
    return builder_.Emit(OpKind::kScaleBy, {x}, {AttrValue::Float(Attr::kScale, factor)});
  }
  ValueId Linear(ValueId x, const std::string& weight) {
    return builder_.Emit(OpKind::kLinear, {x, Weight(weight)});
  }
  ValueId Norm(ValueId x, const std::string& gain) {
    return builder_.Emit(OpKind::kRmsNorm, {x, Weight(gain)},
                         {AttrValue::Float(Attr::kEps, config_.rms_eps)});
  }

  // A projection of `h` whose heads are normalised and then rotated by the tokens' positions.
  ValueId RotatedHeads(int64_t layer, ValueId h, std::string_view projection, std::string_view norm) {
    const ValueId x = Linear(h, LayerTensor(layer, projection));
    const ValueId n = builder_.Emit(
        OpKind::kRmsNorm, {x, Weight(LayerTensor(layer, norm))},
        {AttrValue::Float(Attr::kEps, config_.rms_eps), AttrValue::Int(Attr::kGroup, config_.head_dim)});
    return builder_.Emit(OpKind::kRope, {n},
                         {AttrValue::Float(Attr::kTheta, config_.ThetaOf(layer)),
                          AttrValue::Int(Attr::kHeadDim, config_.head_dim)});
  }

  ValueId Attention(int64_t layer, ValueId x) {
    const ValueId h = Named(Norm(x, LayerTensor(layer, "attn_norm")), "h");
    const ValueId q = Named(Scale(RotatedHeads(layer, h, "attn_q", "attn_q_norm"),
                                  1 / std::sqrt(static_cast<double>(config_.head_dim))),
                            "q");
    const ValueId k = Named(RotatedHeads(layer, h, "attn_k", "attn_k_norm"), "k");
    const ValueId v = Named(Linear(h, LayerTensor(layer, "attn_v")), "v");
    const ValueId a = builder_.Emit(
        OpKind::kAttention, {q, k, v},
        {AttrValue::Int(Attr::kHeads, config_.heads), AttrValue::Int(Attr::kKvHeads, config_.kv_heads),
         AttrValue::Int(Attr::kHeadDim, config_.head_dim),
         AttrValue::Int(Attr::kWindow, config_.IsGlobal(layer) ? 0 : config_.window)});
    return Norm(Linear(a, LayerTensor(layer, "attn_output")), LayerTensor(layer, "post_attention_norm"));
  }

  ValueId FeedForward(int64_t layer, ValueId x) {
    const ValueId h = Named(Norm(x, LayerTensor(layer, "ffn_norm")), "h");
    const ValueId gate = Named(Linear(h, LayerTensor(layer, "ffn_gate")), "gate");
    const ValueId up = Named(Linear(h, LayerTensor(layer, "ffn_up")), "up");
    const ValueId m = builder_.Mul(builder_.Emit(OpKind::kGelu, {gate}), up);
    return Norm(Linear(m, LayerTensor(layer, "ffn_down")), LayerTensor(layer, "post_ffw_norm"));
  }

  const GgufFile& file_;
  const Hparams& config_;
  ir::Builder builder_;
};

}  // namespace

Result<Hparams> ReadGemmaEmbeddingHparams(const GgufFile& file) { return ConfigReader(file).Run(); }

Result<ir::Module> ImportGemmaEmbedding(const GgufFile& file, const Hparams& config,
                                        const ImportOptions& options) {
  if (options.dims < 0 || options.dims > config.output_dim) {
    return Err("{}: {} dimensions are requested (1 to {} are allowed)", file.path(), options.dims,
               config.output_dim);
  }
  ir::Module module;
  module.name = "gemma_embedding";
  module.stage = ir::Stage::kGraph;
  GraphBuilder(file, config, module).Build(options);
  return module;
}

}  // namespace ggufc::frontend
