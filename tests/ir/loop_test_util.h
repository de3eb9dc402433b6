// Runs a few lines of loop IR as the body of a kernel.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "ir_test_util.h"

namespace ggufc::ir {

// A module with one kernel that runs `body` and writes the module's output, f32[B,64].
inline std::string KernelText(const std::string& body, const std::string& domain = "rows(B) cols(1)",
                              const std::string& more = "") {
  return fmt::format(R"(module @m stage loop
weight @w : f32[4,16]
func @forward(%ids: i32[T], %positions: i32[T], %slots: i32[T], %sequences: i32[B,4], %tiles: i32[Q,4], %out: f32[B,64]) {{
  %buf = buffer {{bytes=64, bytes_t=4, bytes_b=8}} : ptr
  call @k(%out, %ids, %positions, %slots, %sequences, %tiles, @w, %buf)
  return
}}
kernel @k(%out: ptr, %ids: ptr, %positions: ptr, %slots: ptr, %sequences: ptr, %tiles: ptr, %w: ptr, %buf: ptr, %scratch: ptr, %ra: index, %rb: index, %ca: index, %cb: index) {} {{
  %z = const {{value=0}} : index
  %one = const {{value=1}} : index
{}
  return
}}
{})",
                     domain, body, more);
}

// The same, but the kernel writes a buffer whose bytes become the module's output, one number per byte. So bit patterns
// that floating-point output would not preserve can be compared.
inline std::string BytesText(const std::string& body) {
  std::string text = KernelText(body, "rows(B) cols(1)", R"(
kernel @bytes(%from: ptr, %to: ptr, %scratch: ptr, %ra: index, %rb: index, %ca: index, %cb: index) rows(B) cols(1) {
  %z = const {value=0} : index
  %end = const {value=256} : index
  %step = const {value=16} : index
  %four = const {value=4} : index
  for %z, %end, %step (%i: index) {
    %x = load %from, %i : u8x16
    %h = convert %x : i16x16
    %j = convert %h : i32x16
    %f = convert %j : f32x16
    %at = mul %i, %four : index
    store %f, %to, %at
    yield
  }
  return
}
)");
  text = Replaced(text, "%out: f32[B,64]) {\n",
                  "%out: f32[B,256]) {\n  %res = buffer {bytes=256, bytes_t=0, bytes_b=0} : ptr\n");
  return Replaced(
      text, "call @k(%out, %ids, %positions, %slots, %sequences, %tiles, @w, %buf)\n",
      "call @k(%res, %ids, %positions, %slots, %sequences, %tiles, @w, %buf)\n  call @bytes(%res, %out)\n");
}

inline Result<InterpreterOutput> TryRun(const std::string& text, InterpreterInput input = {{7}, {1}}) {
  std::vector<float> w(64);
  for (int i = 0; i < 64; ++i) w[i] = static_cast<float>(i) - 8.5f;
  return Interpret(MustParse(text), NamedWeights({{"w", w}}), input);
}

inline std::vector<float> RunBody(const std::string& body) {
  const auto output = TryRun(BytesText(body));
  EXPECT_TRUE(output) << (output ? "" : output.error().message) << "\n" << body;
  std::vector<float> result(64, 0);
  if (!output) return result;
  const std::vector<uint8_t> bytes(output->values.begin(), output->values.end());
  std::memcpy(result.data(), bytes.data(), 256);
  return result;
}

inline std::string RunError(const std::string& body, const std::string& domain = "rows(B) cols(1)") {
  const auto output = TryRun(KernelText(body, domain));
  EXPECT_FALSE(output) << body;
  return output ? "" : output.error().message;
}

// Element i of the weight @w.
inline float A(int i) { return static_cast<float>(i) - 8.5f; }

}  // namespace ggufc::ir
