/* kv.c - the KV cache of one session: rows of keys and values of every layer and head, by position.
 *
 * [layer][K, V][kv head][row]: the rows of a head are neighbours, so that attention reads each head's rows in one sweep.  Memory is taken from the
 * OS as rows are filled, in huge pages (base/mem.c): since each head has pages of its own, the first token of a long context touches most of them (110 M parameters and 8192
 * tokens: 300 MB, 20 ms).  Small pages would be touched one by one and decode 5 to 25 % slower behind 5500 tokens.
 *
 * Layers that see all positions have a row for each.  Layers with a window W keep the last ones only, in order and without wrapping: row i is that of position first + i,
 * and when a step finds no room behind them, the last W + REWIND rows move to the front (once in a thousand tokens; attention knows nothing of it but where row 0 is).
 * So a session can go back by REWIND tokens at least; further back, rows are missing that the window of the next token looks at, and all is forgotten.
 */
#include <string.h>

#include "base/error.h"
#include "cpu/attn_kv.h"
#include "lm/lm_impl.h"

_Static_assert((int)LEAT_KV_F16 == (int)LEAT_KV_FORMAT_F16 && (int)LEAT_KV_F32 == (int)LEAT_KV_FORMAT_F32 && (int)LEAT_KV_Q8_0 == (int)LEAT_KV_FORMAT_Q8_0,
               "one numbering of formats");

#define REWIND 1024 /* or the window, where that is less */

static int32_t least(int64_t a, int64_t b) { return (int32_t)(a < b ? a : b); }

/* Rows of a layer with a window that stay when room is made. */
static int32_t kept_rows(const leat_lm_kv *kv) {
    int64_t window = kv->lm->params.window;
    return least(window + least(window, REWIND), kv->capacity);
}

static leat_lm_kv_rows lay_out(const leat_lm_kv *kv, int32_t places) {
    leat_lm_kv_rows rows = {.places = places, .k_head = kv->k_row * places, .v_head = kv->v_row * places};
    rows.v_offset = rows.k_head * kv->lm->params.kv_heads;
    rows.layer_bytes = rows.v_offset + rows.v_head * kv->lm->params.kv_heads;
    return rows;
}

/* Where each layer is.  0 when that is beyond all limits. */
static int place_layers(leat_lm_kv *kv, int32_t batch) {
    int64_t window = kv->lm->params.window, room = least(window, REWIND);
    if (room < batch) room = batch;
    kv->all = lay_out(kv, kv->capacity);
    kv->sliding = lay_out(kv, window > 0 ? least(kept_rows(kv) + room, kv->capacity) : kv->capacity);
    for (int32_t i = 0; i < kv->lm->params.layers; i++) { /* a layer's bytes: below 2^31 * 2^11 * 2^10 * 2 */
        kv->offset[i] = kv->bytes;
        if (__builtin_add_overflow(kv->bytes, leat__lm_kv_rows_of(kv, &kv->lm->layers[i])->layer_bytes, &kv->bytes) || kv->bytes > INT64_MAX / 4) return 0;
    }
    return 1;
}

static int describe(leat_lm_kv *kv, const leat_lm *lm, int32_t context, int32_t batch, leat_kv_type type, leat_error *error) {
    const leat_lm_params *p = &lm->params;
    *kv = (leat_lm_kv){.lm = lm, .capacity = context, .type = type};
    kv->k_row = (int64_t)leat__kv_row_bytes((leat_kv_format)type, p->k_width);
    kv->v_row = (int64_t)leat__kv_row_bytes((leat_kv_format)type, p->v_width);
    kv->main_rope = lm->ropes[LM_ROPE_LONG].frequency && context > p->original_context ? LM_ROPE_LONG : LM_ROPE_MAIN;
    if (!place_layers(kv, batch)) return leat__fail(error, LEAT_ELIMIT, "a context of %d tokens is too large", (int)context);
    kv->data = leat__alloc((size_t)kv->bytes, LEAT_MEMORY_ARENA);
    if (kv->data) return LEAT_OK;
    return leat__fail(error, LEAT_ENOMEM, "out of memory: the cache of %d tokens takes %lld MiB; ask for a smaller context", (int)context, (long long)(kv->bytes >> 20));
}

