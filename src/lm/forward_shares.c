/* forward_shares.c - who takes which rows of a region's weights, and what each thread reads next (contract in runner.h).
 *
 * With few tokens a region is bound by memory, and memory gives most to a thread that reads on and on.  So each thread has a share, one run of rows, the same
 * in every step; it takes half of what is left of it again and again, from the front, and who is ready takes half of what another has left, from the back.  A
 * share is one word, begin and end.  What a thread reads behind its share is known before it gets there, the beginning of its share of the next region, and
 * kernels ask for that (leat_qact.next) while they are at the last rows.
 */
#include "lm/runner.h"

static uint64_t packed(uint64_t begin, uint64_t end) { return begin << 32 | end; }
static int64_t begin_of(uint64_t share) { return (int64_t)(share >> 32); }
static int64_t end_of(uint64_t share) { return (int64_t)(share & UINT32_MAX); }

static int64_t border(int64_t units, int threads, int worker) { return units * worker / threads; }

void leat__lm_cut(leat_lm_runner *r, int64_t units, int64_t unit_bytes, int64_t n, int64_t most, leat_lm_cuts *c) {
    const int64_t last_bytes = 16 << 10; /* of the smallest run with few tokens: a microsecond */
    *c = (leat_lm_cuts){.units = units, .least = 1 + last_bytes / (unit_bytes + 1), .most = most, .threads = r->threads, .n = r->threads};
    if (n <= LEAT_QMAT_FEW && units <= INT32_MAX) {
        c->shares = r->shares;
        for (int w = 0; w < r->threads; w++)
            atomic_store_explicit(&r->shares[w].left, packed((uint64_t)border(units, r->threads, w), (uint64_t)border(units, r->threads, w + 1)), memory_order_relaxed);
        return;
    }
    c->step = units / (4 * r->threads); /* even ones, of at most 64 rows */
    c->step = c->step < 1 ? 1 : c->step > 4 ? 4 : c->step;
    c->step = c->step < most ? c->step : most;
    c->n = (units + c->step - 1) / c->step;
}

/* Half of what is left of a share, its first part or its last. */
static int take_half(const leat_lm_cuts *c, int owner, int first, leat_lm_run *run) {
    _Atomic uint64_t *word = &c->shares[owner].left;
    uint64_t share = atomic_load_explicit(word, memory_order_relaxed), rest;
    do {
        int64_t begin = begin_of(share), end = end_of(share), n = c->threads > 1 ? (end - begin) / 2 : end - begin;
        if (begin == end) return 0;
        n = n < c->least ? c->least : n;
        n = n < c->most ? n : c->most;
        n = n < end - begin ? n : end - begin;
        run->first = first ? begin : end - n;
        run->last = run->first + n;
        run->ends = !first || run->last == end;
        rest = first ? packed((uint64_t)(begin + n), (uint64_t)end) : packed((uint64_t)begin, (uint64_t)(end - n));
    } while (!atomic_compare_exchange_weak_explicit(word, &share, rest, memory_order_relaxed, memory_order_relaxed));
    return 1;
}

int leat__lm_take(const leat_lm_cuts *c, int64_t index, int worker, leat_lm_run *run) {
    if (!c->shares) {
        int again = run->last > 0;
        run->first = index * c->step;
        run->last = run->first + c->step < c->units ? run->first + c->step : c->units;
        return !again;
    }
    if (take_half(c, worker, 1, run)) return 1;
    for (int i = 1; i < c->threads; i++)
        if (take_half(c, (worker + i) % c->threads, 0, run)) return 1;
    return 0;
}

void leat__lm_follow(leat_lm_runner *r, const leat_qmat *const *list, int count) {
    int64_t units = 0;
    for (int i = 0; i < count; i++) units += leat__lm_units(list[i]->rows);
    for (int w = 0; w < r->threads; w++) {
        int64_t at = border(units, r->threads, w);
        int     i = 0;
        while (i < count && at >= leat__lm_units(list[i]->rows)) at -= leat__lm_units(list[i++]->rows);
        r->next[w] = i < count ? list[i]->data + at * LEAT_QMAT_ROWS * list[i]->stride : NULL;
    }
}

void leat__lm_follow_layer(leat_lm_runner *r, int32_t index) {
    const leat_lm *lm = r->lm;
    const leat_lm_layer *l = &lm->layers[index];
    if (index < lm->params.layers) leat__lm_follow(r, (const leat_qmat *[]){&l->q, &l->k, &l->v}, 3);
    else leat__lm_follow(r, (const leat_qmat *[]){&lm->tensors.output}, lm->tensors.output.data != NULL);
}
