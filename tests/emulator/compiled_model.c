/* Runs an ahead-of-time model with embedded weights on this CPU.
 *
 *   compiled_model EXPECTED    verifies the model, embeds three sequences one by one and in one batch, and compares all bits
 *                              with EXPECTED, the output of `ggufc embed --format npy` on another machine
 *
 * Exit status: 0 equal, 1 different, 3 the model has no code for this CPU. */
#include <ggufc/ggufc.h>
#include <stdio.h>
#include <string.h>

#include "compiled_model_avx512vnni.h"

enum { kSequences = 3, kDims = COMPILED_MODEL_AVX512VNNI_DIMS, kNpyHeader = 128 };
/* The same as in CMakeLists.txt. */
static const int32_t kIds[] = {2, 1, 2, 300, 301, 9, 1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 1};
static const size_t kLengths[kSequences] = {2, 5, 18};

static int fail(const char* what) {
  printf("%s: %s\n", what, ggufc_last_error());
  return 1;
}

int main(int argc, char** argv) {
  static char expected[kNpyHeader + kSequences * kDims * sizeof(float) + 1];
  static float together[kSequences * kDims], alone[kSequences * kDims];
  ggufc_options options = GGUFC_OPTIONS_INIT;
  ggufc_model* model = NULL;
  size_t verified = 0, first = 0;
  FILE* file = argc == 2 ? fopen(argv[1], "rb") : NULL;
  if (file == NULL || fread(expected, 1, sizeof expected, file) != sizeof expected - 1) {
    puts("usage: compiled_model EXPECTED");
    return 2;
  }
  fclose(file);
  options.threads = 1;
  const ggufc_status opened = compiled_model_avx512vnni_open(NULL, &options, &model);
  if (opened == GGUFC_UNSUPPORTED_CPU) {
    printf("%s\n", ggufc_last_error());
    return 3;
  }
  if (opened != GGUFC_OK) return fail("open");
  if (ggufc_verify(model, &verified) != GGUFC_OK || verified == 0) return fail("verify");
  if (ggufc_embed_ids(model, kIds, kLengths, kSequences, NULL, together, 0) != GGUFC_OK) return fail("embed");
  for (int i = 0; i < kSequences; ++i) {
    if (ggufc_embed_ids(model, kIds + first, kLengths + i, 1, NULL, alone + i * kDims, 0) != GGUFC_OK) return fail("embed");
    first += kLengths[i];
  }
  if (memcmp(together, expected + kNpyHeader, sizeof together) != 0 || memcmp(together, alone, sizeof alone) != 0) {
    puts("the vectors differ");
    return 1;
  }
  printf("compiled for %s: %zu golden vectors and %d others have the expected bits\n", ggufc_target(model), verified, kSequences);
  ggufc_close(model);
  return 0;
}
