// The benchmarks of micro_benchmarks. Rates are 10^9 multiply-adds per second of one thread (GMAC/s).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "support/result.h"

namespace ggufc::bench {

// A product of the model's layers: [tokens, in] x [in, out], and the kernel that computes it.
struct Product {
  const char* kernel;
  const char* shape;
  int64_t in, out;
};
inline constexpr std::array<Product, 4> kProducts = {{
    {"attn_q_k_v", "768x1280", 768, 1280},
    {"attn_output", "768x768", 768, 768},
    {"ffn_gate_up", "768x2304", 768, 2304},
    {"ffn_down", "1152x768", 1152, 768},
}};
inline constexpr std::array<int32_t, 3> kTokenCounts = {11, 64, 512};

// micro/TARGET/FORMAT/kK/rowsN/{cache,stream}: one register tile, with one panel in cache or with 100 MB of panels one
// after another. FORMAT: i16, i8, i7 with q8_0 weights, or f32, f16, bf16 weights.
void RegisterMicroKernels();

// layer/TARGET/ACTIVATIONS/tokensN: the kernels of one layer, prologues and epilogues included, run by the executor.
// One counter per product.
void RegisterLayerProducts();

// layer/onednn/{f32,u8s8}/tokensN: oneDNN's matmul on the same shapes, with weights in the layout that it prefers. u8s8
// returns i32 without scales, which is less work than ggufc's kernels do. Registers nothing if oneDNN was not found at
// build time.
void RegisterOneDnnProducts();

// Exits with the message. ValueOf returns the value, or exits with the error's message.
[[noreturn]] void Fail(const std::string& message);
template <typename T>
T ValueOf(Result<T> result) {
  if (!result) Fail(result.error().message);
  return std::move(*result);
}

}  // namespace ggufc::bench
