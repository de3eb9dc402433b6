/* Prints the vectors of the texts in argv in the format of `ggufc embed --format text`, for comparison with it. */
#include <stdio.h>
#include <stdlib.h>

#include "model.h"

int main(int argc, char** argv) {
  ggufc_model* model = NULL;
  const size_t count = (size_t)argc - 1;
  float* vectors = malloc((count + 1) * MODEL_DIMS * sizeof *vectors);
  if (vectors == NULL || model_open(NULL, NULL, &model) != GGUFC_OK ||
      ggufc_embed(model, (const char* const*)argv + 1, NULL, count, NULL, vectors, 0) != GGUFC_OK) {
    fprintf(stderr, "%s\n", ggufc_last_error());
    return 1;
  }
  for (size_t i = 0; i < count; ++i) {
    for (size_t k = 0; k < MODEL_DIMS; ++k) {
      printf("%s%.9g", k == 0 ? "" : " ", (double)vectors[i * MODEL_DIMS + k]);
    }
    printf("\n");
  }
  ggufc_close(model);
  free(vectors);
  return 0;
}
