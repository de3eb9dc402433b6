// The compiler library (ggufc_compiler.h) for C++20, in the way of ggufc.hpp.
//
//   ggufc::Model model = ggufc::Compile("model.gguf", {.dims = 256});
//   std::vector<float> vector = model.Embed("The cat sleeps.");
#ifndef GGUFC_COMPILER_HPP
#define GGUFC_COMPILER_HPP

#include "ggufc.hpp"
#include "ggufc_compiler.h"

namespace ggufc {
inline namespace cpp1 {

// See ggufc_compile_options. All members have useful defaults.
struct CompileOptions {
  int threads = 0;                     // 0: all cores
  int64_t chunk_tokens = 0;            // 0: 2048
  int64_t dims = 0;                    // 0: all
  bool normalize = true;               // vectors of length 1
  const char* target = nullptr;        // null: the best that this CPU runs
  const char* activations = nullptr;   // null: "i16"
  bool cache = true;                   // keep what was compiled
  const char* cache_folder = nullptr;  // null: the user's
  uint64_t cache_bytes = 0;            // 0: 8 GiB
};

inline Model Compile(const char* model_path, const CompileOptions& options = {}) {
  ggufc_compile_options c = GGUFC_COMPILE_OPTIONS_INIT;
  c.threads = options.threads;
  c.chunk_tokens = options.chunk_tokens;
  c.dims = options.dims;
  c.target = options.target;
  c.activations = options.activations;
  c.cache_folder = options.cache_folder;
  c.cache_bytes = options.cache_bytes;
  if (!options.cache) c.flags |= GGUFC_COMPILE_NO_CACHE;
  if (!options.normalize) c.flags |= GGUFC_COMPILE_NO_NORMALIZE;
  ggufc_model* model = nullptr;
  ThrowIfError(ggufc_compile(model_path, &c, &model));
  return Model(model);
}

}  // namespace cpp1
}  // namespace ggufc

#endif
