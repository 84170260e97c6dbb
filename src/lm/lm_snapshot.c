/* lm_snapshot.c - a session in a file and back (contract in leat/lm.h).
 *
 * The file, little-endian:
 *   1. the header below
 *   2. tokens i32 [length]
 *   3. logits f32 [vocabulary], where there are any
 *   4. for each layer: K rows [kv heads][length], V rows [kv heads][length], as the cache holds them; of layers with a window only rows from position `first` on
 * The header names the model, by a fingerprint of its metadata, its directory and the beginning of every tensor; a hash covers all of the file.  Everything is
 * compared with the session before anything of it changes.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "lm/gguf_impl.h"
#include "lm/lm_impl.h"

#define VERSION 2

typedef struct header {
    char     magic[8]; /* "LEATSESS" */
    uint32_t version, kv_type;
    uint64_t fingerprint;
    uint32_t layers, kv_heads, k_row, v_row; /* bytes of rows */
    uint32_t vocabulary, length, has_logits, first;
    uint64_t seed, draws;
    uint64_t hash;     /* of the header with 0 in this place, and of all behind it */
    char     model[88]; /* its name or architecture, NUL-terminated */
} header;
_Static_assert(sizeof(header) == 168, "as in files");

/* ---- hash ---------------------------------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t bytes) {
    const uint8_t *at = data;
    uint64_t word;
    hash = mix(hash, bytes);
    for (; bytes >= 8; bytes -= 8, at += 8) {
        memcpy(&word, at, 8);
        hash = mix(hash, word);
    }
    word = 0;
    if (bytes) memcpy(&word, at, bytes);
    return mix(hash, word);
}

static uint64_t fingerprint(const leat_lm *lm) {
    const leat_gguf *file = lm->file;
    uint64_t hash = mix(0, file->bytes);
    for (uint64_t i = 0; i < file->info.values; i++) {
        hash = hash_bytes(hash, file->values[i].key, strlen(file->values[i].key));
        hash = hash_bytes(hash, file->values[i].data, (size_t)file->values[i].bytes);
    }
    for (uint64_t i = 0; i < file->info.tensors; i++) {
        const leat_gguf_tensor *t = &file->tensors[i];
        hash = hash_bytes(hash, t->name, strlen(t->name));
        hash = hash_bytes(mix(hash, (uint64_t)t->type), t->dims, sizeof t->dims);
        hash = hash_bytes(hash, t->data, t->bytes < 64 ? (size_t)t->bytes : 64);
    }
    return hash;
}

/* ---- parts ----------------------------------------------------------------------------------------------------------------------- */

static void fill_header(const leat_lm_session *s, header *h) {
    const leat_lm_params *p = &s->lm->params;
    *h = (header){.magic = {'L', 'E', 'A', 'T', 'S', 'E', 'S', 'S'}, .version = VERSION, .kv_type = (uint32_t)s->kv->type};
    h->fingerprint = fingerprint(s->lm);
    h->layers = (uint32_t)p->layers, h->kv_heads = (uint32_t)p->kv_heads;
    h->k_row = (uint32_t)s->kv->k_row, h->v_row = (uint32_t)s->kv->v_row;
    h->vocabulary = (uint32_t)p->vocabulary;
    h->length = (uint32_t)s->kv->length;
    h->first = (uint32_t)leat__lm_kv_first(s->kv);
    h->has_logits = (uint32_t)s->has_logits;
    h->seed = s->seed, h->draws = s->draws;
    snprintf(h->model, sizeof h->model, "%s", s->lm->info.name[0] ? s->lm->info.name : s->lm->info.architecture);
}

static size_t part_count(const leat_lm_session *s) { return 2 + 2 * (size_t)s->lm->params.layers * (size_t)s->lm->params.kv_heads; }

/* What follows the header h; in the session's own memory, where layers with a window have the row of position `at` in front. */
static size_t list_parts(const leat_lm_session *s, const header *h, int32_t at, leat_file_part *parts) {
    const leat_lm_kv *kv = s->kv;
    size_t n = 0;
    parts[n++] = (leat_file_part){s->tokens, h->length * sizeof *s->tokens};
    if (h->has_logits) parts[n++] = (leat_file_part){s->logits, (size_t)s->lm->params.vocabulary * sizeof *s->logits};
    for (int32_t layer = 0; layer < s->lm->params.layers; layer++) {
        const leat_lm_kv_rows *rows = leat__lm_kv_rows_of(kv, &s->lm->layers[layer]);
        uint8_t *data = kv->data + kv->offset[layer];
        int64_t  skip = rows == &kv->sliding ? (int64_t)h->first - at : 0;
        size_t   count = h->length - (rows == &kv->sliding ? h->first : 0);
        for (int32_t i = 0; i < s->lm->params.kv_heads; i++) parts[n++] = (leat_file_part){data + i * rows->k_head + skip * kv->k_row, count * (size_t)kv->k_row};
        for (int32_t i = 0; i < s->lm->params.kv_heads; i++) parts[n++] = (leat_file_part){data + rows->v_offset + i * rows->v_head + skip * kv->v_row, count * (size_t)kv->v_row};
    }
    return n;
}

/* ---- saving ---------------------------------------------------------------------------------------------------------------------- */

