/* The C interface of ggufc: text in, vectors out, from a model that was compiled ahead of time (NAME.o and
 * NAME.weights, opened by the generated NAME_open) or just now. Plain C99; docs/abi.md says more.
 *
 *   ggufc_model* model;
 *   if (NAME_open(NULL, NULL, &model) != GGUFC_OK) { fputs(ggufc_last_error(), stderr); return 1; }
 *   float* vector = malloc(ggufc_dims(model) * sizeof *vector);
 *   const char* text = "The cat sleeps.";
 *   if (ggufc_embed(model, &text, NULL, 1, NULL, vector, 0) != GGUFC_OK) ...
 *   ggufc_close(model);
 *
 * Rules that hold for every function:
 *   - Nothing is printed, no signal is raised, no exception leaves, the process is not ended.
 *   - A function that can fail returns a status; ggufc_last_error() then has the text for people. Every failure
 *     leaves the handle as usable as before, and what a call was to write is unspecified but for what is said
 *     at the function.
 *   - Any number of threads may use one handle at a time; only ggufc_close must come last and alone. Forward
 *     passes take turns, each with all threads of the handle; texts are tokenized in the calling thread.
 *   - After fork the child may use and close the handles of the parent, whatever the parent's threads were
 *     doing; it gets threads of its own.
 *   - What the caller passes in is read during the call only. What comes back as a pointer belongs to the
 *     library.
 *   - Options are structs whose first field is their size, so that they can grow: fields beyond the size count
 *     as zero, and zero is the default of every field. A NULL for options means all defaults. A struct that is
 *     longer than this library knows is refused unless the unknown rest is zero.
 */
#ifndef GGUFC_H
#define GGUFC_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define GGUFC_API __attribute__((visibility("default")))
#else
#define GGUFC_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when a program that was compiled against an older header would no longer work. */
#define GGUFC_ABI_VERSION 1

/* As the length of a text: the text ends at its first NUL byte. */
#define GGUFC_NUL_TERMINATED ((size_t)-1)

/* An opened model. */
typedef struct ggufc_model ggufc_model;

/* A compiled model as its object file has it (code.h); NAME_open knows its own. */
typedef struct ggufc_code ggufc_code;

typedef enum ggufc_status {
  GGUFC_OK = 0,
  GGUFC_INVALID_ARGUMENT = 1, /* the call is wrong: a NULL, an unknown prompt, an id outside the vocabulary */
  GGUFC_IO = 2,               /* a file is not there or the system cannot read it */
  GGUFC_BAD_FILE = 3, /* a file or object is damaged, truncated, no weights file, or of a newer format */
  GGUFC_MISMATCH = 4, /* code and weights are not of one model, or verification found other vectors */
  GGUFC_UNSUPPORTED_CPU = 5, /* no target of the model runs on this CPU and operating system */
  GGUFC_OUT_OF_MEMORY = 6,
  GGUFC_TOO_LONG = 7,    /* more tokens than the model, or than the caller's buffer, takes */
  GGUFC_NOT_FINITE = 8,  /* a vector came out with an infinity or a NaN: the weights are broken */
  GGUFC_INTERNAL = 9,    /* a bug in ggufc */
  GGUFC_SOME_FAILED = 10 /* with GGUFC_EMBED_SKIP_ERRORS: some texts have no vector, all others have theirs */
} ggufc_status;

/* ggufc_options.flags: compare every byte of the weights with its checksum when the model is opened. Otherwise
 * the embedding table (the larger half of a model) is compared piece by piece, when a token first needs it. */
#define GGUFC_OPEN_CHECK_ALL 1u

typedef struct ggufc_options {
  size_t size; /* sizeof(ggufc_options) */
  int32_t
      threads; /* of a forward pass, the calling one included; 1 to 64; 0: all cores this process may use */
  uint32_t flags;       /* GGUFC_OPEN_... */
  int64_t chunk_tokens; /* tokens computed at a time, which bounds memory; 0: 2048. Never changes a vector. */
  const char* target;   /* "generic", "avx2", ...; NULL or "native": the best that this CPU runs */
} ggufc_options;
#define GGUFC_OPTIONS_INIT {sizeof(ggufc_options), 0, 0, 0, NULL}

/* ggufc_embed_options.flags */
#define GGUFC_EMBED_TRUNCATE 1u   /* a text that is too long loses tokens at its end (EOS stays) */
#define GGUFC_EMBED_PLAIN_TEXT 2u /* the spelling of a control token in a text (<eos>) is just text */
/* A text that is wrong (empty, too long, a title without a place, an id outside the vocabulary, a vector that is not
 * finite) costs its own vector, which becomes all zeros, and no other. The call returns GGUFC_SOME_FAILED. */
#define GGUFC_EMBED_SKIP_ERRORS 4u
/* An empty text is its prompt, BOS and EOS; where that is nothing, it is an error all the same. */
#define GGUFC_EMBED_ALLOW_EMPTY 8u

typedef struct ggufc_embed_options {
  size_t size;               /* sizeof(ggufc_embed_options) */
  uint32_t flags;            /* GGUFC_EMBED_... */
  uint32_t reserved;         /* 0 */
  const char* prompt;        /* task prompt before each text: "query", "document", ...; NULL or "": none */
  const char* title;         /* of every text, for prompts that have a title; NULL or "": none */
  int64_t* tokens_kept;      /* [count] tokens that a vector was computed from; NULL: not wanted */
  int64_t* tokens_dropped;   /* [count] tokens that GGUFC_EMBED_TRUNCATE took away; NULL: not wanted */
  const char* const* titles; /* [count] a title of each text, NULL or "" for none; not together with title */
  ggufc_status* statuses;    /* [count] GGUFC_OK for each text whose vector is written, else why it has none;
                                untouched where the call is refused for its arguments; NULL: not wanted */
  /* With GGUFC_EMBED_SKIP_ERRORS: called for each text that fails, in the calling thread, in any order; `message` is as
   * those of ggufc_last_error, does not name the text, and is valid during the call. It must return, and may call
   * anything but ggufc_close. NULL: not wanted */
  void (*on_error)(void* context, size_t index, ggufc_status status, const char* message);
  void* on_error_context; /* handed to on_error */
} ggufc_embed_options;
#define GGUFC_EMBED_OPTIONS_INIT \
  {sizeof(ggufc_embed_options), 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL}

