/* What a model that was compiled ahead of time defines in its object file: the contract between the compiler,
 * which writes these structs as data, and ggufc_open_code, which reads them. C99, so that data in any language
 * can take this shape; fixed layout on LP64 machines (asserted below).
 *
 * The symbol is NAME_code. All of it is constant after relocation; nothing of it is freed. Strings end in NUL.
 */
#ifndef GGUFC_CODE_H
#define GGUFC_CODE_H

#include <stddef.h>
#include <stdint.h>

#include "ggufc.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GGUFC_CODE_MAGIC "GGUFCOBJ" /* 8 characters, without the NUL */
#define GGUFC_CODE_VERSION 1u       /* another version is refused: nothing behind `version` need be as here */
#define GGUFC_CODE_MAX_TARGETS 64u

/* Generated code; runtime::KernelFn of program.h says what it is given. */
typedef void (*ggufc_kernel_fn)(void* const* args, void* scratch, int64_t r0, int64_t r1, int64_t c0,
                                int64_t c1);

typedef struct ggufc_code_target {
  const char* name;       /* "avx2" */
  uint64_t features;      /* bits of cpu_features.h that CPU and operating system must have */
  uint64_t layout;        /* id of the image's section of packed weights (image.h) */
  const uint8_t* program; /* runtime::SerializeProgram */
  uint64_t program_bytes;
  const ggufc_kernel_fn* kernels; /* one for each of the program's kernels, in its order */
  uint64_t kernel_count;
} ggufc_code_target;

struct ggufc_code {
  char magic[8];                    /* GGUFC_CODE_MAGIC */
  uint32_t version;                 /* GGUFC_CODE_VERSION */
  uint32_t target_count;            /* 1 to GGUFC_CODE_MAX_TARGETS */
  uint8_t fingerprint[16];          /* the image has the same */
  const char* name;                 /* NAME: weights are looked for in NAME.weights */
  const ggufc_code_target* targets; /* least capable first: the last that runs is taken */
  const uint8_t* image;             /* embedded weights, 4096-byte aligned; NULL: in a file of their own */
  uint64_t image_bytes;             /* 0 where image is NULL */
};

#ifdef __cplusplus
} /* extern "C" */

static_assert(sizeof(void*) == 8 && sizeof(ggufc_code_target) == 56 && sizeof(ggufc_code) == 64);
static_assert(offsetof(ggufc_code, fingerprint) == 16 && offsetof(ggufc_code, name) == 32 &&
              offsetof(ggufc_code, targets) == 40 && offsetof(ggufc_code, image) == 48);
#endif

#endif
