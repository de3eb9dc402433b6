#include "model_text.h"

#include <fmt/format.h>

#include <cmath>

#include "ir/text/parser.h"
#include "ir/verify/verifier.h"
#include "support/check.h"

namespace ggufc::passes {
namespace {

class Writer {
 public:
  explicit Writer(const ModelShape& shape) : s_(shape) {}

  std::string Write() {
    std::string x = Tokens("embed %0, " + Matrix("token_embd", s_.vocab, s_.dim) + " {scale=1}", s_.dim);
    x = Tokens(fmt::format("scale {} {{scale={}}}", x, std::sqrt(static_cast<double>(s_.dim))), s_.dim);
    for (int64_t i = 0; i < s_.layers; ++i) x = Layer(i, x);
    x = Norm(x, "output_norm", s_.dim);
    std::string e = Sequences("mean_pool " + x, s_.dim);
    if (s_.dense > 0) {
      e = Sequences(fmt::format("linear {}, {}", e, Matrix("dense_2", s_.dense, s_.dim)), s_.dense);
      e = Sequences(fmt::format("linear {}, {}", e, Matrix("dense_3", s_.dim, s_.dense)), s_.dim);
    }
    const int64_t dims = s_.dims > 0 ? s_.dims : s_.dim;
    if (dims < s_.dim) e = Sequences(fmt::format("slice {} {{offset=0, size={}}}", e, dims), dims);
    if (s_.normalize) e = Sequences("l2_normalize " + e, dims);
    return fmt::format(
        "module @gemma_embedding stage graph\n\n{}\nfunc @forward(%0: i32[T]) -> (f32[B,{}]) {{\n{}"
        "  return {}\n}}\n",
        weights_, dims, ops_, e);
  }

 private:
  std::string Layer(int64_t i, const std::string& x) {
    const bool global = s_.window == 0 || (i + 1) % s_.global_every == 0;
    const std::string blk = fmt::format("blk.{}.", i);
    const int64_t q_dim = s_.heads * s_.head_dim, kv_dim = s_.kv_heads * s_.head_dim;
    const auto rope = [&](const std::string& value, int64_t columns) {
      return Tokens(
          fmt::format("rope {} {{theta={}, head_dim={}}}", value, global ? 1000000 : 10000, s_.head_dim),
          columns);
    };

    std::string h = Norm(x, blk + "attn_norm", s_.dim);
    std::string q = Linear(h, blk + "attn_q", s_.dim, q_dim);
    q = rope(HeadNorm(q, blk + "attn_q_norm", q_dim), q_dim);
    q = Tokens(fmt::format("scale {} {{scale={}}}", q, 1 / std::sqrt(static_cast<double>(s_.head_dim))),
               q_dim);
    std::string k = Linear(h, blk + "attn_k", s_.dim, kv_dim);
    k = rope(HeadNorm(k, blk + "attn_k_norm", kv_dim), kv_dim);
    const std::string v = Linear(h, blk + "attn_v", s_.dim, kv_dim);
    const std::string a =
        Tokens(fmt::format("attention {}, {}, {} {{heads={}, kv_heads={}, head_dim={}, window={}}}", q, k, v,
                           s_.heads, s_.kv_heads, s_.head_dim, global ? 0 : s_.window),
               q_dim);
    std::string o = Norm(Linear(a, blk + "attn_output", q_dim, s_.dim), blk + "post_attention_norm", s_.dim);
    const std::string x1 = Tokens(fmt::format("add {}, {}", x, o), s_.dim);

    h = Norm(x1, blk + "ffn_norm", s_.dim);
    const std::string gate = Linear(h, blk + "ffn_gate", s_.dim, s_.ffn);
    const std::string up = Linear(h, blk + "ffn_up", s_.dim, s_.ffn);
    const std::string gelu = Tokens("gelu " + gate, s_.ffn);
    const std::string gated = Tokens(fmt::format("mul {}, {}", gelu, up), s_.ffn);
    const std::string down =
        Norm(Linear(gated, blk + "ffn_down", s_.ffn, s_.dim), blk + "post_ffw_norm", s_.dim);
    return Tokens(fmt::format("add {}, {}", x1, down), s_.dim);
  }

  std::string Matrix(const std::string& name, int64_t rows, int64_t columns) {
    weights_ += fmt::format("weight @{}.weight : {}[{},{}]\n", name, ir::Name(s_.weights), rows, columns);
    return fmt::format("@{}.weight", name);
  }
  std::string Gain(const std::string& name, int64_t columns) {
    weights_ += fmt::format("weight @{}.weight : f32[{}]\n", name, columns);
    return fmt::format("@{}.weight", name);
  }

  std::string Linear(const std::string& x, const std::string& name, int64_t in, int64_t out) {
    return Tokens(fmt::format("linear {}, {}", x, Matrix(name, out, in)), out);
  }
  std::string Norm(const std::string& x, const std::string& name, int64_t columns) {
    return Tokens(fmt::format("rms_norm {}, {} {{eps=1e-06}}", x, Gain(name, columns)), columns);
  }
  std::string HeadNorm(const std::string& x, const std::string& name, int64_t columns) {
    return Tokens(
        fmt::format("rms_norm {}, {} {{eps=1e-06, group={}}}", x, Gain(name, s_.head_dim), s_.head_dim),
        columns);
  }

  std::string Tokens(const std::string& op, int64_t columns) { return Line(op, "T", columns); }
  std::string Sequences(const std::string& op, int64_t columns) { return Line(op, "B", columns); }
  std::string Line(const std::string& op, const char* rows, int64_t columns) {
    ops_ += fmt::format("  %{} = {} : f32[{},{}]\n", ++last_, op, rows, columns);
    return fmt::format("%{}", last_);
  }

  const ModelShape& s_;
  int last_ = 0;
  std::string weights_, ops_;
};

}  // namespace

std::string ModelText(const ModelShape& shape) { return Writer(shape).Write(); }

ir::Module BuildModel(const ModelShape& shape) {
  Result<ir::Module> module = ir::Parse(ModelText(shape), "model");
  CHECK(module.has_value(), "{}", module.error().message);
  const Status verified = ir::Verify(*module);
  CHECK(verified.has_value(), "{}", verified.error().message);
  return std::move(*module);
}

std::string Describe(const ModelShape& s) {
  return fmt::format(
      "dim {} heads {}/{} of {} ffn {} layers {} window {} global every {} vocab {} {} dense {} dims {}{}",
      s.dim, s.heads, s.kv_heads, s.head_dim, s.ffn, s.layers, s.window, s.global_every, s.vocab,
      ir::Name(s.weights), s.dense, s.dims, s.normalize ? "" : ", not normalized");
}

}  // namespace ggufc::passes