/* Opens a model; called by the generated NAME_open. `code` and what it points to stay as they are while the
 * handle is open. Weights come from the file `weights_path`; where that is NULL, from the object itself
 * (--weights embed), else from the first NAME.weights that is there: beside the shared library or program that
 * contains the code, in the working directory. *model is NULL after a failure. */
GGUFC_API ggufc_status ggufc_open_code(const ggufc_code* code, const char* weights_path,
                                       const ggufc_options* options, ggufc_model** model);

/* Ends the handle's threads and frees it. No other call may be using it. NULL is fine. */
GGUFC_API void ggufc_close(ggufc_model* model);

/* One vector of ggufc_dims floats for each of `count` texts; that of text i starts at out[i * stride].
 *
 * texts    UTF-8, without a byte order mark. A byte that is not UTF-8 is a token of its own where the
 *          vocabulary has byte tokens, else the unknown token. An empty text is an error, unless
 *          GGUFC_EMBED_ALLOW_EMPTY.
 * lengths  [count] bytes of each text, which may then hold NUL bytes; an entry may be GGUFC_NUL_TERMINATED.
 *          NULL: all texts end at a NUL byte.
 * stride   floats from one vector to the next, at least ggufc_dims; 0: ggufc_dims. What lies between two
 *          vectors is not touched.
 *
 * A vector depends on its text and prompt alone, to the bit: not on the other texts, threads or target. Memory
 * does not grow with `count`. The first text that is wrong ends the call, with an error that names it by its index;
 * the vectors of the texts before it are written. With GGUFC_EMBED_SKIP_ERRORS all others are computed. */
GGUFC_API ggufc_status ggufc_embed(ggufc_model* model, const char* const* texts, const size_t* lengths,
                                   size_t count, const ggufc_embed_options* options, float* out,
                                   size_t stride);

/* As ggufc_embed for token ids, taken as they are: nothing is added. `ids`: all sequences one after another;
 * `lengths`: [count] ids of each, at least 1. Prompts, titles and the flags about texts do not apply and are an
 * error. */
GGUFC_API ggufc_status ggufc_embed_ids(ggufc_model* model, const int32_t* ids, const size_t* lengths,
                                       size_t count, const ggufc_embed_options* options, float* out,
                                       size_t stride);

/* The ids that ggufc_embed computes with, BOS, EOS and prompt included. *count becomes their number. With `ids`
 * NULL they are only counted; otherwise GGUFC_TOO_LONG if there are more than `capacity`, and then nothing but
 * *count is written. Differs from ggufc_embed in that an empty text is fine, and a text of any number of tokens
 * too, unless GGUFC_EMBED_TRUNCATE asks for what a truncated text keeps. `text` may be NULL where `length` is 0.
 * Token counts and titles of the options are arrays of 1; statuses and GGUFC_EMBED_SKIP_ERRORS are an error. */
GGUFC_API ggufc_status ggufc_tokenize(const ggufc_model* model, const char* text, size_t length,
                                      const ggufc_embed_options* options, int32_t* ids, size_t capacity,
                                      size_t* count);

/* Compares every byte of the weights with its checksum, computes the golden vectors that were stored when the
 * model was compiled, and compares all bits: GGUFC_BAD_FILE or GGUFC_MISMATCH says what differs. `vectors`, if
 * not NULL, receives the number of vectors compared; 0 where none are stored. */
GGUFC_API ggufc_status ggufc_verify(ggufc_model* model, size_t* vectors);

/* Of a handle: they cannot fail, and answer 0 or "" for NULL. Strings live as long as the handle. Vectors of
 * handles with the same fingerprint can be compared, all others cannot. */
GGUFC_API size_t ggufc_dims(const ggufc_model* model);             /* floats of a vector */
GGUFC_API size_t ggufc_context_length(const ggufc_model* model);   /* tokens of a text at most */
GGUFC_API size_t ggufc_vocab(const ggufc_model* model);            /* ids are 0 to this - 1 */
GGUFC_API int32_t ggufc_threads(const ggufc_model* model);         /* of a forward pass */
GGUFC_API const char* ggufc_name(const ggufc_model* model);        /* of the model */
GGUFC_API const char* ggufc_target(const ggufc_model* model);      /* "avx2": whose code runs */
GGUFC_API const char* ggufc_fingerprint(const ggufc_model* model); /* 32 hex digits */

/* Why the last call of this thread that failed did: one line, UTF-8, "" if none has. A call that succeeds
 * leaves it. Valid until the thread's next call that fails, or its end. */
GGUFC_API const char* ggufc_last_error(void);

/* "GGUFC_OK", "GGUFC_INVALID_ARGUMENT", ...; "unknown status" for any other number. */
GGUFC_API const char* ggufc_status_name(ggufc_status status);

GGUFC_API const char* ggufc_version(void);  /* of this library: "0.1.0" */
GGUFC_API uint32_t ggufc_abi_version(void); /* GGUFC_ABI_VERSION of this library */

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif
