/* The compiler of ggufc as a library (libggufc.so): a model file in, an opened model out, compiled for the CPU that this
 * program runs on. Plain C99; docs/abi.md says more.
 *
 *   ggufc_model* model;
 *   if (ggufc_compile("model.gguf", NULL, &model) != GGUFC_OK) { fputs(ggufc_last_error(), stderr); return 1; }
 *   ... every function of ggufc.h ...
 *   ggufc_close(model);
 *
 * What is compiled is kept in the user's cache, which `ggufc embed` shares in the rules but not in the entries: they
 * belong to the program or library that made them. The rules of ggufc.h hold here too.
 */
#ifndef GGUFC_COMPILER_H
#define GGUFC_COMPILER_H

#include "ggufc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ggufc_compile_options.flags */
#define GGUFC_COMPILE_NO_CACHE 1u     /* neither read nor write the cache */
#define GGUFC_COMPILE_NO_NORMALIZE 2u /* do not scale vectors to length 1 */

typedef struct ggufc_compile_options {
  size_t size;              /* sizeof(ggufc_compile_options) */
  int32_t threads;          /* as in ggufc_options */
  uint32_t flags;           /* GGUFC_COMPILE_... */
  int64_t chunk_tokens;     /* as in ggufc_options */
  int64_t dims;             /* keep the first numbers of a vector; 0: all */
  const char* target;       /* "generic", "avx2", ...; NULL or "native": the best that this CPU runs */
  const char* activations;  /* "i16", "i8" or "i7", in products with q8_0 weights; NULL: "i16" */
  const char* cache_folder; /* absolute; NULL: ggufc below $XDG_CACHE_HOME, or else $HOME/.cache/ggufc */
  uint64_t cache_bytes;     /* entries beyond that go, the least recently used first; 0: 8 GiB */
} ggufc_compile_options;
#define GGUFC_COMPILE_OPTIONS_INIT {sizeof(ggufc_compile_options), 0, 0, 0, 0, NULL, NULL, NULL, 0}

/* Compiles the GGUF file `model_path`, or takes what was compiled before out of the cache. The file must stay as it is
 * while the handle is open: the embedding table is read where it lies. Trouble with the cache is none with the model:
 * without a cache that can be read or written each call compiles. *model is NULL after a failure. */
GGUFC_API ggufc_status ggufc_compile(const char* model_path, const ggufc_compile_options* options,
                                     ggufc_model** model);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif
