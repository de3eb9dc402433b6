// A fingerprint is of what decides the vectors: changes of a file that decide nothing leave it as it is, all others change it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>

#include "driver/fingerprint.h"
#include "gguf_editor.h"
#include "test_models.h"

namespace ggufc::testing {
namespace {

using frontend::ValueType;

const std::string kArch = "gemma-embedding.";

std::string FingerprintOf(const std::string& path, const driver::CompileOptions& options = {}) {
  const auto model = Value(driver::SourceModel::Open(path));
  return Value(driver::Fingerprint(*model, options));
}

// Of tiny-q8_0.gguf after `change`.
std::string FingerprintAfter(const std::function<void(GgufEditor&)>& change) {
  GgufEditor file(DataPath("tiny-q8_0.gguf"));
  change(file);
  const std::string path = fmt::format("{}/ggufc-meaning-{}.gguf", ::testing::TempDir(), getpid());
  file.Write(path);
  const std::string fingerprint = FingerprintOf(path);
  unlink(path.c_str());
  return fingerprint;
}

struct Change {
  const char* name;
  std::function<void(GgufEditor&)> apply;
};

template <typename From, typename To>
void Widen(GgufEditor& file) {
  for (GgufEditor::Key& key : file.keys) {
    if (key.type != frontend::ValueTypeOf<From>()) continue;
    From value;
    std::memcpy(&value, key.value.data(), sizeof(value));
    file.Set(key.name, static_cast<To>(value));
  }
}

// Element `index` of an array of 4-byte numbers; the type and the count of elements come first.
template <typename T>
T& Element(GgufEditor& file, const std::string& key, size_t index) {
  return reinterpret_cast<T*>(file.Find(key).value.data() + 12)[index];
}

const std::vector<Change>& Neutral() {
  static const std::vector<Change> changes = {
      {"nothing", [](GgufEditor&) {}},
      {"architecture last", [](GgufEditor& f) { std::ranges::rotate(f.keys, f.keys.begin() + 1); }},
      {"keys reversed", [](GgufEditor& f) { std::ranges::reverse(f.keys); }},
      {"tensors reversed", [](GgufEditor& f) { std::ranges::reverse(f.tensors); }},
      {"u32 as u64", [](GgufEditor& f) { Widen<uint32_t, uint64_t>(f); }},
      {"u32 as i32", [](GgufEditor& f) { Widen<uint32_t, int32_t>(f); }},
      {"u32 as i64", [](GgufEditor& f) { Widen<uint32_t, int64_t>(f); }},
      {"u32 as u16", [](GgufEditor& f) { Widen<uint32_t, uint16_t>(f); }},
      {"f32 as f64", [](GgufEditor& f) { Widen<float, double>(f); }},
      {"alignment 64",
       [](GgufEditor& f) {
         f.alignment = 64;
         f.Set("general.alignment", 64u);
       }},
      {"alignment 4096",
       [](GgufEditor& f) {
         f.alignment = 4096;
         f.Set("general.alignment", uint64_t{4096});
       }},
      {"unknown key", [](GgufEditor& f) { f.Set("some.key", 17u); }},
      {"unknown key of the architecture", [](GgufEditor& f) { f.Set(kArch + "unheard_of", 1.5f); }},
      {"name", [](GgufEditor& f) { f.Set("general.name", std::string("another")); }},
      {"no name", [](GgufEditor& f) { f.Remove("general.name"); }},
      {"description", [](GgufEditor& f) { f.Set("general.description", std::string("text")); }},
      {"licence", [](GgufEditor& f) { f.Set("general.license", std::string("gemma")); }},
      {"file type", [](GgufEditor& f) { f.Set("general.file_type", 2u); }},
      {"no file type", [](GgufEditor& f) { f.Remove("general.file_type"); }},
      {"quantization version", [](GgufEditor& f) { f.Set("general.quantization_version", 2u); }},
      {"padding token", [](GgufEditor& f) { f.Set("tokenizer.ggml.padding_token_id", 5u); }},
      {"chat template", [](GgufEditor& f) { f.Set("tokenizer.chat_template", std::string("{{ x }}")); }},
      {"default: not causal", [](GgufEditor& f) { f.Set(kArch + "attention.causal", false); }},
      {"default: window pattern",
       [](GgufEditor& f) { f.Set(kArch + "attention.sliding_window_pattern", 6u); }},
      {"default: local theta", [](GgufEditor& f) { f.Set(kArch + "rope.freq_base_swa", 10000.0f); }},
      {"default: pooling", [](GgufEditor& f) { f.Remove(kArch + "pooling_type"); }},
      {"width of a value", [](GgufEditor& f) { f.Remove(kArch + "attention.value_length"); }},
      {"unused tensor",
       [](GgufEditor& f) {
         f.tensors.push_back({"unused.weight", frontend::GgmlType::F32, {4}, std::vector<uint8_t>(16, 1)});
       }},
  };
  return changes;
}

const std::vector<Change>& Decisive() {
  static const std::vector<Change> changes = {
      {"first byte of the token table",
       [](GgufEditor& f) { f.FindTensor("token_embd.weight").data[0] ^= 1; }},
      {"last byte of the token table",
       [](GgufEditor& f) { f.FindTensor("token_embd.weight").data.back() ^= 1; }},
      {"a byte of a matrix", [](GgufEditor& f) { f.FindTensor("blk.3.attn_q.weight").data[77] ^= 1; }},
      {"last byte of a matrix",
       [](GgufEditor& f) { f.FindTensor("blk.6.ffn_down.weight").data.back() ^= 1; }},
      {"a norm gain", [](GgufEditor& f) { f.FindTensor("output_norm.weight").data[0] ^= 1; }},
      {"a dense module", [](GgufEditor& f) { f.FindTensor("dense_3.weight").data[5] ^= 1; }},
      {"k and v exchanged",
       [](GgufEditor& f) {
         std::swap(f.FindTensor("blk.0.attn_k.weight").data, f.FindTensor("blk.0.attn_v.weight").data);
       }},
      {"two layers exchanged",
       [](GgufEditor& f) {
         std::swap(f.FindTensor("blk.0.attn_q.weight").name, f.FindTensor("blk.1.attn_q.weight").name);
       }},
      {"epsilon", [](GgufEditor& f) { f.Set(kArch + "attention.layer_norm_rms_epsilon", 1e-5f); }},
      {"theta", [](GgufEditor& f) { f.Set(kArch + "rope.freq_base", 10000.0f); }},
      {"local theta", [](GgufEditor& f) { f.Set(kArch + "rope.freq_base_swa", 20000.0f); }},
      {"window", [](GgufEditor& f) { f.Set(kArch + "attention.sliding_window", 32u); }},
      {"window pattern", [](GgufEditor& f) { f.Set(kArch + "attention.sliding_window_pattern", 3u); }},
      {"context length", [](GgufEditor& f) { f.Set(kArch + "context_length", 256u); }},
      {"fewer layers", [](GgufEditor& f) { f.Set(kArch + "block_count", 6u); }},
      {"no dense modules",
       [](GgufEditor& f) {
         std::erase_if(f.tensors, [](const auto& tensor) { return tensor.name.starts_with("dense_"); });
         std::erase_if(f.keys, [](const auto& key) { return key.name.starts_with(kArch + "dense_"); });
       }},
      {"BOS", [](GgufEditor& f) { f.Set("tokenizer.ggml.bos_token_id", 1u); }},
      {"EOS", [](GgufEditor& f) { f.Set("tokenizer.ggml.eos_token_id", 2u); }},
      {"unknown token", [](GgufEditor& f) { f.Set("tokenizer.ggml.unknown_token_id", 0u); }},
      {"no BOS", [](GgufEditor& f) { f.Set("tokenizer.ggml.add_bos_token", false); }},
      {"no EOS", [](GgufEditor& f) { f.Set("tokenizer.ggml.add_eos_token", false); }},
      {"space prefix", [](GgufEditor& f) { f.Set("tokenizer.ggml.add_space_prefix", true); }},
      {"score", [](GgufEditor& f) { Element<float>(f, "tokenizer.ggml.scores", 400) -= 1e6f; }},
      {"token type", [](GgufEditor& f) { Element<int32_t>(f, "tokenizer.ggml.token_type", 400) = 4; }},
      {"piece", [](GgufEditor& f) { f.Find("tokenizer.ggml.tokens").value.back() = '~'; }},
  };
  return changes;
}

TEST(Meaning, WhatDecidesNothingLeavesTheFingerprint) {
  ASSERT_GE(Neutral().size(), 16u);
  const std::string expected = FingerprintOf(DataPath("tiny-q8_0.gguf"));
  for (const Change& change : Neutral()) EXPECT_EQ(FingerprintAfter(change.apply), expected) << change.name;
}

TEST(Meaning, WhatDecidesChangesTheFingerprint) {
  ASSERT_GE(Decisive().size(), 20u);
  std::map<std::string, std::string> seen = {{FingerprintOf(DataPath("tiny-q8_0.gguf")), "the file"}};
  const auto expect_new = [&](const std::string& fingerprint, const std::string& name) {
    const auto [at, fresh] = seen.emplace(fingerprint, name);
    EXPECT_TRUE(fresh) << name << " has the fingerprint of " << at->second;
  };
  for (const Change& change : Decisive()) expect_new(FingerprintAfter(change.apply), change.name);
  const std::string path = DataPath("tiny-q8_0.gguf");
  expect_new(FingerprintOf(path, {.dims = 64, .emit = {}}), "dims");
  expect_new(FingerprintOf(path, {.normalize = false, .emit = {}}), "not normalized");
  expect_new(FingerprintOf(path, {.activations = ir::Scalar::kQ8, .emit = {}}), "i8");
  expect_new(FingerprintOf(path, {.activations = ir::Scalar::kQ7, .emit = {}}), "i7");
}

TEST(Meaning, ActivationsCountWhereThereAreAny) {
  const std::string path = DataPath("tiny-f32.gguf");
  EXPECT_EQ(FingerprintOf(path), FingerprintOf(path, {.activations = ir::Scalar::kQ8, .emit = {}}));
  EXPECT_EQ(FingerprintOf(path), FingerprintOf(path, {.dims = 128, .emit = {}}))
      << "all of the dims there are";
}

}  // namespace
}  // namespace ggufc::testing
