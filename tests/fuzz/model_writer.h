// Makes a GGUF file of the architecture gemma-embedding whose sizes and types come from input bytes. The weights are zeros.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "frontend/gguf/gguf_format.h"
#include "fuzz_target.h"

namespace ggufc::fuzz {

class ModelWriter {
 public:
  using GgmlType = frontend::GgmlType;
  using ValueType = frontend::ValueType;

  // The bytes of `input` after the choices change single bytes of the file.
  ModelWriter(Pieces& input, bool vocabulary) : input_(input), vocabulary_(vocabulary) {}

  std::string Write() {
    const uint32_t layers = 1 + input_.TakeBelow(3), dim = Size(), ffn = Size(),
                   kv_heads = 1 + input_.TakeBelow(4);
    const uint32_t heads = kv_heads * (1 + input_.TakeBelow(4)), head_dim = Size(),
                   vocab = 1 + input_.TakeBelow(40);
    const uint32_t dense = input_.TakeBool() ? Size() : 0;
    AddString("general.architecture", "gemma-embedding");
    Add("block_count", layers);
    Add("embedding_length", dim);
    Add("feed_forward_length", ffn);
    Add("context_length", input_.TakeOneOf({1u, 2u, 16u, 2048u, 131072u}));
    Add("attention.head_count", heads);
    Add("attention.head_count_kv", kv_heads);
    Add("attention.key_length", head_dim);
    Add("attention.sliding_window", input_.TakeOneOf({1u, 2u, 257u, 512u, 1u << 20}));
    Add("attention.layer_norm_rms_epsilon", input_.TakeOneOf({1e-6f, 1e-12f, 0.1f}));
    Add("rope.freq_base", input_.TakeOneOf({1e6f, 1.0f, 1e12f}));
    if (input_.TakeBool()) Add("attention.sliding_window_pattern", 1 + input_.TakeBelow(3));
    if (vocabulary_) AddVocabulary(vocab);

    AddTensor("token_embd.weight", {dim, vocab});
    AddTensor("output_norm.weight", {dim});
    for (uint32_t i = 0; i < layers; ++i) {
      const std::string layer = "blk." + std::to_string(i) + ".";
      for (const char* name : {"attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"})
        AddTensor(layer + name + ".weight", {dim});
      for (const char* name : {"attn_q_norm", "attn_k_norm"}) AddTensor(layer + name + ".weight", {head_dim});
      AddTensor(layer + "attn_q.weight", {dim, heads * head_dim});
      AddTensor(layer + "attn_k.weight", {dim, kv_heads * head_dim});
      AddTensor(layer + "attn_v.weight", {dim, kv_heads * head_dim});
      AddTensor(layer + "attn_output.weight", {heads * head_dim, dim});
      AddTensor(layer + "ffn_gate.weight", {dim, ffn});
      AddTensor(layer + "ffn_up.weight", {dim, ffn});
      AddTensor(layer + "ffn_down.weight", {ffn, dim});
    }
    if (dense != 0) {
      AddTensor("dense_2.weight", {dim, dense});
      AddTensor("dense_3.weight", {dense, dim});
    }
    std::string file = "GGUF";
    Put(file, uint32_t{3});
    Put(file, uint64_t{tensor_count_});
    Put(file, uint64_t{entry_count_});
    file += entries_ + tensors_;
    file.resize((file.size() + 31) / 32 * 32 + data_bytes_);
    while (!input_.empty()) {
      const auto at = input_.Take<uint32_t>();
      file[at % file.size()] = static_cast<char>(input_.Take<uint8_t>());
    }
    return file;
  }

 private:
  uint32_t Size() { return input_.TakeOneOf({1u, 2u, 3u, 16u, 31u, 32u, 33u, 48u, 64u, 96u, 100u, 128u}); }

  template <typename T>
  static void Put(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  static void PutText(std::string& out, std::string_view text) {
    Put(out, uint64_t{text.size()});
    out += text;
  }
  template <typename T>
  void Add(const std::string& key, T value) {
    PutText(entries_, "gemma-embedding." + key);
    Put(entries_, frontend::ValueTypeOf<T>());
    Put(entries_, value);
    ++entry_count_;
  }
  void AddString(std::string_view key, std::string_view value) {
    PutText(entries_, key);
    Put(entries_, ValueType::kString);
    PutText(entries_, value);
    ++entry_count_;
  }
  void AddArray(std::string_view key, ValueType type, uint64_t count) {
    PutText(entries_, key);
    Put(entries_, ValueType::kArray);
    Put(entries_, type);
    Put(entries_, count);
    ++entry_count_;
  }
  void AddVocabulary(uint32_t vocab) {
    static constexpr std::string_view kPieces[] = {"<pad>",        "<eos>", "<bos>", "<unk>", "<0x0A>",
                                                   "\xe2\x96\x81", "t",     "e",     "te",    "xt"};
    static constexpr int32_t kTypes[] = {3, 3, 3, 2, 6, 1, 1, 1, 1, 4};
    AddString("tokenizer.ggml.model", "llama");
    AddArray("tokenizer.ggml.tokens", ValueType::kString, vocab);
    for (uint32_t i = 0; i < vocab; ++i) {
      PutText(entries_,
              i < std::size(kPieces) ? std::string(kPieces[i]) : "<unused" + std::to_string(i) + ">");
    }
    AddArray("tokenizer.ggml.scores", ValueType::kF32, vocab);
    for (uint32_t i = 0; i < vocab; ++i) Put(entries_, -static_cast<float>(i));
    AddArray("tokenizer.ggml.token_type", ValueType::kI32, vocab);
    for (uint32_t i = 0; i < vocab; ++i) Put(entries_, i < std::size(kTypes) ? kTypes[i] : 5);
    for (const char* key :
         {"tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id", "tokenizer.ggml.unknown_token_id"}) {
      PutText(entries_, key);
      Put(entries_, ValueType::kU32);
      Put(entries_, uint32_t{0});
      ++entry_count_;
    }
  }
  void AddTensor(const std::string& name, std::initializer_list<uint64_t> shape) {
    GgmlType type = shape.size() == 1
                        ? GgmlType::F32
                        : input_.TakeOneOf({GgmlType::Q8_0, GgmlType::F32, GgmlType::F16, GgmlType::BF16});
    if (*shape.begin() % 32 != 0 && type == GgmlType::Q8_0) type = GgmlType::F16;
    PutText(tensors_, name);
    Put(tensors_, static_cast<uint32_t>(shape.size()));
    uint64_t elements = 1;
    for (const uint64_t dim : shape) {
      Put(tensors_, dim);
      elements *= dim;
    }
    Put(tensors_, static_cast<uint32_t>(type));
    Put(tensors_, data_bytes_);
    const frontend::TypeTraits& traits = frontend::Traits(type);
    data_bytes_ += (elements / traits.block_size * traits.block_bytes + 31) / 32 * 32;
    ++tensor_count_;
  }

  Pieces& input_;
  bool vocabulary_;
  std::string entries_, tensors_;
  uint64_t entry_count_ = 0, tensor_count_ = 0, data_bytes_ = 0;
};

}  // namespace ggufc::fuzz
