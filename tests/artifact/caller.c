/* A C program with a compiled model in it, linked with what the documentation says and nothing else.
 *
 *   caller THREADS WEIGHTS [TEXT | ids:ID,ID,...]...
 *
 * WEIGHTS: a file, or - for the default. Writes the vectors to stdout as they lie in memory: first those of all texts, then
 * those of all lists of ids, each group in one call. An error is "STATUS: MESSAGE" on stderr and exit status 1. Without
 * texts and ids, the model verifies itself. */
#include <ggufc/ggufc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ggufc_status model_open(const char* weights_path, const ggufc_options* options, ggufc_model** model);

static int check(ggufc_status status) {
  if (status == GGUFC_OK) return 1;
  fprintf(stderr, "%s: %s\n", ggufc_status_name(status), ggufc_last_error());
  return 0;
}

static int write_vectors(const float* vectors, size_t count) {
  return fwrite(vectors, sizeof *vectors, count, stdout) == count;
}

static int embed(ggufc_model* model, int argc, char** argv) {
  enum { kMaxIds = 65536 };
  const size_t dims = ggufc_dims(model);
  const char** texts = malloc((size_t)argc * sizeof *texts);
  size_t* lengths = malloc((size_t)argc * sizeof *lengths);
  int32_t* ids = malloc(kMaxIds * sizeof *ids);
  float* vectors = malloc((size_t)argc * dims * sizeof *vectors);
  size_t text_count = 0, list_count = 0, id_count = 0;
  int good = 0;
  if (texts == NULL || lengths == NULL || ids == NULL || vectors == NULL) goto end;
  for (int i = 0; i < argc; ++i) {
    if (strncmp(argv[i], "ids:", 4) != 0) {
      texts[text_count++] = argv[i];
      continue;
    }
    const size_t before = id_count;
    for (char* at = argv[i] + 4; *at != '\0' && id_count < kMaxIds; at += *at == ',') {
      ids[id_count++] = (int32_t)strtol(at, &at, 10);
    }
    lengths[list_count++] = id_count - before;
  }
  good = check(ggufc_embed(model, texts, NULL, text_count, NULL, vectors, 0)) &&
         write_vectors(vectors, text_count * dims) &&
         check(ggufc_embed_ids(model, ids, lengths, list_count, NULL, vectors, 0)) &&
         write_vectors(vectors, list_count * dims);
end:
  free(texts);
  free(lengths);
  free(ids);
  free(vectors);
  return good;
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  ggufc_options options = GGUFC_OPTIONS_INIT;
  options.threads = atoi(argv[1]);
  ggufc_model* model = NULL;
  if (!check(model_open(strcmp(argv[2], "-") == 0 ? NULL : argv[2], &options, &model))) return 1;
  size_t verified = 0;
  const int good = argc > 3 ? embed(model, argc - 3, argv + 3) : check(ggufc_verify(model, &verified));
  if (argc == 3 && good) printf("%zu vectors\n", verified);
  ggufc_close(model);
  return good ? 0 : 1;
}
