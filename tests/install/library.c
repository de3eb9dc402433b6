/* library MODEL TEXT...: compiles MODEL with the compiler library and prints the vectors of the texts in the format of
 * `ggufc embed --format text`. */
#include <stdio.h>
#include <stdlib.h>

#include <ggufc/ggufc_compiler.h>

int main(int argc, char** argv) {
  ggufc_compile_options options = GGUFC_COMPILE_OPTIONS_INIT;
  ggufc_model* model = NULL;
  float* vectors = NULL;
  size_t count, dims;

  if (argc < 2) return 2;
  count = (size_t)argc - 2;
  options.threads = 1;
  if (ggufc_compile(argv[1], &options, &model) != GGUFC_OK) {
    fprintf(stderr, "%s\n", ggufc_last_error());
    return 1;
  }
  dims = ggufc_dims(model);
  vectors = malloc((count + 1) * dims * sizeof *vectors);
  if (vectors == NULL ||
      ggufc_embed(model, (const char* const*)argv + 2, NULL, count, NULL, vectors, 0) != GGUFC_OK ||
      ggufc_verify(model, NULL) != GGUFC_OK) {
    fprintf(stderr, "%s\n", ggufc_last_error());
    return 1;
  }
  for (size_t i = 0; i < count; ++i) {
    for (size_t k = 0; k < dims; ++k) printf("%s%.9g", k == 0 ? "" : " ", (double)vectors[i * dims + k]);
    printf("\n");
  }
  ggufc_close(model);
  free(vectors);
  return 0;
}