int leat_lm_session_save(const leat_lm_session *s, const char *path, leat_error *error) {
    header h;
    int status = leat__lm_session_free(s, "leat_lm_session_save", error);
    if (status) return status;
    if (!path) return leat__fail(error, LEAT_EINVAL, "leat_lm_session_save: path may not be NULL");
    leat_file_part *parts = leat__calloc(part_count(s) + 1, sizeof *parts, LEAT_MEMORY_OTHER);
    if (!parts) return leat__fail(error, LEAT_ENOMEM, "%s: out of memory", path);
    fill_header(s, &h);
    parts[0] = (leat_file_part){&h, sizeof h};
    size_t n = 1 + list_parts(s, &h, s->kv->sliding.first, parts + 1);
    uint64_t hash = 0;
    for (size_t i = 0; i < n; i++) hash = hash_bytes(hash, parts[i].data, parts[i].bytes);
    h.hash = hash;
    status = leat__write_parts(path, parts, n, error);
    leat__free(parts);
    return status;
}

/* ---- loading --------------------------------------------------------------------------------------------------------------------- */

/* Whether the file is one of this session's model that fits it. */
static int check_header(const leat_lm_session *s, const header *h, size_t bytes, leat_error *error) {
    header own;
    if (bytes < sizeof *h || memcmp(h->magic, "LEATSESS", 8) != 0) return leat__fail(error, LEAT_EFORMAT, "not a session of Leat");
    if (h->version != VERSION) return leat__fail(error, LEAT_EUNSUPPORTED, "a session of version %u; version %d is read", h->version, VERSION);
    fill_header(s, &own);
    if (h->fingerprint != own.fingerprint || h->vocabulary != own.vocabulary || h->layers != own.layers || h->kv_heads != own.kv_heads)
        return leat__fail(error, LEAT_ESTATE, "the session belongs to another model, '%.87s', this one is '%s'", h->model[87] ? "" : h->model, own.model);
    if (h->kv_type != own.kv_type || h->k_row != own.k_row || h->v_row != own.v_row)
        return leat__fail(error, LEAT_ESTATE, "the session's cache is of kv_type %u, this one's of %u", h->kv_type, own.kv_type);
    if (h->length > (uint32_t)s->kv->capacity || h->has_logits > 1)
        return leat__fail(error, LEAT_ELIMIT, "the session holds %u tokens, the context %d", h->length, (int)s->kv->capacity);
    if (!leat__lm_kv_may_begin(s->kv, h->first, h->length)) return leat__fail(error, LEAT_EFORMAT, "the session's first row is that of position %u of %u", h->first, h->length);
    return LEAT_OK;
}

/* Tokens are looked at before they are taken over; floats need no check. */
static int check_payload(const leat_lm_session *s, const header *h, const uint8_t *payload, const leat_file_part *parts, size_t n, leat_error *error) {
    header blank = *h;
    const uint8_t *at = payload;
    blank.hash = 0;
    uint64_t hash = hash_bytes(0, &blank, sizeof blank);
    for (size_t i = 0; i < n; at += parts[i++].bytes) hash = hash_bytes(hash, at, parts[i].bytes);
    if (hash != h->hash) return leat__fail(error, LEAT_EFORMAT, "the session's file is damaged: its hash is another one");
    for (uint32_t i = 0; i < h->length; i++) {
        int32_t token;
        memcpy(&token, payload + i * sizeof token, sizeof token);
        if (token < 0 || token >= s->lm->params.vocabulary) return leat__fail(error, LEAT_EFORMAT, "the session's token %u is out of range", i);
    }
    return LEAT_OK;
}

static int load(leat_lm_session *s, const leat_mapping *file, leat_file_part *parts, leat_error *error) {
    header h = {0};
    if (file->bytes >= sizeof h) memcpy(&h, file->data, sizeof h);
    int status = check_header(s, &h, file->bytes, error);
    if (status) return status;
    size_t n = list_parts(s, &h, (int32_t)h.first, parts), bytes = sizeof h;
    for (size_t i = 0; i < n; i++) bytes += parts[i].bytes;
    if (bytes != file->bytes) return leat__fail(error, LEAT_EFORMAT, "the session's file has %zu bytes in place of %zu: it is truncated or damaged", file->bytes, bytes);
    const uint8_t *at = file->data + sizeof h;
    status = check_payload(s, &h, at, parts, n, error);
    if (status) return status;
    for (size_t i = 0; i < n; at += parts[i++].bytes)
        if (parts[i].bytes) memcpy((void *)(uintptr_t)parts[i].data, at, parts[i].bytes);
    s->kv->length = (int32_t)h.length;
    s->kv->sliding.first = (int32_t)h.first;
    s->has_logits = (int)h.has_logits;
    s->seed = h.seed, s->draws = h.draws;
    return LEAT_OK;
}

int leat_lm_session_load(leat_lm_session *s, const char *path, leat_error *error) {
    leat_mapping file;
    int status = leat__lm_session_free(s, "leat_lm_session_load", error);
    if (status) return status;
    if (!path) return leat__fail(error, LEAT_EINVAL, "leat_lm_session_load: path may not be NULL");
    leat__lm_kv_truncate(s->kv, 0);
    s->has_logits = 0;
    status = leat__map_file(path, &file, error);
    if (status) return status;
    leat_file_part *parts = leat__calloc(part_count(s), sizeof *parts, LEAT_MEMORY_OTHER);
    status = parts ? load(s, &file, parts, error) : leat__fail(error, LEAT_ENOMEM, "out of memory");
    if (status) leat__fail_prefix(error, status, "%s", path);
    leat__free(parts);
    leat__unmap(&file);
    return status;
}
