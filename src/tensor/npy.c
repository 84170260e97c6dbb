/* npy.c - NumPy's .npy files, read and written.
 *
 *   6 bytes  \x93NUMPY      2 bytes  version 1.0, 2.0 or 3.0      2 bytes (1.0) or 4 bytes  length of the header, little-endian
 *   header   a Python dictionary, e.g. {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
 *   data     elements
 *
 * The dictionary is read by a small scanner that knows just the literals that may stand there: quoted strings, True, False and a tuple
 * of integers, with any order of keys and any spacing.  Everything in the file is hostile until checked: sizes are compared with what is
 * there before anything is allocated.  Source: numpy.lib.format (NEP 1).
 */
#include "tensor/npy.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/fp16.h"
#include "base/mem.h"
#include "base/str.h"
#include "tensor/tensor_util.h"

#define MAGIC "\x93NUMPY"
#define MAGIC_BYTES 6

/* ---- owned tensors ------------------------------------------------------------------------------------------------------- */

int leat_tensor_alloc(leat_tensor *tensor) {
    tensor->data = NULL;
    size_t bytes = leat_tensor_bytes(tensor);
    if (bytes == SIZE_MAX || tensor->dtype == LEAT_DTYPE_STRING || leat_dtype_size(tensor->dtype) == 0) return LEAT_EINVAL;
    tensor->data = leat__calloc(bytes, 1, LEAT_MEMORY_IO);
    return tensor->data ? LEAT_OK : LEAT_ENOMEM;
}

void leat_tensor_free(leat_tensor *tensor) {
    if (!tensor) return;
    leat__free(tensor->data);
    tensor->data = NULL;
}

/* ---- header ------------------------------------------------------------------------------------------------------------- */

typedef struct scanner {
    const char *at, *end;
} scanner;

typedef struct npy_header {
    char    descr[16];
    int     fortran, rank;
    int     seen; /* bit 0 descr, 1 fortran_order, 2 shape */
    int64_t dims[LEAT_MAX_RANK];
} npy_header;

static void skip_spaces(scanner *s) {
    while (s->at < s->end && isspace((unsigned char)*s->at)) s->at++;
}

static int take(scanner *s, char c) {
    skip_spaces(s);
    if (s->at >= s->end || *s->at != c) return 0;
    s->at++;
    return 1;
}

static int take_word(scanner *s, const char *word) {
    size_t n = strlen(word);
    skip_spaces(s);
    if ((size_t)(s->end - s->at) < n || memcmp(s->at, word, n) != 0) return 0;
    s->at += n;
    return 1;
}

static int take_string(scanner *s, char *text, size_t size) {
    skip_spaces(s);
    if (s->at >= s->end || (*s->at != '\'' && *s->at != '"')) return 0;
    char quote = *s->at++;
    size_t n = 0;
    while (s->at < s->end && *s->at != quote) {
        if (n + 1 >= size) return 0;
        text[n++] = *s->at++;
    }
    text[n] = 0;
    return take(s, quote);
}

static int take_dim(scanner *s, int64_t *value) {
    skip_spaces(s);
    const char *start = s->at;
    *value = 0;
    while (s->at < s->end && isdigit((unsigned char)*s->at)) {
        if (__builtin_mul_overflow(*value, 10, value) || __builtin_add_overflow(*value, *s->at - '0', value)) return 0;
        s->at++;
    }
    if (s->at < s->end && *s->at == 'L') s->at++; /* Python 2 wrote long integers so */
    return s->at > start && isdigit((unsigned char)*start);
}

static int take_shape(scanner *s, npy_header *h) {
    if (!take(s, '(')) return 0;
    for (h->rank = 0; !take(s, ')'); h->rank++) {
        if (h->rank == LEAT_MAX_RANK || !take_dim(s, &h->dims[h->rank])) return 0;
        if (!take(s, ',')) {
            h->rank++;
            return take(s, ')');
        }
    }
    return 1;
}

static int take_entry(scanner *s, npy_header *h) {
    char key[16];
    if (!take_string(s, key, sizeof key) || !take(s, ':')) return 0;
    if (strcmp(key, "descr") == 0) {
        h->seen |= 1;
        return take_string(s, h->descr, sizeof h->descr);
    }
    if (strcmp(key, "fortran_order") == 0) {
        h->seen |= 2;
        h->fortran = take_word(s, "True");
        return h->fortran || take_word(s, "False");
    }
    h->seen |= 4;
    return strcmp(key, "shape") == 0 && take_shape(s, h);
}

