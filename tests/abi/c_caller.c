/* The interface as a C99 program sees it: this file is compiled with -std=c99 -pedantic and calls every function. */
#include "c_caller.h"

#include <string.h>

static const char* const kTexts[3] = {"hello world", "a", "the cat"};

static void CountError(void* context, size_t index, ggufc_status status, const char* message) {
  if (index == 1 && status == GGUFC_INVALID_ARGUMENT && strcmp(message, "the text is empty") == 0) {
    ++*(int*)context;
  }
}

const char* CallEverything(const ggufc_code* code, float* vectors) {
  ggufc_options options = GGUFC_OPTIONS_INIT;
  ggufc_embed_options embed = GGUFC_EMBED_OPTIONS_INIT;
  ggufc_model* model = NULL;
  int32_t ids[16];
  int64_t kept[3] = {0, 0, 0};
  int64_t dropped[3] = {-1, -1, -1};
  size_t count = 0, vectors_compared = 0;
  size_t lengths[3];
  size_t i, dims;
  const char* some[3];
  ggufc_embed_options skip = GGUFC_EMBED_OPTIONS_INIT;
  ggufc_status statuses[3];
  int errors = 0;

  if (ggufc_abi_version() != GGUFC_ABI_VERSION || strlen(ggufc_version()) == 0) return "version";
  if (strcmp(ggufc_status_name(GGUFC_TOO_LONG), "GGUFC_TOO_LONG") != 0) return "status name";
  options.threads = 1;
  if (ggufc_open_code(code, NULL, &options, &model) != GGUFC_OK) return ggufc_last_error();
  dims = ggufc_dims(model);
  if (ggufc_vocab(model) == 0 || ggufc_context_length(model) == 0 || ggufc_threads(model) != 1)
    return "sizes";
  if (strlen(ggufc_fingerprint(model)) != 32 || ggufc_target(model)[0] == '\0') return "identity";
  if (strcmp(ggufc_name(model), "a tiny model") != 0) return "name";

  embed.tokens_kept = kept;
  embed.tokens_dropped = dropped;
  if (ggufc_embed(model, kTexts, NULL, 3, &embed, vectors, dims) != GGUFC_OK) return ggufc_last_error();
  for (i = 0; i < 3; ++i) {
    if (ggufc_tokenize(model, kTexts[i], GGUFC_NUL_TERMINATED, NULL, ids, 16, &count) != GGUFC_OK) {
      return ggufc_last_error();
    }
    if (kept[i] != (int64_t)count || dropped[i] != 0) return "token counts";
    lengths[i] = count;
    if (ggufc_embed_ids(model, ids, &lengths[i], 1, NULL, vectors + (3 + i) * dims, 0) != GGUFC_OK) {
      return ggufc_last_error();
    }
  }
  some[0] = kTexts[0];
  some[1] = "";
  some[2] = kTexts[2];
  skip.flags = GGUFC_EMBED_SKIP_ERRORS;
  skip.statuses = statuses;
  skip.on_error = CountError;
  skip.on_error_context = &errors;
  if (ggufc_embed(model, some, NULL, 3, &skip, vectors, dims) != GGUFC_SOME_FAILED) return "skipped";
  if (statuses[0] != GGUFC_OK || statuses[1] != GGUFC_INVALID_ARGUMENT || statuses[2] != GGUFC_OK ||
      errors != 1)
    return "statuses";
  skip.flags |= GGUFC_EMBED_ALLOW_EMPTY;
  if (ggufc_embed(model, some, NULL, 3, &skip, vectors, dims) != GGUFC_OK) return ggufc_last_error();
  if (ggufc_embed(model, kTexts, NULL, 3, NULL, vectors, dims) != GGUFC_OK) return ggufc_last_error();
  if (ggufc_embed(model, NULL, NULL, 1, NULL, vectors, 0) != GGUFC_INVALID_ARGUMENT)
    return "a NULL was taken";
  if (strcmp(ggufc_last_error(), "texts is NULL") != 0) return ggufc_last_error();
  if (ggufc_verify(model, &vectors_compared) != GGUFC_OK) return ggufc_last_error();
  if (vectors_compared != 2) return "golden vectors";
  ggufc_close(model);
  return NULL;
}
