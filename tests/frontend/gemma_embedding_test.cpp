// The import of gemma-embedding models: the graph computes the reference embeddings, and invalid models are refused.
#include "frontend/arch/gemma_embedding.h"

#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "ir/interpret/interpreter.h"
#include "ir/text/parser.h"
#include "ir/text/printer.h"
#include "ir/verify/verifier.h"
#include "model_file.h"
#include "test_files.h"
#include "test_paths.h"

namespace ggufc::frontend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Imported {
  GgufFile file;
  Hparams config;
  ir::Module module;
};

Imported ImportGolden(const std::string& name, const ImportOptions& options = {}) {
  Result<GgufFile> file = GgufFile::Open(DataPath(name));
  EXPECT_TRUE(file);
  Result<Hparams> config = ReadHparams(*file);
  EXPECT_TRUE(config) << config.error().message;
  Result<ir::Module> module = ImportModel(*file, *config, options);
  EXPECT_TRUE(module) << module.error().message;
  return {std::move(*file), std::move(*config), std::move(*module)};
}

std::vector<double> Embed(const Imported& model, const std::vector<std::vector<int32_t>>& texts) {
  ir::InterpreterInput input;
  for (const auto& ids : texts) {
    input.ids.insert(input.ids.end(), ids.begin(), ids.end());
    input.lengths.push_back(static_cast<int32_t>(ids.size()));
  }
  const Result<ir::InterpreterOutput> output = ir::Interpret(model.module, FileWeights(model.file), input);
  EXPECT_TRUE(output) << output.error().message;
  return output ? output->values : std::vector<double>();
}

class GoldenModel : public ::testing::TestWithParam<const char*> {};

// The references are computed in double precision and printed with nine digits: half a unit of the last digit is 5e-10.
TEST_P(GoldenModel, ComputesTheReferenceEmbeddings) {
  const Imported model = ImportGolden(GetParam());
  std::ifstream stream(DataPath("embeddings.json"));
  const nlohmann::json references = nlohmann::json::parse(stream);
  int compared = 0;
  for (const auto& reference : references) {
    if (reference["model"] != GetParam()) continue;
    const auto expected = reference["embedding"].get<std::vector<double>>();
    const std::vector<double> actual = Embed(model, {reference["ids"].get<std::vector<int32_t>>()});
    ASSERT_EQ(actual.size(), expected.size());
    double worst = 0;
    for (size_t i = 0; i < actual.size(); ++i) worst = std::max(worst, std::fabs(actual[i] - expected[i]));
    EXPECT_LT(worst, 6e-10) << reference["ids"].size() << " tokens";
    ++compared;
  }
  EXPECT_EQ(compared, 12);
}

TEST_P(GoldenModel, PrintsParsesAndVerifies) {
  const Imported model = ImportGolden(GetParam());
  const Status verified = ir::Verify(model.module);
  ASSERT_TRUE(verified) << verified.error().message;
  const std::string text = ir::Print(model.module);
  const Result<ir::Module> parsed = ir::Parse(text, "model.tir");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(ir::Print(*parsed), text);
}

INSTANTIATE_TEST_SUITE_P(All, GoldenModel,
                         ::testing::Values("tiny-f32.gguf", "tiny-f16.gguf", "tiny-bf16.gguf",
                                           "tiny-q8_0.gguf", "tiny-nodense.gguf"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name)
                             c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
                           return name;
                         });

TEST(GemmaEmbedding, ConfigOfTheGoldenFiles) {
  const Imported dense = ImportGolden("tiny-q8_0.gguf");
  EXPECT_EQ(dense.config.architecture, "gemma-embedding");
  EXPECT_EQ(dense.config.layers, 7);
  EXPECT_EQ(dense.config.dim, 128);
  EXPECT_EQ(dense.config.heads, 4);
  EXPECT_EQ(dense.config.kv_heads, 2);
  EXPECT_EQ(dense.config.head_dim, 32);
  EXPECT_EQ(dense.config.ffn, 160);
  EXPECT_EQ(dense.config.window, 16);
  EXPECT_EQ(dense.config.context_length, 512);
  EXPECT_EQ(dense.config.vocab, 640);
  EXPECT_EQ(dense.config.rms_eps, static_cast<double>(1e-6f));
  EXPECT_EQ(dense.config.rope_theta_global, 1e6);
  EXPECT_EQ(dense.config.rope_theta_local, 1e4);
  EXPECT_EQ(dense.config.dense_hidden, 192);
  EXPECT_EQ(dense.config.output_dim, 128);
  EXPECT_THAT(dense.config.warnings, IsEmpty());
  EXPECT_EQ(dense.module.weights.size(), 95u);

  const Imported bare = ImportGolden("tiny-nodense.gguf");
  EXPECT_EQ(bare.config.dense_hidden, 0);
  EXPECT_EQ(bare.config.output_dim, 96);
  EXPECT_THAT(bare.config.warnings, ElementsAre(HasSubstr("no dense modules")));
  EXPECT_EQ(bare.module.weights.size(), 80u);
}

