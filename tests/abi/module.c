/* A shared library with room for a compiled model's struct, as NAME.so has one: opened by open_test.cpp. */
#include "runtime/api/code.h"

GGUFC_API ggufc_code code_in_module = {GGUFC_CODE_MAGIC, GGUFC_CODE_VERSION, 0, {0}, "tiny", 0, 0, 0};
