/* runner.c - the memory of a step, one block that is laid out when the runner is opened. */
#include "lm/runner.h"

#include "base/error.h"

#define HALF_FLOATS 8192 /* of a thread, for its part of gate and up: at least; and 2 * 64 columns of all rows */

typedef struct layout {
    uint8_t *base; /* NULL: only the size is wanted */
    uint64_t used;
    int      overflow;
} layout;

/* Takes count * size bytes, with room to over-read. */
static void *take(layout *l, uint64_t count, uint64_t size) {
    uint64_t bytes, at = l->used;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > UINT64_C(1) << 48 || at > UINT64_C(1) << 48) {
        l->overflow = 1;
        return NULL;
    }
    l->used = at + (bytes + LEAT_TAIL_BYTES + LEAT_ALIGN - 1) / LEAT_ALIGN * LEAT_ALIGN;
    return l->base ? l->base + at : NULL;
}

static uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* Of one thread: kernels' scratch, then floats. */
static void size_scratch(leat_lm_runner *r) {
    const leat_lm_params *p = &r->lm->params;
    uint64_t kernel = larger(leat__attn_kv_scratch_bytes(p->k_width, p->v_width), leat__qmat_scratch_bytes(p->width));
    kernel = larger(kernel, leat__qmat_scratch_bytes(p->size[LM_O]));
    kernel = larger(kernel, leat__qmat_scratch_bytes(larger((uint64_t)p->ffn_width, larger((uint64_t)p->expert_width, (uint64_t)p->shared_width))));
    r->kernel_bytes = (kernel + LEAT_TAIL_BYTES + LEAT_ALIGN - 1) / LEAT_ALIGN * LEAT_ALIGN;
    uint64_t floats = larger(HALF_FLOATS, 128 * (uint64_t)r->capacity) * sizeof(float);
    r->scratch_bytes = r->kernel_bytes + floats + LEAT_ALIGN;
    r->shared_bytes = (leat__attn_kv_shared_bytes(p->heads, p->v_width) + LEAT_ALIGN - 1) / LEAT_ALIGN * LEAT_ALIGN;
}

/* qact_bytes() has parts that do not grow with n: what a slot takes when each is alone is enough for any split, given one more for each expert. */
static void lay_out_experts(leat_lm_runner *r, layout *l) {
    const leat_lm_params *p = &r->lm->params;
    leat_lm_moe *m = &r->moe;
    uint64_t n = (uint64_t)r->capacity, experts = (uint64_t)p->experts, slots = n * (uint64_t)p->experts_used;
    m->slot_in = (leat__qact_bytes(1, p->width) + LEAT_ALIGN - 1) / LEAT_ALIGN * LEAT_ALIGN;
    m->slot_mid = (leat__qact_bytes(1, p->expert_width) + LEAT_ALIGN - 1) / LEAT_ALIGN * LEAT_ALIGN;
    m->scores = take(l, n * experts, sizeof *m->scores);
    m->expert = take(l, slots, sizeof *m->expert);
    m->weight = take(l, slots, sizeof *m->weight);
    m->slot = take(l, slots, sizeof *m->slot);
    m->row = take(l, slots, sizeof *m->row);
    m->first = take(l, experts, sizeof *m->first);
    m->count = take(l, experts, sizeof *m->count);
    m->active = take(l, experts, sizeof *m->active);
    m->in = take(l, (slots > n ? slots : n) * (uint64_t)p->width, sizeof *m->in);
    m->mid = take(l, slots * (uint64_t)p->expert_width, sizeof *m->mid);
    m->memory_in = take(l, slots + experts, m->slot_in);
    m->memory_mid = take(l, slots + experts, m->slot_mid);
    m->act_in = take(l, experts, sizeof *m->act_in);
    m->act_mid = take(l, experts, sizeof *m->act_mid);
}

static uint64_t lay_out(leat_lm_runner *r, uint8_t *base) {
    const int64_t *size = r->lm->params.size;
    layout   l = {.base = base};
    uint64_t n = (uint64_t)r->capacity, width = n * (uint64_t)size[LM_WIDTH], ffn = r->lm->params.experts ? (uint64_t)size[LM_SHARED_FFN] : (uint64_t)size[LM_FFN];
    r->x = take(&l, width, sizeof(float));
    r->h = take(&l, width, sizeof(float));
    r->o = take(&l, width, sizeof(float));
    r->qkv = take(&l, n * (uint64_t)size[LM_QKV], sizeof(float));
    r->att = take(&l, n * (uint64_t)size[LM_O], sizeof(float));
    r->ffn = ffn ? take(&l, n * ffn, sizeof(float)) : NULL;
    r->angles = take(&l, 2 * n * 2 * (uint64_t)size[LM_ROPE_HALF], sizeof(float));
    r->memory_h = take(&l, leat__qact_bytes(r->capacity, size[LM_WIDTH]), 1);
    r->memory_att = take(&l, leat__qact_bytes(r->capacity, size[LM_O]), 1);
    r->memory_ffn = ffn ? take(&l, leat__qact_bytes(r->capacity, (int64_t)ffn), 1) : NULL;
    r->scratch = take(&l, (uint64_t)r->threads, r->scratch_bytes);
    r->shared = take(&l, LEAT_LM_SPANS, r->shared_bytes);
    r->spans = take(&l, n, sizeof *r->spans);
    r->positions = take(&l, n, sizeof *r->positions);
    r->wanted = take(&l, n, sizeof *r->wanted);
    r->shares = take(&l, (uint64_t)r->threads, sizeof *r->shares);
    r->next = take(&l, (uint64_t)r->threads, sizeof *r->next);
    if (r->lm->params.experts) lay_out_experts(r, &l);
    return l.overflow ? 0 : l.used;
}

int leat__lm_runner_open(leat_lm *lm, int32_t rows, int32_t wanted, int threads, leat_lm_runner **out, leat_error *error) {
    *out = NULL;
    if (rows < 1 || rows > 1 << 20) return leat__fail(error, LEAT_EINVAL, "%d rows in a step, not in 1..%d", (int)rows, 1 << 20);
    leat_lm_runner *r = leat__calloc(1, sizeof *r, LEAT_MEMORY_PLAN);
    if (!r) return leat__fail(error, LEAT_ENOMEM, "out of memory");
    r->lm = lm;
    r->capacity = rows;
    r->threads = leat_tpool_threads(lm->pool);
    if (threads > 0 && threads < r->threads) r->threads = threads;
    size_scratch(r);
    r->bytes = lay_out(r, NULL);
    r->memory = r->bytes ? leat__alloc(r->bytes, LEAT_MEMORY_ARENA) : NULL;
    if (!r->memory) {
        leat__free(r);
        return leat__fail(error, LEAT_ENOMEM, "out of memory: steps of %d rows need too much; ask for a smaller batch", (int)rows);
    }
    lay_out(r, r->memory);
    *out = r;
    return LEAT_OK;
}

void leat__lm_runner_close(leat_lm_runner *r) {
    if (!r) return;
    leat__free(r->memory);
    leat__free(r);
}

uint64_t leat__lm_runner_bytes(const leat_lm_runner *r) { return r->bytes; }
uint64_t leat__lm_runner_allocations(const leat_lm_runner *r) { return r->hot_allocations; }
