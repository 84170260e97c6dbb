/* kv.c - the KV cache of one session: rows of keys and values of every layer and head, by position.
 *
 * [layer][K, V][kv head][position]: the positions of a head are neighbours, so that attention reads each head's rows in one sweep.  Memory is taken from the OS
 * page by page as positions are filled. */
#include <string.h>

#include "base/error.h"
#include "cpu/attn_kv.h"
#include "lm/lm_impl.h"

_Static_assert((int)LEAT_KV_F16 == (int)LEAT_KV_FORMAT_F16 && (int)LEAT_KV_F32 == (int)LEAT_KV_FORMAT_F32 && (int)LEAT_KV_Q8_0 == (int)LEAT_KV_FORMAT_Q8_0,
               "one numbering of formats");

int leat__lm_kv_open(const leat_lm *lm, int32_t context, leat_kv_type type, leat_lm_kv **out, leat_error *error) {
    const leat_lm_params *p = &lm->params;
    *out = NULL;
    if (context < 1) return leat__fail(error, LEAT_EINVAL, "context is %d, not positive", (int)context);
    if ((unsigned)type > LEAT_KV_Q8_0) return leat__fail(error, LEAT_EINVAL, "kv_type %d is unknown", (int)type);
    if (type == LEAT_KV_Q8_0 && (p->k_width % 32 || p->v_width % 32))
        return leat__fail(error, LEAT_EINVAL, "kv_type q8_0 needs heads of a multiple of 32 elements, this model's have %d: use f16", (int)p->k_width);
    leat_lm_kv kv = {.lm = lm, .capacity = context, .type = type};
    kv.k_row = (int64_t)leat__kv_row_bytes((leat_kv_format)type, p->k_width);
    kv.v_row = (int64_t)leat__kv_row_bytes((leat_kv_format)type, p->v_width);
    kv.k_head = kv.k_row * context;
    kv.v_head = kv.v_row * context;
    kv.v_offset = kv.k_head * p->kv_heads;
    kv.layer_bytes = kv.v_offset + kv.v_head * p->kv_heads;
    kv.main_rope = lm->ropes[LM_ROPE_LONG].frequency && context > p->original_context ? LM_ROPE_LONG : LM_ROPE_MAIN;
    int64_t bytes; /* a layer's: below 2^31 * 2^11 * 2^10 * 2 */
    if (__builtin_mul_overflow(kv.layer_bytes, (int64_t)p->layers, &bytes) || bytes > INT64_MAX / 4)
        return leat__fail(error, LEAT_ELIMIT, "a context of %d tokens is too large", (int)context);
    *out = leat__alloc(sizeof kv, LEAT_MEMORY_PLAN);
    kv.data = *out ? leat__alloc((size_t)bytes, LEAT_MEMORY_ARENA) : NULL;
    if (*out && kv.data) {
        **out = kv;
        return LEAT_OK;
    }
    leat__free(*out);
    *out = NULL;
    return leat__fail(error, LEAT_ENOMEM, "out of memory: the cache of %d tokens takes %lld MiB; ask for a smaller context", (int)context, (long long)(bytes >> 20));
}

void leat__lm_kv_close(leat_lm_kv *kv) {
    if (!kv) return;
    leat__free(kv->data);
    leat__free(kv);
}

void leat__lm_kv_truncate(leat_lm_kv *kv, int32_t length) {
    if (length < kv->length) kv->length = length < 0 ? 0 : length;
}

uint64_t leat__lm_kv_bytes(const leat_lm_kv *kv) { return (uint64_t)kv->layer_bytes * (uint64_t)kv->lm->params.layers; }
