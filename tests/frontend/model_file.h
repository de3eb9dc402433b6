// A small valid model file whose keys and tensors a test can change before writing it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "frontend/gguf/gguf_writer.h"

namespace ggufc::frontend {

// A model of one layer whose weights are zeros.
struct ModelFile {
  struct TensorSpec {
    GgmlType type;
    std::vector<uint64_t> shape;
    // Bytes that replace zeros of the data, by offset.
    std::map<size_t, std::vector<uint8_t>> data = {};
  };
  using Value = std::variant<uint32_t, int32_t, uint64_t, float, double, bool, std::string,
                             std::vector<std::string>, std::vector<float>, std::vector<int32_t>>;
  std::string architecture = "gemma-embedding";
  // Without the prefix "gemma-embedding.".
  std::map<std::string, Value> keys = {
      {"block_count", 1u},
      {"embedding_length", 64u},
      {"feed_forward_length", 96u},
      {"context_length", 128u},
      {"attention.head_count", 4u},
      {"attention.head_count_kv", 2u},
      {"attention.key_length", 32u},
      {"attention.value_length", 32u},
      {"attention.layer_norm_rms_epsilon", 1e-6f},
      {"attention.sliding_window", 16u},
      {"rope.freq_base", 1e6f},
      {"pooling_type", 1u},
      {"dense_2_feat_in", 64u},
      {"dense_2_feat_out", 160u},
      {"dense_3_feat_in", 160u},
      {"dense_3_feat_out", 64u},
  };
  std::map<std::string, TensorSpec> tensors = {
      {"token_embd.weight", {GgmlType::Q8_0, {64, 300}}},
      {"output_norm.weight", {GgmlType::F32, {64}}},
      {"blk.0.attn_norm.weight", {GgmlType::F32, {64}}},
      {"blk.0.attn_q.weight", {GgmlType::Q8_0, {64, 128}}},
      {"blk.0.attn_k.weight", {GgmlType::F16, {64, 64}}},
      {"blk.0.attn_v.weight", {GgmlType::BF16, {64, 64}}},
      {"blk.0.attn_q_norm.weight", {GgmlType::F32, {32}}},
      {"blk.0.attn_k_norm.weight", {GgmlType::F32, {32}}},
      {"blk.0.attn_output.weight", {GgmlType::F32, {128, 64}}},
      {"blk.0.post_attention_norm.weight", {GgmlType::F32, {64}}},
      {"blk.0.ffn_norm.weight", {GgmlType::F32, {64}}},
      {"blk.0.ffn_gate.weight", {GgmlType::Q8_0, {64, 96}}},
      {"blk.0.ffn_up.weight", {GgmlType::Q8_0, {64, 96}}},
      {"blk.0.ffn_down.weight", {GgmlType::Q8_0, {96, 64}}},
      {"blk.0.post_ffw_norm.weight", {GgmlType::F32, {64}}},
      {"dense_2.weight", {GgmlType::Q8_0, {64, 160}}},
      {"dense_3.weight", {GgmlType::Q8_0, {160, 64}}},
  };
  std::map<std::string, Value> other_keys = {};
  std::optional<size_t> pieces = {};

  // Adds a vocabulary of `size` pieces; the first ones are <pad> <eos> <bos> <unk> a b ab.
  void AddVocabulary(size_t size = 300) {
    std::vector<std::string> tokens = {"<pad>", "<eos>", "<bos>", "<unk>", "a", "b", "ab"};
    std::vector<int32_t> types = {3, 3, 3, 2, 1, 1, 1};
    std::vector<float> scores;
    for (size_t i = tokens.size(); i < size; ++i) tokens.push_back("<unused" + std::to_string(i) + ">");
    tokens.resize(size);
    types.resize(size, 5);
    for (size_t i = 0; i < size; ++i) scores.push_back(-static_cast<float>(i));
    other_keys["tokenizer.ggml.model"] = "llama";
    other_keys["tokenizer.ggml.tokens"] = tokens;
    other_keys["tokenizer.ggml.scores"] = scores;
    other_keys["tokenizer.ggml.token_type"] = types;
    other_keys["tokenizer.ggml.bos_token_id"] = 2u;
    other_keys["tokenizer.ggml.eos_token_id"] = 1u;
    other_keys["tokenizer.ggml.unknown_token_id"] = 3u;
  }

  void Write(const std::string& path) const {
    Result<GgufWriter> writer = GgufWriter::Create(path);
    ASSERT_TRUE(writer);
    ASSERT_TRUE(writer->AddString("general.architecture", architecture));
    for (const auto& [name, value] : keys) Add(*writer, "gemma-embedding." + name, value);
    for (const auto& [name, value] : other_keys) Add(*writer, name, value);
    if (pieces) {
      ASSERT_TRUE(writer->AddStringArray("tokenizer.ggml.tokens", std::vector<std::string>(*pieces, "x")));
    }
    for (const auto& [name, tensor] : tensors)
      ASSERT_TRUE(writer->AddTensor(name, tensor.type, tensor.shape)) << name;
    for (const auto& [name, tensor] : tensors) {
      uint64_t elements = 1;
      for (const uint64_t dim : tensor.shape) elements *= dim;
      std::vector<uint8_t> data(elements / Traits(tensor.type).block_size * Traits(tensor.type).block_bytes);
      for (const auto& [at, bytes] : tensor.data) {
        ASSERT_LE(at + bytes.size(), data.size()) << name;
        std::copy(bytes.begin(), bytes.end(), data.begin() + static_cast<std::ptrdiff_t>(at));
      }
      ASSERT_TRUE(writer->WriteTensorData(name, data));
    }
    ASSERT_TRUE(writer->Finish());
  }

 private:
  static void Add(GgufWriter& writer, const std::string& key, const Value& value) {
    const Status added = std::visit(
        [&](const auto& v) -> Status {
          using T = std::decay_t<decltype(v)>;
          if constexpr (std::is_same_v<T, std::string>) {
            return writer.AddString(key, v);
          } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
            return writer.AddStringArray(key, v);
          } else if constexpr (std::is_arithmetic_v<T>) {
            return writer.Add<T>(key, v);
          } else {
            return writer.AddArray<typename T::value_type>(key, v);
          }
        },
        value);
    ASSERT_TRUE(added) << key;
  }
};

}  // namespace ggufc::frontend