TEST(GemmaEmbedding, EverySixthLayerIsGlobal) {
  const Imported model = ImportGolden("tiny-f32.gguf");
  const ir::Function& forward = model.module.forward();
  std::vector<int64_t> windows;
  std::vector<double> thetas;
  for (const ir::OpId id : forward.block(forward.body).ops) {
    const ir::Op& op = forward.op(id);
    if (op.kind == ir::OpKind::kAttention) windows.push_back(op.Int(ir::Attr::kWindow));
    if (op.kind == ir::OpKind::kRope) thetas.push_back(op.Float(ir::Attr::kTheta));
  }
  EXPECT_THAT(windows, ElementsAre(16, 16, 16, 16, 16, 0, 16));
  EXPECT_THAT(thetas, ElementsAre(1e4, 1e4, 1e4, 1e4, 1e4, 1e4, 1e4, 1e4, 1e4, 1e4, 1e6, 1e6, 1e4, 1e4));
}

TEST(GemmaEmbedding, TruncatesAndNormalizes) {
  const std::vector<std::vector<int32_t>> texts = {{2, 300, 301, 1}, {2, 400, 1}};
  const Imported whole = ImportGolden("tiny-f32.gguf", {.dims = 0, .normalize = false});
  const std::vector<double> raw = Embed(whole, texts);
  ASSERT_EQ(raw.size(), 256u);
  const Imported cut = ImportGolden("tiny-f32.gguf", {.dims = 40});
  const std::vector<double> short_ones = Embed(cut, texts);
  ASSERT_EQ(short_ones.size(), 80u);
  for (size_t text = 0; text < 2; ++text) {
    double norm = 0;
    for (size_t i = 0; i < 40; ++i) norm += raw[text * 128 + i] * raw[text * 128 + i];
    for (size_t i = 0; i < 40; ++i) {
      EXPECT_NEAR(short_ones[text * 40 + i], raw[text * 128 + i] / std::sqrt(norm), 1e-12);
    }
  }
  for (const int64_t dims : {int64_t{-1}, int64_t{129}}) {
    const Result<ir::Module> module = ImportModel(whole.file, whole.config, {.dims = dims});
    ASSERT_FALSE(module);
    EXPECT_THAT(module.error().message,
                HasSubstr(fmt::format("{} dimensions are requested (1 to 128 are allowed)", dims)));
  }
}

// The warnings of importing a changed model, one per line, or the error without "PATH: ".
std::string ImportMessage(const std::function<void(ModelFile&)>& change) {
  const TempDirectory directory;
  const std::string path = directory.File("m.gguf");
  ModelFile model;
  change(model);
  model.Write(path);
  const Result<GgufFile> file = GgufFile::Open(path);
  EXPECT_TRUE(file) << file.error().message;
  const Result<Hparams> config = ReadHparams(*file);
  if (!config) {
    EXPECT_THAT(config.error().message, ::testing::StartsWith(path + ": "));
    return config.error().message.substr(path.size() + 2);
  }
  const Result<ir::Module> module = ImportModel(*file, *config);
  if (!module) {
    EXPECT_THAT(module.error().message, ::testing::StartsWith(path + ": "));
    return module.error().message.substr(path.size() + 2);
  }
  const Status verified = ir::Verify(*module);
  EXPECT_TRUE(verified) << verified.error().message;
  return fmt::format("{}", fmt::join(config->warnings, "\n"));
}

using M = ModelFile;