static int parse_dictionary(scanner *s, npy_header *h) {
    if (!take(s, '{')) return 0;
    while (!take(s, '}')) {
        if (!take_entry(s, h)) return 0;
        if (take(s, ',')) continue;
        if (!take(s, '}')) return 0;
        break;
    }
    return h->seen == 7;
}

static leat_dtype dtype_of(const char *code) {
    static const struct { char code[4]; leat_dtype dtype; } known[] = {
        {"f4", LEAT_DTYPE_F32}, {"f8", LEAT_DTYPE_F64}, {"f2", LEAT_DTYPE_F16}, {"i1", LEAT_DTYPE_I8}, {"i2", LEAT_DTYPE_I16},
        {"i4", LEAT_DTYPE_I32}, {"i8", LEAT_DTYPE_I64}, {"u1", LEAT_DTYPE_U8}, {"u2", LEAT_DTYPE_U16}, {"u4", LEAT_DTYPE_U32},
        {"u8", LEAT_DTYPE_U64}, {"b1", LEAT_DTYPE_BOOL}, {"c8", LEAT_DTYPE_C64}, {"c16", LEAT_DTYPE_C128}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(code, known[i].code) == 0) return known[i].dtype;
    return LEAT_DTYPE_NONE;
}

/* ---- data --------------------------------------------------------------------------------------------------------------- */

static void swap_bytes(uint8_t *data, size_t bytes, size_t word) {
    for (size_t at = 0; at + word <= bytes; at += word)
        for (size_t i = 0; i < word / 2; i++) {
            uint8_t b = data[at + i];
            data[at + i] = data[at + word - 1 - i];
            data[at + word - 1 - i] = b;
        }
}

/* Copies column-major `from` to row-major tensor->data: walks the target in order, the source by its strides. */
static void copy_fortran(const uint8_t *from, const leat_tensor *tensor) {
    size_t  size = leat_dtype_size(tensor->dtype);
    int64_t count = leat_tensor_count(tensor), index[LEAT_MAX_RANK] = {0}, stride[LEAT_MAX_RANK], source = 0;
    for (int d = 0; d < tensor->rank; d++) stride[d] = d ? stride[d - 1] * tensor->dims[d - 1] : 1;
    for (int64_t i = 0; i < count; i++) {
        memcpy((uint8_t *)tensor->data + (size_t)i * size, from + (size_t)source * size, size);
        for (int d = tensor->rank - 1; d >= 0; d--) {
            source += stride[d];
            if (++index[d] < tensor->dims[d]) break;
            source -= stride[d] * tensor->dims[d];
            index[d] = 0;
        }
    }
}

static void clean_bools(uint8_t *data, size_t n) {
    for (size_t i = 0; i < n; i++) data[i] = data[i] != 0;
}

static int take_data(const npy_header *h, const uint8_t *data, size_t left, leat_tensor *tensor, leat_error *error) {
    size_t bytes = leat_tensor_bytes(tensor), size = leat_dtype_size(tensor->dtype);
    if (bytes == SIZE_MAX || bytes > left)
        return leat__fail(error, LEAT_EFORMAT, "npy: the header asks for more data than the %zu bytes that follow it", left);
    int status = leat_tensor_alloc(tensor);
    if (status != LEAT_OK) return leat__fail(error, status, "npy: no memory for %zu bytes", bytes);
    if (h->fortran && tensor->rank > 1) copy_fortran(data, tensor);
    else if (bytes) memcpy(tensor->data, data, bytes);
    int is_complex = tensor->dtype == LEAT_DTYPE_C64 || tensor->dtype == LEAT_DTYPE_C128;
    if (h->descr[0] == '>') swap_bytes(tensor->data, bytes, is_complex ? size / 2 : size);
    if (tensor->dtype == LEAT_DTYPE_BOOL) clean_bools(tensor->data, bytes);
    return LEAT_OK;
}

int leat__npy_is(const void *data, size_t bytes) { return bytes >= MAGIC_BYTES && memcmp(data, MAGIC, MAGIC_BYTES) == 0; }

