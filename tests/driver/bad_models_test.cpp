// Models that are well-formed GGUF files and wrong: what `ggufc embed` does with one before it generates code either
// takes it or says what is wrong, and each limit is where its message says.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>

#include "../frontend/model_file.h"
#include "driver/compile.h"

namespace ggufc::testing {
namespace {

using frontend::GgmlType;
using frontend::ModelFile;
using M = ModelFile;

// "", or what stands behind "PATH: " in the error.
std::string Verdict(const std::function<void(M&)>& change) {
  const std::string path = ::testing::TempDir() + "ggufc-bad-model-" + std::to_string(getpid()) + ".gguf";
  ModelFile file;
  file.AddVocabulary();
  change(file);
  file.Write(path);
  const auto load = [&]() -> Status {
    ASSIGN_OR_RETURN(const std::shared_ptr<driver::SourceModel> model, driver::SourceModel::Open(path));
    ASSIGN_OR_RETURN(const runtime::Tokenizer* tokenizer, model->tokenizer());
    std::vector<int32_t> ids;
    RETURN_IF_ERROR(tokenizer->Encode("ab a", ids));
    driver::CompileOptions options;
    options.target = &codegen::Targets()[0];
    return driver::LowerProgram(*model, options).map([](auto&&) {});
  };
  const Status status = load();
  std::filesystem::remove(path);
  if (status) return {};
  EXPECT_TRUE(status.error().message.starts_with(path + ": ")) << status.error().message;
  return status.error().message.substr(std::min(path.size() + 2, status.error().message.size()));
}

struct Case {
  const char* name;
  std::function<void(M&)> change;
  std::string message;  // empty: the model is taken
};

std::function<void(M&)> Key(std::string name, ModelFile::Value value) {
  return [=](M& m) { m.keys[name] = value; };
}
std::function<void(M&)> Other(std::string name, ModelFile::Value value) {
  return [=](M& m) { m.other_keys[name] = value; };
}
std::function<void(M&)> NoOther(std::string name) {
  return [=](M& m) { m.other_keys.erase(name); };
}
// The bytes of `value` at byte `at` of a tensor.
template <typename T>
std::function<void(M&)> Data(std::string tensor, size_t at, T value) {
  std::vector<uint8_t> bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return [=](M& m) { m.tensors[tensor].data[at] = bytes; };
}
// One entry of the vocabulary.
std::function<void(M&)> Piece(size_t id, std::string piece, int32_t type = 1) {
  return [=](M& m) {
    std::get<std::vector<std::string>>(m.other_keys["tokenizer.ggml.tokens"])[id] = piece;
    std::get<std::vector<int32_t>>(m.other_keys["tokenizer.ggml.token_type"])[id] = type;
  };
}
std::function<void(M&)> Score(size_t id, float score) {
  return [=](M& m) { std::get<std::vector<float>>(m.other_keys["tokenizer.ggml.scores"])[id] = score; };
}
template <typename T>
std::function<void(M&)> Resize(std::string key, size_t size) {
  return [=](M& m) { std::get<std::vector<T>>(m.other_keys[key]).resize(size); };
}
// Special pieces of this many bytes in all, but for the four that are there.
std::function<void(M&)> SpecialPieces(size_t total) {
  return [=](M& m) {
    const size_t vocab = total / 512 + 20;
    m.AddVocabulary(vocab);
    m.tensors["token_embd.weight"].shape[1] = vocab;
    size_t left = total - 20;  // <pad> <eos> <bos> <unk> have 20
    for (size_t id = 10; left > 0; ++id) {
      const size_t bytes = std::min<size_t>(left, 512);
      Piece(id, (std::to_string(1000 + id) + std::string(512, 'x')).substr(0, bytes), 3)(m);
      left -= bytes;
    }
  };
}
// Another number of heads of another width, with the tensors to it.
std::function<void(M&)> Heads(uint32_t heads, uint32_t head_dim, uint32_t context = 128) {
  return [=](M& m) {
    m.keys["attention.head_count"] = heads;
    m.keys["attention.head_count_kv"] = 1u;
    m.keys["attention.key_length"] = head_dim;
    m.keys["attention.value_length"] = head_dim;
    m.keys["context_length"] = context;
    const GgmlType f16 = GgmlType::F16;
    m.tensors["blk.0.attn_q.weight"] = {f16, {64, uint64_t{heads} * head_dim}};
    m.tensors["blk.0.attn_k.weight"] = {f16, {64, head_dim}};
    m.tensors["blk.0.attn_v.weight"] = {f16, {64, head_dim}};
    m.tensors["blk.0.attn_q_norm.weight"] = {GgmlType::F32, {head_dim}};
    m.tensors["blk.0.attn_k_norm.weight"] = {GgmlType::F32, {head_dim}};
    m.tensors["blk.0.attn_output.weight"] = {f16, {uint64_t{heads} * head_dim, 64}};
  };
}
// Layers that differ in the types of their tensors: layer i takes its types from the digits of i to the base of 3.
std::function<void(M&)> MixedLayers(uint32_t layers) {
  return [=](M& m) {
    m.keys["block_count"] = layers;
    const GgmlType types[] = {GgmlType::F32, GgmlType::F16, GgmlType::BF16};
    const std::map<std::string, ModelFile::TensorSpec> tensors = m.tensors;
    for (uint32_t i = 0; i < layers; ++i) {
      for (const auto& [name, spec] : tensors) {
        if (!name.starts_with("blk.0.")) continue;
        ModelFile::TensorSpec mine = spec;
        const bool role[] = {name.ends_with("attn_q.weight"), name.ends_with("attn_k.weight"),
                             name.ends_with("attn_v.weight"), name.ends_with("ffn_gate.weight"),
                             name.ends_with("ffn_up.weight")};
        uint32_t digits = i;
        for (const bool is : role) {
          if (is) mine.type = types[digits % 3];
          digits /= 3;
        }
        m.tensors["blk." + std::to_string(i) + name.substr(5)] = mine;
      }
    }
  };
}
std::function<void(M&)> Layers(uint32_t layers) {
  return [=](M& m) {
    m.keys["block_count"] = layers;
    const std::map<std::string, ModelFile::TensorSpec> tensors = m.tensors;
    for (uint32_t i = 1; i < layers; ++i) {
      for (const auto& [name, spec] : tensors) {
        if (name.starts_with("blk.0.")) m.tensors["blk." + std::to_string(i) + name.substr(5)] = spec;
      }
    }
  };
}

std::string KeyError(const std::string& name, const std::string& message) {
  return "key 'gemma-embedding." + name + "': " + message;
}
std::string TokensError(const std::string& message) { return "key 'tokenizer.ggml.tokens': " + message; }
std::string NotFinite(const std::string& tensor, const std::string& what, int element, int row, int column) {
  return fmt::format("tensor '{}': {} at element {} (row {}, column {}) is not finite", tensor, what, element,
                     row, column);
}

constexpr float kInfinity = INFINITY;
const float kNan = std::nanf("");
constexpr uint16_t kHalfInfinity = 0x7c00, kHalfNan = 0xfe01, kBFloatInfinity = 0xff80, kBFloatNan = 0x7fc0;

const Case kCases[] = {
    {"Good", [](M&) {}, ""},

    // Types that are not supported, used and not; other kinds of files.
    {"TypeUnused", [](M& m) { m.tensors["extra"] = {static_cast<GgmlType>(12), {256, 3}}; }, ""},
    {"TypeUsed", [](M& m) { m.tensors["blk.0.ffn_down.weight"].type = static_cast<GgmlType>(6); },
     "tensor 'blk.0.ffn_down.weight' holds q5_0 (f32, f16, bf16 and q8_0 are supported)"},
    {"TypeOfANorm", [](M& m) { m.tensors["blk.0.ffn_norm.weight"].type = static_cast<GgmlType>(28); },
     "tensor 'blk.0.ffn_norm.weight' holds f64 (f32, f16, bf16 and q8_0 are supported)"},
    {"Adapter", Other("general.type", "adapter"), "...the file is an adapter..."},
    {"Projector", Other("general.type", "mmproj"), "...the file is a multimodal projector..."},

    // Numbers, at their limits and beyond.
    {"EpsLeast", Key("attention.layer_norm_rms_epsilon", 1e-12), ""},
    {"EpsBelow", Key("attention.layer_norm_rms_epsilon", 0.9e-12f),
     KeyError("attention.layer_norm_rms_epsilon", "9e-13 (1e-12 to 0.1 are allowed)")},
    {"EpsMost", Key("attention.layer_norm_rms_epsilon", 0.1), ""},
    {"EpsAbove", Key("attention.layer_norm_rms_epsilon", 0.11f),
     KeyError("attention.layer_norm_rms_epsilon", "0.11 (1e-12 to 0.1 are allowed)")},
    {"EpsNegative", Key("attention.layer_norm_rms_epsilon", -1e-6f),
     KeyError("attention.layer_norm_rms_epsilon", "-1e-06 (1e-12 to 0.1 are allowed)")},
    {"ThetaLeast", Key("rope.freq_base", 1.0f), ""},
    {"ThetaBelow", Key("rope.freq_base", 0.999f),
     KeyError("rope.freq_base", "0.999 (1 to 1000000000000 are allowed)")},
    {"ThetaMost", Key("rope.freq_base", 1e12), ""},
    {"ThetaAbove", Key("rope.freq_base", 1.1e12),
     KeyError("rope.freq_base", "1100000000000 (1 to 1000000000000 are allowed)")},
    {"ThetaNan", Key("rope.freq_base_swa", kNan),
     KeyError("rope.freq_base_swa", "nan (1 to 1000000000000 are allowed)")},
    {"ThetaTooLargeForF32", Key("rope.freq_base", 1e300),
     KeyError("rope.freq_base", "1e+300 does not fit in an f32")},
    {"ContextLeast", Key("context_length", 1u), ""},
    {"ContextZero", Key("context_length", 0u), KeyError("context_length", "0 (1 to 131072 are allowed)")},
    {"ContextMost", Key("context_length", 131072u), ""},
    {"ContextAbove", Key("context_length", 131073u),
     KeyError("context_length", "131073 (1 to 131072 are allowed)")},
    {"ContextHuge", Key("context_length", ~uint64_t{0}),
     KeyError("context_length",
              "18446744073709551615 is outside -9223372036854775808 to 9223372036854775807")},
    {"RotationsMost", Heads(1, 64, 131072), ""},
    {"RotationsAbove", Heads(1, 66, 131072),
     KeyError(
         "context_length",
         "131072 times 66 of key 'gemma-embedding.attention.key_length' is 8650752 (8388608 is allowed)")},
    {"ScoresMost", Heads(4, 2, 131072), ""},
    {"ScoresAbove", Heads(5, 2, 131072),
     KeyError("attention.head_count",
              "5 heads to each of 1 of key 'gemma-embedding.attention.head_count_kv', times 131072 of key "
              "'gemma-embedding.context_length', is 655360 (524288 is allowed)")},
    {"WindowLeast", Key("attention.sliding_window", 1u), ""},
    {"WindowMost", Key("attention.sliding_window", 1u << 20), ""},
    {"WindowAbove", Key("attention.sliding_window", (1u << 20) + 1),
     KeyError("attention.sliding_window", "1048577 (1 to 1048576 are allowed)")},
    {"PatternMost", Key("attention.sliding_window_pattern", 512u), ""},
    {"PatternAbove", Key("attention.sliding_window_pattern", 513u),
     KeyError("attention.sliding_window_pattern", "513 (1 to 512 are allowed)")},
    {"HeadDimLeast", Heads(4, 2), ""},
    {"HeadDimZero", Key("attention.key_length", 0u),
     KeyError("attention.key_length", "0 (2 to 1024 are allowed)")},
    {"HeadDimOdd", Heads(4, 31), KeyError("attention.key_length", "31 (an even number is expected)")},
    {"HeadDimMost", Heads(1, 1024), ""},
    {"HeadDimAbove", Heads(1, 1026), KeyError("attention.key_length", "1026 (2 to 1024 are allowed)")},
    {"HeadsMost", Heads(1024, 2), ""},
    {"HeadsAbove", Heads(1025, 2), KeyError("attention.head_count", "1025 (1 to 1024 are allowed)")},
    {"ProjectionMost", Heads(32, 1024), ""},
    {"ProjectionAbove", Heads(33, 1024),
     KeyError("attention.head_count",
              "33 times 1024 of key 'gemma-embedding.attention.key_length' is 33792 (32768 is allowed)")},
    {"HeadsAsFloat", Key("attention.head_count", 4.0f),
     "key 'gemma-embedding.attention.head_count' is of type f32 (an integer is expected)"},
    {"HeadsAsArray", Key("attention.head_count", std::vector<int32_t>{4, 4}),
     "key 'gemma-embedding.attention.head_count' is of type array of i32 (an integer is expected)"},
    {"LayersMost", Layers(256), ""},
    {"LayersAbove", Layers(257), KeyError("block_count", "257 (1 to 256 are allowed)")},
    {"LayersWithoutTensors", Key("block_count", 256u), "tensor 'blk.1.attn_norm.weight' is missing"},
    {"KernelsMany", MixedLayers(4), ""},
    {"KernelsTooMany", MixedLayers(81),
     "...different kernels (32 are allowed): the layers differ too much..."},

    // Weights: named, with the place.
    {"WeightNan", Data("blk.0.attn_output.weight", 4 * (3 * 128 + 5), kNan),
     NotFinite("blk.0.attn_output.weight", "the value", 389, 3, 5)},
    {"WeightInfinity", Data("blk.0.attn_output.weight", 0, -kInfinity),
     NotFinite("blk.0.attn_output.weight", "the value", 0, 0, 0)},
    {"WeightLargest", Data("blk.0.attn_output.weight", 0, 3.4e38f), ""},
    {"NormNan", Data("output_norm.weight", 4 * 63, kNan),
     NotFinite("output_norm.weight", "the value", 63, 0, 63)},
    {"HalfInfinity", Data("blk.0.attn_k.weight", 2 * 65, kHalfInfinity),
     NotFinite("blk.0.attn_k.weight", "the value", 65, 1, 1)},
    {"HalfNan", Data("blk.0.attn_k.weight", 0, kHalfNan),
     NotFinite("blk.0.attn_k.weight", "the value", 0, 0, 0)},
    {"HalfLargest", Data("blk.0.attn_k.weight", 0, uint16_t{0x7bff}), ""},
    {"BFloatInfinity", Data("blk.0.attn_v.weight", 2 * 4095, kBFloatInfinity),
     NotFinite("blk.0.attn_v.weight", "the value", 4095, 63, 63)},
    {"BFloatNan", Data("blk.0.attn_v.weight", 0, kBFloatNan),
     NotFinite("blk.0.attn_v.weight", "the value", 0, 0, 0)},
    {"ScaleInfinity", Data("blk.0.ffn_down.weight", 34 * 4, kHalfInfinity),
     NotFinite("blk.0.ffn_down.weight", "the scale of the block", 128, 1, 32)},
    {"ScaleNan", Data("dense_3.weight", 0, kHalfNan),
     NotFinite("dense_3.weight", "the scale of the block", 0, 0, 0)},
    {"ScaleLooksInBytes", Data("dense_3.weight", 2, uint16_t{0x7c7c}), ""},
    {"TableNan", Data("token_embd.weight", 34 * 2 * 299, kHalfNan),
     NotFinite("token_embd.weight", "the scale of the block", 19136, 299, 0)},

    // The vocabulary.
    {"TokenizerMissing", NoOther("tokenizer.ggml.model"), "key 'tokenizer.ggml.model' is missing"},
    {"TokenizerUnknown", Other("tokenizer.ggml.model", "gpt2"),
     "key 'tokenizer.ggml.model': tokenizer 'gpt2' is not supported ('llama' is)"},
    {"TokenizerType", Other("tokenizer.ggml.model", 7u),
     "key 'tokenizer.ggml.model' is of type u32 (string is expected)"},
    {"TokensMissing", NoOther("tokenizer.ggml.tokens"), "key 'tokenizer.ggml.tokens' is missing"},
    {"TokensType", Other("tokenizer.ggml.tokens", std::vector<int32_t>(300, 1)),
     "key 'tokenizer.ggml.tokens' is of type array of i32 (array of string is expected)"},
    {"TokensScalar", Other("tokenizer.ggml.tokens", "all"),
     TokensError("1 pieces, but tensor 'token_embd.weight' has 300 rows")},
    {"TokensFew", Resize<std::string>("tokenizer.ggml.tokens", 299),
     TokensError("299 pieces, but tensor 'token_embd.weight' has 300 rows")},
    {"ScoresMissing", NoOther("tokenizer.ggml.scores"), "key 'tokenizer.ggml.scores' is missing"},
    {"ScoresFew", Resize<float>("tokenizer.ggml.scores", 299),
     "key 'tokenizer.ggml.scores': 299 elements, but key 'tokenizer.ggml.tokens' has 300 pieces"},
    {"ScoresType", Other("tokenizer.ggml.scores", std::vector<int32_t>(300, 1)),
     "key 'tokenizer.ggml.scores' is of type array of i32 (array of f32 is expected)"},
    {"ScoreNan", Score(7, kNan), "key 'tokenizer.ggml.scores': element 7 is not finite"},
    {"ScoreInfinity", Score(299, kInfinity), "key 'tokenizer.ggml.scores': element 299 is not finite"},
    {"TypesMany", Resize<int32_t>("tokenizer.ggml.token_type", 301),
     "key 'tokenizer.ggml.token_type': 301 elements, but key 'tokenizer.ggml.tokens' has 300 pieces"},
    {"TypeZero", Piece(9, "x", 0), "key 'tokenizer.ggml.token_type': element 9 is 0 (1 to 6 are known)"},
    {"TypeSeven", Piece(9, "x", 7), "key 'tokenizer.ggml.token_type': element 9 is 7 (1 to 6 are known)"},
    {"TypeNegative", Piece(9, "x", -1),
     "key 'tokenizer.ggml.token_type': element 9 is -1 (1 to 6 are known)"},
    {"PieceEmpty", Piece(9, ""), TokensError("piece 9 has 0 bytes (1 to 4096 are allowed)")},
    {"PieceLongest", Piece(9, std::string(4096, 'x')), ""},
    {"PieceTooLong", Piece(9, std::string(4097, 'x')),
     TokensError("piece 9 has 4097 bytes (1 to 4096 are allowed)")},
    {"PieceNotUtf8", Piece(9, "\xff\xfe\x80"), ""},
    {"PieceTwice", Piece(9, "ab"), ""},
    {"SpecialLongest", Piece(9, std::string(512, 'x'), 4), ""},
    {"SpecialTooLong", Piece(9, std::string(513, 'x'), 4),
     "vocabulary: token 9: a piece of 513 bytes and type 4 (the limit is 512)"},
    {"SpecialAllMost", SpecialPieces(1 << 18), ""},
    {"SpecialAllAbove", SpecialPieces((1 << 18) + 1),
     TokensError("control, unknown and user-defined pieces up to 521 have 262145 bytes together (262144 are "
                 "allowed)")},
    {"ByteToken", Piece(9, "<0xE2>", 6), ""},
    {"ByteTokenSpelling", Piece(9, "<0xZZ>", 6),
     TokensError("byte token 9 is '<0xZZ>' (<0xNN> is expected)")},
    {"ByteTokenTwice",
     [](M& m) {
       Piece(9, "<0x41>", 6)(m);
       Piece(10, "<0x41>", 6)(m);
     },
     TokensError("a second token for byte '<0x41>', token 10")},
    {"BosMost", Other("tokenizer.ggml.bos_token_id", 299u), ""},
    {"BosAbove", Other("tokenizer.ggml.bos_token_id", 300u),
     "key 'tokenizer.ggml.bos_token_id': token 300 of a vocabulary of 300"},
    {"EosNegative", Other("tokenizer.ggml.eos_token_id", int32_t{-1}),
     "key 'tokenizer.ggml.eos_token_id': -1 is outside 0 to 4294967295"},
    {"UnknownType", Other("tokenizer.ggml.unknown_token_id", "three"),
     "key 'tokenizer.ggml.unknown_token_id' is of type string (an integer is expected)"},
    {"AddBosType", Other("tokenizer.ggml.add_bos_token", 1u),
     "key 'tokenizer.ggml.add_bos_token' is of type u32 (bool is expected)"},
};

// "..." at either end of the message: anything.
bool Matches(std::string_view found, std::string_view expected) {
  const bool open_front = expected.starts_with("..."), open_back = expected.ends_with("...");
  if (open_front) expected.remove_prefix(3);
  if (open_back) expected.remove_suffix(3);
  if (open_front) return open_back ? found.find(expected) != found.npos : found.ends_with(expected);
  return open_back ? found.starts_with(expected) : found == expected;
}

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class BadModel : public ::testing::TestWithParam<Case> {};

TEST_P(BadModel, IsJudged) {
  const std::string verdict = Verdict(GetParam().change);
  EXPECT_TRUE(Matches(verdict, GetParam().message))
      << "found:    " << verdict << "\nexpected: " << GetParam().message;
}

INSTANTIATE_TEST_SUITE_P(All, BadModel, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace ggufc::testing