TEST(GemmaEmbedding, AcceptsVariants) {
  EXPECT_EQ(ImportMessage([](M&) {}), "");
  EXPECT_EQ(ImportMessage([](M& m) { m.keys["rope.freq_base_swa"] = 5e3f; }), "");
  EXPECT_EQ(ImportMessage([](M& m) { m.keys["attention.sliding_window_pattern"] = 1u; }), "");
  EXPECT_EQ(ImportMessage([](M& m) { m.keys["block_count"] = int32_t{1}; }), "");
  EXPECT_EQ(ImportMessage([](M& m) { m.keys["rope.scaling.type"] = "none"; }), "");
  EXPECT_EQ(ImportMessage([](M& m) { m.keys["attention.causal"] = false; }), "");
  EXPECT_EQ(ImportMessage([](M& m) { m.pieces = 300; }), "");
  EXPECT_EQ(ImportMessage([](M& m) {
              for (const char* key : {"pooling_type", "attention.value_length", "dense_2_feat_in",
                                      "dense_2_feat_out", "dense_3_feat_in", "dense_3_feat_out"}) {
                m.keys.erase(key);
              }
            }),
            "");
}

TEST(GemmaEmbedding, Warns) {
  EXPECT_THAT(ImportMessage([](M& m) { m.keys["attention.sliding_window"] = 257u; }),
              HasSubstr("key 'gemma-embedding.attention.sliding_window' is 257"));
  EXPECT_EQ(ImportMessage([](M& m) {
              for (int i = 0; i < 5; ++i) m.tensors[fmt::format("extra.{}", i)] = {GgmlType::F32, {1}};
            }),
            "5 tensors are not used: 'extra.0', 'extra.1', 'extra.2', ...");
  EXPECT_EQ(ImportMessage([](M& m) { m.tensors["blk.1.attn_q.weight"] = {GgmlType::F32, {1}}; }),
            "1 tensors are not used: 'blk.1.attn_q.weight'");
  EXPECT_THAT(ImportMessage([](M& m) {
                m.tensors.erase("dense_2.weight");
                m.tensors.erase("dense_3.weight");
                m.keys.erase("dense_2_feat_out");
                m.keys.erase("dense_3_feat_out");
              }),
              HasSubstr("no dense modules"));
}

// A type matters only where the tensor is used, and there it names the tensor.
TEST(GemmaEmbedding, TypesThatAreNotSupported) {
  const auto q4_0 = static_cast<GgmlType>(2), i8 = static_cast<GgmlType>(24);
  EXPECT_EQ(ImportMessage([&](M& m) { m.tensors["extra"] = {q4_0, {64}}; }), "1 tensors are not used: 'extra'");
  const char* const supported = " (f32, f16, bf16 and q8_0 are supported)";
  EXPECT_EQ(ImportMessage([&](M& m) {
              m.tensors["blk.0.attn_q.weight"].type = q4_0;
              m.tensors["dense_3.weight"].type = i8;
            }),
            std::string("tensor 'blk.0.attn_q.weight' holds q4_0") + supported);
  EXPECT_EQ(ImportMessage([&](M& m) { m.tensors["dense_3.weight"].type = i8; }),
            std::string("tensor 'dense_3.weight' holds i8") + supported);
  EXPECT_EQ(ImportMessage([&](M& m) { m.tensors["token_embd.weight"].type = q4_0; }),
            std::string("tensor 'token_embd.weight' holds q4_0") + supported);
  EXPECT_EQ(ImportMessage([&](M& m) { m.tensors["output_norm.weight"].type = i8; }),
            std::string("tensor 'output_norm.weight' holds i8") + supported);
  EXPECT_EQ(ImportMessage([&](M& m) { m.tensors["blk.0.attn_q.weight"] = {q4_0, {64, 64}}; }),
            "tensor 'blk.0.attn_q.weight' has shape [64,64] ([64,128] is expected)");
}

TEST(GemmaEmbedding, OtherKindsOfFilesAreNamed) {
  const auto of_type = [](const char* type) {
    return ImportMessage([=](M& m) { m.other_keys["general.type"] = type; });
  };
  EXPECT_EQ(of_type("model"), "");
  EXPECT_EQ(of_type("adapter"),
            "key 'general.type': 'adapter': the file is an adapter (LoRA), which changes another file's "
            "model, not a "
            "model");
  EXPECT_EQ(
      of_type("mmproj"),
      "key 'general.type': 'mmproj': the file is a multimodal projector, which adds images or sound to a "
      "language model, not a model");
  EXPECT_THAT(of_type("imatrix"), HasSubstr("the file is an importance matrix"));
  EXPECT_EQ(of_type("vocab"), "key 'general.type': 'vocab' ('model' is expected)");
  EXPECT_EQ(ImportMessage([](M& m) { m.other_keys["general.type"] = 1u; }),
            "key 'general.type' is of type u32 (string is expected)");
  EXPECT_THAT(ImportMessage([](M& m) { m.architecture = "clip"; }),
              HasSubstr("key 'general.architecture': 'clip': the file is a multimodal projector"));
}

