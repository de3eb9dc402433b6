#ifndef GGUFC_TESTS_C_CALLER_H
#define GGUFC_TESTS_C_CALLER_H

#include "runtime/api/ggufc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Embeds "hello world", "a" and "the cat" as texts and then as ids: 6 vectors. NULL, or what went wrong. */
const char* CallEverything(const ggufc_code* code, float* vectors);

#ifdef __cplusplus
}
#endif

#endif
