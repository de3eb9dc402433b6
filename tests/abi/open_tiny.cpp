#include "open_tiny.h"

#include "compiled_code.h"

ggufc_status OpenTiny(const char* weights_path, const ggufc_options* options, ggufc_model** model) {
  static ggufc::testing::CompiledCode compiled("tiny-q8_0.gguf");
  return ggufc_open_code(&compiled.code, weights_path, options, model);
}