TEST(GemmaEmbedding, Refuses) {
  struct Case {
    std::function<void(M&)> change;
    const char* message;
  };
  const auto key = [](std::string name, ModelFile::Value value) {
    return [name = std::move(name), value = std::move(value)](M& m) { m.keys[name] = value; };
  };
  const auto no_key = [](std::string name) { return [name = std::move(name)](M& m) { m.keys.erase(name); }; };
  const auto no_tensor = [](std::string name) {
    return [name = std::move(name)](M& m) { m.tensors.erase(name); };
  };
  const auto tensor = [](std::string name, GgmlType type, std::vector<uint64_t> shape) {
    return [=](M& m) { m.tensors[name] = {type, shape}; };
  };
  const float nan = std::nanf("");
  const Case cases[] = {
      {[](M& m) { m.architecture = "llama"; },
       "key 'general.architecture': 'llama' is not supported (known: gemma-embedding)"},
      {no_key("block_count"), "key 'gemma-embedding.block_count' is missing"},
      {key("block_count", 0u), "key 'gemma-embedding.block_count': 0 (1 to 256 are allowed)"},
      {key("block_count", 257u), "key 'gemma-embedding.block_count': 257 (1 to 256 are allowed)"},
      {key("block_count", 2u), "tensor 'blk.1.attn_norm.weight' is missing"},
      {key("block_count", "one"),
       "key 'gemma-embedding.block_count' is of type string (an integer is expected)"},
      {key("embedding_length", int32_t{-64}),
       "key 'gemma-embedding.embedding_length': -64 (1 to 16384 are allowed)"},
      {key("embedding_length", 32u), "tensor 'token_embd.weight' has shape [64,300] ([32,300] is expected)"},
      {key("feed_forward_length", 0u),
       "key 'gemma-embedding.feed_forward_length': 0 (1 to 131072 are allowed)"},
      {key("feed_forward_length", 128u),
       "tensor 'blk.0.ffn_gate.weight' has shape [64,96] ([64,128] is expected)"},
      {key("context_length", 1u << 20),
       "key 'gemma-embedding.context_length': 1048576 (1 to 131072 are allowed)"},
      {key("attention.head_count", 0u),
       "key 'gemma-embedding.attention.head_count': 0 (1 to 1024 are allowed)"},
      {key("attention.head_count", 3u),
       "key 'gemma-embedding.attention.head_count': 3 heads are no multiple of the 2 key and value heads"},
      {key("attention.head_count_kv", 5u),
       "key 'gemma-embedding.attention.head_count_kv': 5 (1 to 4 are allowed)"},
      {key("attention.head_count_kv", 4u),
       "tensor 'blk.0.attn_k.weight' has shape [64,64] ([64,128] is expected)"},
      {key("attention.key_length", 33u),
       "key 'gemma-embedding.attention.key_length': 33 (an even number is expected)"},
      {key("attention.key_length", 2048u),
       "key 'gemma-embedding.attention.key_length': 2048 (2 to 1024 are allowed)"},
      {[](M& m) {
         m.keys["attention.head_count"] = 10u;
         m.keys["context_length"] = 104858u;
       },
       "key 'gemma-embedding.attention.head_count': 5 heads to each of 2 of key "
       "'gemma-embedding.attention.head_count_kv', times 104858 of key 'gemma-embedding.context_length', is "
       "524290 (524288 is allowed)"},
      {key("attention.value_length", 64u),
       "key 'gemma-embedding.attention.value_length': 64 (32 is expected)"},
      {key("attention.layer_norm_rms_epsilon", 0.0f),
       "key 'gemma-embedding.attention.layer_norm_rms_epsilon': 0 (1e-12 to 0.1 are allowed)"},
      {key("attention.layer_norm_rms_epsilon", nan),
       "key 'gemma-embedding.attention.layer_norm_rms_epsilon': nan (1e-12 to 0.1 are allowed)"},
      {key("attention.layer_norm_rms_epsilon", 1u),
       "key 'gemma-embedding.attention.layer_norm_rms_epsilon' is of type u32 (f32 or f64 is expected)"},
      {key("attention.sliding_window", 0u),
       "key 'gemma-embedding.attention.sliding_window': 0 (1 to 1048576 are allowed)"},
      {key("attention.sliding_window_pattern", 0u),
       "key 'gemma-embedding.attention.sliding_window_pattern': 0 (1 to 512 are allowed)"},
      {no_key("rope.freq_base"), "key 'gemma-embedding.rope.freq_base' is missing"},
      {key("rope.freq_base", -1.0f),
       "key 'gemma-embedding.rope.freq_base': -1 (1 to 1000000000000 are allowed)"},
      {key("rope.freq_base_swa", INFINITY),
       "key 'gemma-embedding.rope.freq_base_swa': inf (1 to 1000000000000 are allowed)"},
      {key("rope.dimension_count", 16u), "key 'gemma-embedding.rope.dimension_count': 16 (32 is expected)"},
      {key("rope.scaling.type", "linear"),
       "key 'gemma-embedding.rope.scaling.type': 'linear' ('none' is expected)"},
      {key("pooling_type", 2u), "key 'gemma-embedding.pooling_type': 2 (1 is expected)"},
      {key("attention.causal", true), "key 'gemma-embedding.attention.causal': true (false is expected)"},
      {key("attn_logit_softcapping", 50.0f),
       "key 'gemma-embedding.attn_logit_softcapping': 50 (0 is expected)"},
      {no_tensor("token_embd.weight"), "tensor 'token_embd.weight' is missing"},
      {tensor("token_embd.weight", GgmlType::F32, {64}),
       "tensor 'token_embd.weight' has shape [64] (a matrix of 1 to 4194304 rows is expected)"},
      {[](M& m) { m.pieces = 299; },
       "key 'tokenizer.ggml.tokens': 299 pieces, but tensor 'token_embd.weight' has 300 rows"},
      {no_tensor("output_norm.weight"), "tensor 'output_norm.weight' is missing"},
      {no_tensor("blk.0.post_ffw_norm.weight"), "tensor 'blk.0.post_ffw_norm.weight' is missing"},
      {tensor("blk.0.attn_norm.weight", GgmlType::F32, {64, 1}),
       "tensor 'blk.0.attn_norm.weight' has shape [64,1] ([64] is expected)"},
      {tensor("blk.0.attn_norm.weight", GgmlType::F16, {64}),
       "tensor 'blk.0.attn_norm.weight' is of type f16 (f32 is expected)"},
      {tensor("blk.0.attn_output.weight", GgmlType::F32, {64, 128}),
       "tensor 'blk.0.attn_output.weight' has shape [64,128] ([128,64] is expected)"},
      {no_tensor("dense_2.weight"), "tensor 'dense_2.weight' is missing beside 'dense_3.weight'"},
      {no_tensor("dense_3.weight"), "tensor 'dense_3.weight' is missing beside 'dense_2.weight'"},
      {[](M& m) {
         m.tensors.erase("dense_2.weight");
         m.tensors.erase("dense_3.weight");
       },
       "key 'gemma-embedding.dense_2_feat_out' announces a dense module, but tensors 'dense_2.weight' and "
       "'dense_3.weight' are missing"},
      {tensor("dense_2.weight", GgmlType::F32, {32, 160}),
       "tensor 'dense_2.weight' has shape [32,160] ([64,160] is expected)"},
      {tensor("dense_3.weight", GgmlType::F32, {32, 64}),
       "tensor 'dense_3.weight' has shape [32,64] ([160,64] is expected)"},
      {tensor("dense_3.weight", GgmlType::F32, {160}),
       "tensor 'dense_3.weight' has shape [160] (a matrix of 1 to 131072 rows is expected)"},
      {key("dense_2_feat_out", 3072u), "key 'gemma-embedding.dense_2_feat_out': 3072 (160 is expected)"},
  };
  for (const Case& c : cases) EXPECT_EQ(ImportMessage(c.change), c.message);
}

}  // namespace
}  // namespace ggufc::frontend
