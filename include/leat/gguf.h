/* gguf.h - what a GGUF file holds: metadata by key and tensors by name, in place in the mapping.
 *
 * Opening reads the header and the directory only; no tensor data is touched.  Everything returned points into the file object and is
 * valid until leat_gguf_close().  A file object is read-only after opening: any number of threads may ask it.
 *
 * Wrong arguments, here and in all that builds on this header (tokenizer, grammar, chat, lm, generate): a call that returns a status refuses with LEAT_EINVAL, naming
 * it, a NULL that its contract does not allow, a negative count, and a struct whose `size` its _default() or _init() has not set; what it would have handed over is
 * NULL.  Other calls do nothing with NULL, fill zeros, and return what they return for nothing: NULL, 0, or -1.
 */
#ifndef LEAT_GGUF_H
#define LEAT_GGUF_H

#include "leat/common.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct leat_gguf leat_gguf;

/* Kinds of metadata values; the numbers are the format's. */
typedef enum leat_gguf_kind {
    LEAT_GGUF_U8 = 0, LEAT_GGUF_I8 = 1, LEAT_GGUF_U16 = 2, LEAT_GGUF_I16 = 3, LEAT_GGUF_U32 = 4, LEAT_GGUF_I32 = 5, LEAT_GGUF_F32 = 6,
    LEAT_GGUF_BOOL = 7, LEAT_GGUF_STRING = 8, LEAT_GGUF_ARRAY = 9, LEAT_GGUF_U64 = 10, LEAT_GGUF_I64 = 11, LEAT_GGUF_F64 = 12,
    LEAT_GGUF_KINDS
} leat_gguf_kind;
/* "u8", "string", ...; NULL when out of range.  Any thread, RT-safe. */
const char *leat_gguf_kind_name(leat_gguf_kind kind);

/* One metadata entry. */
typedef struct leat_gguf_value {
    const char    *key;       /* NUL-terminated */
    leat_gguf_kind kind, item; /* item: of an array's elements, else equal to kind */
    uint64_t       count;     /* elements of an array, bytes of a string, else 1 */
    const uint8_t *data;      /* little-endian and unaligned, as in the file: numbers side by side; a string's bytes; an array of strings as
                                 pairs of a 64-bit length and the bytes */
    uint64_t       bytes;     /* of data */
} leat_gguf_value;

/* How the elements of a tensor are stored; the numbers are the format's. */
typedef enum leat_gguf_type {
    LEAT_GGUF_T_F32 = 0, LEAT_GGUF_T_F16 = 1, LEAT_GGUF_T_Q4_0 = 2, LEAT_GGUF_T_Q4_1 = 3, LEAT_GGUF_T_Q5_0 = 6, LEAT_GGUF_T_Q5_1 = 7,
    LEAT_GGUF_T_Q8_0 = 8, LEAT_GGUF_T_Q2_K = 10, LEAT_GGUF_T_Q3_K = 11, LEAT_GGUF_T_Q4_K = 12, LEAT_GGUF_T_Q5_K = 13, LEAT_GGUF_T_Q6_K = 14,
    LEAT_GGUF_T_IQ4_NL = 20, LEAT_GGUF_T_IQ4_XS = 23, LEAT_GGUF_T_BF16 = 30
} leat_gguf_type;
/* "Q4_K", ...; also for types that cannot be computed with; NULL when the format has no such type.  Any thread, RT-safe. */
const char *leat_gguf_type_name(int type);
/* 1 when leat_gguf_dequantize() and the language models take the type.  Any thread, RT-safe. */
int leat_gguf_type_supported(int type);

typedef struct leat_gguf_tensor {
    const char    *name;    /* NUL-terminated */
    int            type;    /* leat_gguf_type, or another number of the format: see leat_gguf_type_supported() */
    int            rank;    /* 1..4 */
    uint64_t       dims[4]; /* the fastest-varying first, as GGUF writes them; 1 behind the rank */
    const uint8_t *data;    /* in the mapping, aligned as the file says */
    uint64_t       bytes;
} leat_gguf_tensor;

typedef struct leat_gguf_info {
    int      version;       /* 2 or 3 */
    uint32_t alignment;     /* of tensor data, bytes */
    uint64_t values, tensors;
    uint64_t file_bytes, data_offset, parameters;
} leat_gguf_info;

/* Maps `path` and reads its directory.  *file: the caller takes it, leat_gguf_close().  LEAT_EIO, LEAT_EFORMAT (names the entry and the byte offset),
 * LEAT_EUNSUPPORTED (version, big-endian), LEAT_ELIMIT, LEAT_ENOMEM.  Any thread.  Source: the GGUF specification of ggml, versions 2 and 3. */
int leat_gguf_open(const char *path, leat_gguf **file, leat_error *error);
/* The same from memory [bytes], borrowed until leat_gguf_close().  LEAT_EINVAL: data is NULL. */
int leat_gguf_open_memory(const void *data, size_t bytes, leat_gguf **file, leat_error *error);
/* NULL allowed. */
void leat_gguf_close(leat_gguf *file);

/* Fills *info.  RT-safe. */
void leat_gguf_get_info(const leat_gguf *file, leat_gguf_info *info);
/* Entry `index` in the file's order; NULL when out of range.  RT-safe. */
const leat_gguf_value  *leat_gguf_value_at(const leat_gguf *file, uint64_t index);
const leat_gguf_tensor *leat_gguf_tensor_at(const leat_gguf *file, uint64_t index);
/* By key or name; NULL when there is none.  RT-safe. */
const leat_gguf_value  *leat_gguf_find(const leat_gguf *file, const char *key);
const leat_gguf_tensor *leat_gguf_find_tensor(const leat_gguf *file, const char *name);

/* Element `index` of a number, bool or array of them (0 for a single one), converted.  LEAT_EINVAL out of range, LEAT_ETYPE when it is not a number
 * or does not fit.  RT-safe. */
int leat_gguf_integer(const leat_gguf_value *value, uint64_t index, int64_t *number);
int leat_gguf_real(const leat_gguf_value *value, uint64_t index, double *number);
/* A string, or the element of an array of strings that begins `*at` bytes into its data (start with 0, moved to the next one).  Not NUL-terminated.
 * LEAT_EEND behind the last one, LEAT_ETYPE, LEAT_EINVAL (*at is not where an element begins, as far as that shows).  RT-safe. */
int leat_gguf_string(const leat_gguf_value *value, uint64_t *at, const char **text, uint64_t *length);

/* Writes elements [first, first + count) of a tensor's row-major storage to out, as float32, with the arithmetic of ggml's reference (bit-exact).
 * Both must be multiples of the type's block.  LEAT_EINVAL, LEAT_EUNSUPPORTED.  Any thread, RT-safe. */
int leat_gguf_dequantize(const leat_gguf_tensor *tensor, uint64_t first, uint64_t count, float *out);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
