#include "frontend/synth.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <vector>

#include "frontend/arch/gemma_limits.h"
#include "frontend/gguf/gguf_writer.h"
#include "frontend/gguf/tensor_data.h"
#include "frontend/tokenizer/token_table.h"
#include "frontend/tokenizer/vocabulary.h"

namespace ggufc::frontend {
namespace {

// SplitMix64's output function: a bijection of 64 bits whose outputs pass BigCrush on consecutive inputs.
uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// Counter-based random numbers: Normal(i) depends on the key and i alone.
class Random {
 public:
  Random(uint64_t seed, std::string_view name) : key_(Mix(seed + 0x9e3779b97f4a7c15u)) {
    for (const char c : name) key_ = Mix(key_ ^ static_cast<unsigned char>(c));
  }

  uint64_t Bits(uint64_t i) const { return Mix(key_ + i * 0x9e3779b97f4a7c15u); }

  // Mean 0, variance 1: the sum of four uniform 16-bit numbers, whose variance is 4 * (2^32 - 1) / 12.
  float Normal(uint64_t i) const {
    const uint64_t bits = Bits(i);
    const auto sum = static_cast<int32_t>((bits & 0xffffu) + ((bits >> 16) & 0xffffu) +
                                          ((bits >> 32) & 0xffffu) + (bits >> 48));
    return static_cast<float>(sum - 2 * 65535) * (1.7320508f / 65536.0f);
  }

 private:
  uint64_t key_;
};

enum class Role : uint8_t { kMatrix, kGain, kStreamGain };

struct TensorPlan {
  std::string name;
  Role role;
  std::vector<uint64_t> shape;
};

// All tensors in the order of writing, which is that of converted files.
std::vector<TensorPlan> PlanTensors(const SynthOptions& o) {
  const uint64_t q = uint64_t{o.heads} * o.head_dim;
  const uint64_t kv = uint64_t{o.kv_heads} * o.head_dim;
  std::vector<TensorPlan> plan;
  const auto matrix = [&](std::string name, uint64_t in, uint64_t out) {
    plan.push_back({std::move(name), Role::kMatrix, {in, out}});
  };
  const auto vector = [&](std::string name, uint64_t size, Role role = Role::kGain) {
    plan.push_back({std::move(name), role, {size}});
  };
  matrix("token_embd.weight", o.dim, o.vocab);
  vector("output_norm.weight", o.dim);
  for (uint32_t i = 0; i < o.layers; ++i) {
    const std::string layer = fmt::format("blk.{}.", i);
    vector(layer + "attn_norm.weight", o.dim);
    matrix(layer + "attn_q.weight", o.dim, q);
    matrix(layer + "attn_k.weight", o.dim, kv);
    matrix(layer + "attn_v.weight", o.dim, kv);
    vector(layer + "attn_q_norm.weight", o.head_dim);
    vector(layer + "attn_k_norm.weight", o.head_dim);
    matrix(layer + "attn_output.weight", q, o.dim);
    vector(layer + "post_attention_norm.weight", o.dim, Role::kStreamGain);
    vector(layer + "ffn_norm.weight", o.dim);
    matrix(layer + "ffn_gate.weight", o.dim, o.ffn);
    matrix(layer + "ffn_up.weight", o.dim, o.ffn);
    matrix(layer + "ffn_down.weight", o.ffn, o.dim);
    vector(layer + "post_ffw_norm.weight", o.dim, Role::kStreamGain);
  }
  if (o.dense != 0) {
    matrix("dense_2.weight", o.dim, o.dense);
    matrix("dense_3.weight", o.dense, o.dim);
  }
  return plan;
}

Status CheckRange(std::string_view name, uint64_t value, uint64_t least, uint64_t most) {
  if (value >= least && value <= most) return {};
  return Err("synthetic model: {} is {} ({} to {} are allowed)", name, value, least, most);
}

Status CheckOptions(const SynthOptions& o) {
  RETURN_IF_ERROR(CheckRange("layers", o.layers, 1, kMaxLayers));
  RETURN_IF_ERROR(CheckRange("dim", o.dim, 1, kMaxDim));
  RETURN_IF_ERROR(CheckRange("heads", o.heads, 1, kMaxHeads));
  RETURN_IF_ERROR(CheckRange("kv-heads", o.kv_heads, 1, o.heads));
  RETURN_IF_ERROR(CheckRange("head-dim", o.head_dim, 2, kMaxHeadDim));
  RETURN_IF_ERROR(CheckRange("ffn", o.ffn, 1, kMaxFfn));
  RETURN_IF_ERROR(CheckRange("vocab", o.vocab, 1, kMaxVocabulary));
  RETURN_IF_ERROR(CheckRange("window", o.window, 1, kMaxWindow));
  RETURN_IF_ERROR(CheckRange("context", o.context, 1, kMaxContext));
  RETURN_IF_ERROR(CheckRange("dense", o.dense, 0, kMaxDenseWidth));
  if (o.heads % o.kv_heads != 0) {
    return Err("synthetic model: {} heads are no multiple of {} kv-heads", o.heads, o.kv_heads);
  }
  if (o.head_dim % 2 != 0) return Err("synthetic model: head-dim {} is odd", o.head_dim);
  RETURN_IF_ERROR(CheckRange("heads * head-dim", uint64_t{o.heads} * o.head_dim, 2, kMaxProjection));
  RETURN_IF_ERROR(CheckRange("context * head-dim", uint64_t{o.context} * o.head_dim, 2, kMaxRotations));
  RETURN_IF_ERROR(
      CheckRange("heads / kv-heads * context", uint64_t{o.heads / o.kv_heads} * o.context, 1, kMaxScores));
  // At this limit the squares of a row still sum to far less than the f32 maximum. The negated condition also refuses NaN.
  constexpr float kMostGain = 1e6f;
  if (!(o.outlier_gain > 0 && o.outlier_gain <= kMostGain)) {
    return Err("synthetic model: the outlier gain is {} (a positive number up to {} is expected)",
               o.outlier_gain, kMostGain);
  }
  const uint64_t block = Traits(o.type).block_size;
  for (const auto& [name, size] : {std::pair<std::string_view, uint64_t>{"dim", o.dim},
                                   {"heads * head-dim", uint64_t{o.heads} * o.head_dim},
                                   {"ffn", o.ffn},
                                   {"dense", o.dense}}) {
    if (size % block != 0) {
      return Err("synthetic model: {} is {} (type {} needs a multiple of {})", name, size,
                 Traits(o.type).name, block);
    }
  }
  return {};
}

// The value of `general.file_type`, with llama.cpp's numbers.
uint32_t FileType(GgmlType type) {
  switch (type) {
    case GgmlType::F32:
      return 0;
    case GgmlType::F16:
      return 1;
    case GgmlType::Q8_0:
      return 7;
    case GgmlType::BF16:
      return 32;
  }
  return 0;
}

Status AddMetadata(const SynthOptions& o, const TokenTable& tokens, GgufWriter& writer) {
  constexpr std::string_view kArchitecture = "gemma-embedding";
  const auto u32 = [&](std::string_view key, uint32_t value) {
    return writer.Add<uint32_t>(fmt::format("{}.{}", kArchitecture, key), value);
  };
  const auto f32 = [&](std::string_view key, float value) {
    return writer.Add<float>(fmt::format("{}.{}", kArchitecture, key), value);
  };
  RETURN_IF_ERROR(writer.AddString("general.architecture", kArchitecture));
  RETURN_IF_ERROR(writer.AddString("general.name", "synthetic"));
  RETURN_IF_ERROR(u32("context_length", o.context));
  RETURN_IF_ERROR(u32("embedding_length", o.dim));
  RETURN_IF_ERROR(u32("block_count", o.layers));
  RETURN_IF_ERROR(u32("feed_forward_length", o.ffn));
  RETURN_IF_ERROR(u32("attention.head_count", o.heads));
  RETURN_IF_ERROR(u32("attention.head_count_kv", o.kv_heads));
  RETURN_IF_ERROR(u32("attention.key_length", o.head_dim));
  RETURN_IF_ERROR(u32("attention.value_length", o.head_dim));
  RETURN_IF_ERROR(f32("attention.layer_norm_rms_epsilon", 1e-6f));
  RETURN_IF_ERROR(f32("rope.freq_base", 1e6f));
  RETURN_IF_ERROR(u32("attention.sliding_window", o.window));
  RETURN_IF_ERROR(u32("pooling_type", 1));  // mean
  if (o.dense != 0) {
    RETURN_IF_ERROR(u32("dense_2_feat_in", o.dim));
    RETURN_IF_ERROR(u32("dense_2_feat_out", o.dense));
    RETURN_IF_ERROR(u32("dense_3_feat_in", o.dense));
    RETURN_IF_ERROR(u32("dense_3_feat_out", o.dim));
  }
  RETURN_IF_ERROR(writer.AddString("tokenizer.ggml.model", "llama"));
  RETURN_IF_ERROR(writer.AddString("tokenizer.ggml.pre", "default"));
  RETURN_IF_ERROR(writer.AddStringArray("tokenizer.ggml.tokens", tokens.pieces));
  RETURN_IF_ERROR(writer.AddArray<float>("tokenizer.ggml.scores", tokens.scores));
  RETURN_IF_ERROR(writer.AddArray<int32_t>("tokenizer.ggml.token_type", tokens.types));
  RETURN_IF_ERROR(writer.Add<uint32_t>("tokenizer.ggml.bos_token_id", tokens.bos));
  RETURN_IF_ERROR(writer.Add<uint32_t>("tokenizer.ggml.eos_token_id", tokens.eos));
  RETURN_IF_ERROR(writer.Add<uint32_t>("tokenizer.ggml.unknown_token_id", tokens.unknown));
  if (tokens.padding)
    RETURN_IF_ERROR(writer.Add<uint32_t>("tokenizer.ggml.padding_token_id", *tokens.padding));
  RETURN_IF_ERROR(writer.Add<bool>("tokenizer.ggml.add_bos_token", true));
  RETURN_IF_ERROR(writer.Add<bool>("tokenizer.ggml.add_eos_token", true));
  RETURN_IF_ERROR(writer.Add<bool>("tokenizer.ggml.add_space_prefix", false));
  return writer.Add<uint32_t>("general.file_type", FileType(o.type));
}

// The outlier channels of the residual stream: one in 128, the same in every layer.
std::vector<bool> OutlierChannels(const SynthOptions& o) {
  std::vector<bool> outlier(o.dim);
  const Random random(o.seed, "outlier channels");
  for (uint32_t i = 0; i < std::max(1u, o.dim / 128); ++i) outlier[random.Bits(i) % o.dim] = true;
  return outlier;
}

// Fills `out` with values [begin, begin + out.size()) of the tensor.
void Generate(const SynthOptions& o, const TensorPlan& tensor, const std::vector<bool>& outlier,
              uint64_t begin, std::span<float> out) {
  const Random random(o.seed, tensor.name);
  if (tensor.role == Role::kMatrix) {
    const float scale = 1.0f / std::sqrt(static_cast<float>(tensor.shape[0]));
    for (size_t i = 0; i < out.size(); ++i) out[i] = random.Normal(begin + i) * scale;
    return;
  }
  for (size_t i = 0; i < out.size(); ++i) {
    // Gains are positive: the factor is 0.25 and Normal is above -3.5.
    const float gain = 1.0f + 0.25f * random.Normal(begin + i);
    out[i] = tensor.role == Role::kStreamGain && outlier[begin + i] ? gain * o.outlier_gain : gain;
  }
}

uint64_t Elements(const TensorPlan& tensor) {
  uint64_t elements = 1;
  for (const uint64_t dim : tensor.shape) elements *= dim;
  return elements;
}

}  // namespace

Status WriteSyntheticModel(const SynthOptions& options, const std::optional<std::string>& tokenizer_json_path,
                           const std::string& out, const SynthProgress& progress) {
  RETURN_IF_ERROR(CheckOptions(options));
  ASSIGN_OR_RETURN(const TokenTable tokens, tokenizer_json_path
                                                ? ReadTokenizerJson(*tokenizer_json_path, options.vocab)
                                                : BuiltinTokens(options.vocab));
  ASSIGN_OR_RETURN(GgufWriter writer, GgufWriter::Create(out));
  RETURN_IF_ERROR(AddMetadata(options, tokens, writer));
  const std::vector<TensorPlan> plan = PlanTensors(options);
  const auto type_of = [&](const TensorPlan& tensor) {
    return tensor.role == Role::kMatrix ? options.type : GgmlType::F32;
  };
  uint64_t total = 0;
  for (const TensorPlan& tensor : plan) {
    RETURN_IF_ERROR(writer.AddTensor(tensor.name, type_of(tensor), tensor.shape));
    const TypeTraits& traits = Traits(type_of(tensor));
    total += Elements(tensor) / traits.block_size * traits.block_bytes;
  }

  const std::vector<bool> outlier = OutlierChannels(options);
  // A multiple of every block size; the floats and their encoding fit in L2.
  constexpr uint64_t kChunk = 32768;
  std::vector<float> values(kChunk);
  std::vector<uint8_t> encoded(kChunk * sizeof(float));
  uint64_t done = 0;
  for (const TensorPlan& tensor : plan) {
    const TypeTraits& traits = Traits(type_of(tensor));
    const uint64_t elements = Elements(tensor);
    for (uint64_t begin = 0; begin < elements; begin += kChunk) {
      const std::span<float> chunk = std::span(values).first(std::min(kChunk, elements - begin));
      Generate(options, tensor, outlier, begin, chunk);
      EncodeRow(type_of(tensor), chunk, encoded.data());
      const uint64_t bytes = chunk.size() / traits.block_size * traits.block_bytes;
      RETURN_IF_ERROR(writer.WriteTensorData(tensor.name, std::span(encoded).first(bytes)));
      done += bytes;
      if (progress) progress(done, total);
    }
  }
  return writer.Finish();
}

}  // namespace ggufc::frontend
