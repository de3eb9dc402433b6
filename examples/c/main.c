/* Embeds three sentences and prints the cosine of each pair, in C with a model compiled ahead of time.
 *
 *   ggufc compile model.gguf -o model
 *   cc main.c model.o $(pkg-config --cflags --libs ggufc-runtime) -o sentences && ./sentences
 */
#include <stdio.h>

#include "model.h"

#define COUNT 3

static const char* const sentences[COUNT] = {
    "The cat sleeps on the warm roof of the house.",
    "A cat is asleep on the roof of our house.",
    "Central banks raised interest rates to slow inflation.",
};

/* The cosine of two vectors of length 1 is their dot product. */
static double cosine(const float* a, const float* b) {
  double sum = 0;
  for (size_t i = 0; i < MODEL_DIMS; ++i) sum += (double)a[i] * b[i];
  return sum;
}

int main(void) {
  static float vectors[COUNT * MODEL_DIMS];
  ggufc_embed_options options = GGUFC_EMBED_OPTIONS_INIT;
  ggufc_model* model;

  options.prompt = "sentence-similarity";
  if (model_open(NULL, NULL, &model) != GGUFC_OK ||
      ggufc_embed(model, sentences, NULL, COUNT, &options, vectors, MODEL_DIMS) != GGUFC_OK) {
    fprintf(stderr, "%s\n", ggufc_last_error());
    return 1;
  }
  for (int i = 0; i < COUNT; ++i) {
    for (int j = i + 1; j < COUNT; ++j) {
      printf("%d and %d: %.4f\n", i + 1, j + 1, cosine(vectors + i * MODEL_DIMS, vectors + j * MODEL_DIMS));
    }
  }
  ggufc_close(model);
  return 0;
}