int leat__npy_parse(const void *data, size_t bytes, leat_tensor *tensor, leat_error *error) {
    const uint8_t *b = data;
    npy_header h = {0};
    memset(tensor, 0, sizeof *tensor);
    if (!leat__npy_is(data, bytes) || bytes < 12) return leat__fail(error, LEAT_EFORMAT, "npy: the file is too short or not .npy");
    if (b[6] < 1 || b[6] > 3) return leat__fail(error, LEAT_EUNSUPPORTED, "npy: version %d.%d, 1 to 3 are known", b[6], b[7]);
    size_t start = b[6] == 1 ? 10 : 12;
    size_t length = b[8] | (size_t)b[9] << 8;
    if (b[6] > 1) length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    if (length > bytes - start) return leat__fail(error, LEAT_EFORMAT, "npy: the header is longer than the file");
    scanner s = {(const char *)b + start, (const char *)b + start + length};
    if (!parse_dictionary(&s, &h))
        return leat__fail(error, LEAT_EFORMAT, "npy: the header is not a dictionary of descr, fortran_order and shape (at most %d "
                          "dimensions); arrays of records are not supported", LEAT_MAX_RANK);
    leat_dtype dtype = h.descr[0] && strchr("<>|=", h.descr[0]) ? dtype_of(h.descr + 1) : LEAT_DTYPE_NONE;
    if (dtype == LEAT_DTYPE_NONE)
        return leat__fail(error, LEAT_EUNSUPPORTED, "npy: elements of type '%s'; supported are booleans, integers, floats, complex", h.descr);
    tensor->dtype = dtype;
    tensor->rank = h.rank;
    memcpy(tensor->dims, h.dims, sizeof h.dims);
    int status = take_data(&h, b + start + length, bytes - start - length, tensor, error);
    if (status != LEAT_OK) memset(tensor, 0, sizeof *tensor);
    return status;
}

/* ---- writing ------------------------------------------------------------------------------------------------------------ */

static const char *code_of(leat_dtype dtype) {
    switch (dtype) {
    case LEAT_DTYPE_F32: case LEAT_DTYPE_BF16: return "<f4";
    case LEAT_DTYPE_F64: return "<f8";
    case LEAT_DTYPE_F16: return "<f2";
    case LEAT_DTYPE_I8: return "|i1";
    case LEAT_DTYPE_I16: return "<i2";
    case LEAT_DTYPE_I32: return "<i4";
    case LEAT_DTYPE_I64: return "<i8";
    case LEAT_DTYPE_U8: return "|u1";
    case LEAT_DTYPE_U16: return "<u2";
    case LEAT_DTYPE_U32: return "<u4";
    case LEAT_DTYPE_U64: return "<u8";
    case LEAT_DTYPE_BOOL: return "|b1";
    case LEAT_DTYPE_C64: return "<c8";
    case LEAT_DTYPE_C128: return "<c16";
    default: return NULL;
    }
}

static void add_header(leat_strbuf *buf, const leat_tensor *tensor) {
    char text[320];
    int n = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (", code_of(tensor->dtype));
    for (int d = 0; d < tensor->rank; d++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%lld,%s", (long long)tensor->dims[d], d + 1 < tensor->rank ? " " : "");
    n += snprintf(text + n, sizeof text - (size_t)n, "), }");
    size_t length = ((size_t)n + 1 + 10 + 63) / 64 * 64 - 10; /* data begins at a multiple of 64 */
    char prefix[10] = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, (char)(length & 255), (char)(length >> 8)};
    leat__strbuf_addn(buf, prefix, sizeof prefix);
    leat__strbuf_addn(buf, text, (size_t)n);
    for (size_t i = (size_t)n; i + 1 < length; i++) leat__strbuf_addn(buf, " ", 1);
    leat__strbuf_addn(buf, "\n", 1);
}

static void add_widened(leat_strbuf *buf, const uint16_t *from, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        float value = leat__bf16_to_f32(from[i]);
        leat__strbuf_addn(buf, (const char *)&value, sizeof value);
    }
}

int leat_tensor_save_npy(const char *path, const leat_tensor *tensor, leat_error *error) {
    size_t bytes = leat_tensor_bytes(tensor);
    if (!code_of(tensor->dtype))
        return leat__fail(error, LEAT_EUNSUPPORTED, "%s: .npy has no type for %s", path, leat_dtype_name(tensor->dtype));
    if (bytes == SIZE_MAX || (bytes && !tensor->data)) return leat__fail(error, LEAT_EINVAL, "%s: the tensor has no data", path);
    leat_strbuf buf = {0};
    add_header(&buf, tensor);
    if (tensor->dtype == LEAT_DTYPE_BF16) add_widened(&buf, tensor->data, leat_tensor_count(tensor));
    else if (bytes) leat__strbuf_addn(&buf, tensor->data, bytes);
    int status = buf.failed ? leat__fail(error, LEAT_ENOMEM, "%s: no memory to write it", path)
                            : leat__write_file(path, buf.text, buf.length, error);
    leat__strbuf_fini(&buf);
    return status;
}