int leat__lm_kv_open(const leat_lm *lm, int32_t context, int32_t batch, leat_kv_type type, leat_lm_kv **out, leat_error *error) {
    const leat_lm_params *p = &lm->params;
    *out = NULL;
    if (context < 1) return leat__fail(error, LEAT_EINVAL, "context is %d, not positive", (int)context);
    if ((unsigned)type > LEAT_KV_Q8_0) return leat__fail(error, LEAT_EINVAL, "kv_type %d is unknown", (int)type);
    if (type == LEAT_KV_Q8_0 && (p->k_width % 32 || p->v_width % 32))
        return leat__fail(error, LEAT_EINVAL, "kv_type q8_0 needs heads of a multiple of 32 elements, this model's have %d: use f16", (int)p->k_width);
    leat_lm_kv *kv = leat__alloc(sizeof *kv + (size_t)p->layers * sizeof *kv->offset, LEAT_MEMORY_PLAN);
    if (!kv) return leat__fail(error, LEAT_ENOMEM, "out of memory for a session");
    int status = describe(kv, lm, context, batch, type, error);
    if (status == LEAT_OK) *out = kv;
    else leat__free(kv);
    return status;
}

void leat__lm_kv_close(leat_lm_kv *kv) {
    if (!kv) return;
    leat__free(kv->data);
    leat__free(kv);
}

uint64_t leat__lm_kv_bytes(const leat_lm_kv *kv) { return (uint64_t)kv->bytes; }

/* ---- rows that go ----------------------------------------------------------------------------------------------------------- */

/* The first position that the window of position `next` looks at. */
static int32_t needed_from(const leat_lm_kv *kv, int64_t next) {
    int64_t from = next - kv->lm->params.window + 1;
    return from > 0 ? (int32_t)from : 0;
}

int32_t leat__lm_kv_truncate(leat_lm_kv *kv, int32_t length) {
    if (length >= kv->length) return kv->length;
    if (length < 0 || needed_from(kv, length) < kv->sliding.first) length = 0;
    if (length == 0) kv->sliding.first = 0;
    return kv->length = length;
}

/* The last `count` rows of each head to the front. */
static void move_rows(const leat_lm_kv *kv, int32_t index, int32_t count) {
    const leat_lm_kv_rows *rows = &kv->sliding;
    int64_t from = kv->length - count - rows->first;
    for (int32_t h = 0; h < kv->lm->params.kv_heads; h++) {
        uint8_t *k = kv->data + kv->offset[index] + h * rows->k_head, *v = kv->data + kv->offset[index] + rows->v_offset + h * rows->v_head;
        memmove(k, k + from * kv->k_row, (size_t)(count * kv->k_row));
        memmove(v, v + from * kv->v_row, (size_t)(count * kv->v_row));
    }
}

int leat__lm_kv_make_room(leat_lm_kv *kv, int32_t count) {
    int64_t held = (int64_t)kv->length - kv->sliding.first, kept = kept_rows(kv);
    if (kv->lm->params.window <= 0 || held + count <= kv->sliding.places) return 1;
    if (kept > held) kept = held;
    if (kept > kv->sliding.places - count) kept = kv->sliding.places - count;
    if (kept < kv->length - needed_from(kv, kv->length)) return 0;
    for (int32_t i = 0; i < kv->lm->params.layers; i++)
        if (kv->lm->layers[i].window > 0) move_rows(kv, i, (int32_t)kept);
    kv->sliding.first = kv->length - (int32_t)kept;
    return 1;
}

/* ---- in files --------------------------------------------------------------------------------------------------------------- */

int32_t leat__lm_kv_first(const leat_lm_kv *kv) {
    int32_t kept = kept_rows(kv), first = kv->length > kept ? kv->length - kept : 0;
    return kv->lm->params.window <= 0 ? 0 : first > kv->sliding.first ? first : kv->sliding.first;
}

int leat__lm_kv_may_begin(const leat_lm_kv *kv, uint32_t first, uint32_t length) {
    if (first == 0) return length <= (uint32_t)kv->sliding.places;
    return kv->lm->params.window > 0 && first <= length && length - first <= (uint32_t)kv->sliding.places && (int64_t)first <= needed_from(kv, length);
}
