/* sample_select.c - partial selection: the best of 128k tokens without sorting them.
 *
 * Two devices.  *Blocks*: the largest logit of each 256 tokens is known; the k-th largest of those is reached by at least k tokens, so a scan for everything above it
 * touches few blocks.  *Radix*: floats become unsigned keys of the same order, and three histograms of 11, 11 and 10 bits find the exact key at which a count or a
 * probability mass is reached; equal keys go by place.  Both take time linear in the vocabulary, whatever is in it. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "cpu/vmath.h"
#include "lm/sample.h"

enum { FEW_BLOCKS = 512 };

float leat__sample_blocks(leat_lm_sampler *s) {
    const leat_vmath_table *v = leat__vmath();
    float most = -INFINITY;
    for (int32_t b = 0; b < s->blocks; b++) {
        int64_t at = (int64_t)b * LM_SAMPLE_BLOCK, left = s->vocabulary - at;
        s->block_most[b] = v->red[LEAT_VRED_MAX](s->logits + at, left < LM_SAMPLE_BLOCK ? left : LM_SAMPLE_BLOCK);
        if (s->block_most[b] > most) most = s->block_most[b];
    }
    return most;
}

void leat__sample_collect(leat_lm_sampler *s, float least) {
    leat_lm_candidates *p = &s->pick;
    p->n = 0;
    for (int32_t b = 0; b < s->blocks; b++) {
        if (!(s->block_most[b] >= least)) continue;
        int32_t end = (b + 1) * LM_SAMPLE_BLOCK < s->vocabulary ? (b + 1) * LM_SAMPLE_BLOCK : s->vocabulary;
        for (int32_t t = b * LM_SAMPLE_BLOCK; t < end; t++) {
            p->ids[p->n] = t;
            p->values[p->n] = s->logits[t];
            p->n += s->logits[t] >= least && s->logits[t] > -INFINITY;
        }
    }
}

/* The smallest of a heap [n] is at 0; puts `value` in its place. */
static void sift(float *heap, int64_t n, float value) {
    int64_t at = 0;
    for (int64_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= value) break;
        heap[at] = heap[child];
    }
    heap[at] = value;
}

float leat__sample_bound(leat_lm_sampler *s, int64_t count) {
    float *heap = s->exps;
    if (count > s->blocks || count > FEW_BLOCKS) return -INFINITY;
    for (int64_t i = 0; i < count; i++) heap[i] = -INFINITY;
    for (int32_t b = 0; b < s->blocks; b++)
        if (s->block_most[b] > heap[0]) sift(heap, count, s->block_most[b]);
    return heap[0];
}

/* ---- radix ------------------------------------------------------------------------------------------------------------------ */

/* Unsigned numbers in the order of the floats, -0 as 0. */
static void order_keys(const float *values, uint32_t *keys, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        float    value = values[i] + 0.0f;
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        keys[i] = bits ^ (bits >> 31 ? 0xFFFFFFFFu : 0x80000000u);
    }
}

/* Sums the weights of the keys that begin with the bits of `edge` above shift + bits, by the next `bits`. */
static void histogram(const leat_lm_sampler *s, const float *weights, uint32_t edge, int shift, int bits) {
    uint32_t above = shift + bits < 32 ? ~0u << (shift + bits) : 0, low = (1u << bits) - 1;
    memset(s->sums, 0, LM_SAMPLE_RADIX * sizeof *s->sums);
    for (int64_t i = 0; i < s->pick.n; i++)
        if (((s->keys[i] ^ edge) & above) == 0) s->sums[s->keys[i] >> shift & low] += weights ? (double)weights[i] : 1.0;
}

/* The key at which `enough` is reached, coming from the highest; *held: what lies above it. */
static uint32_t find_edge(const leat_lm_sampler *s, const float *weights, double enough, double *held) {
    static const int shifts[] = {21, 10, 0}, widths[] = {11, 11, 10};
    uint32_t edge = 0;
    *held = 0;
    for (int level = 0; level < 3; level++) {
        histogram(s, weights, edge, shifts[level], widths[level]);
        uint32_t at = (1u << widths[level]) - 1;
        for (; at > 0 && *held + s->sums[at] < enough; at--) *held += s->sums[at];
        edge |= at << shifts[level];
    }
    return edge;
}

void leat__sample_keep(leat_lm_sampler *s, const float *keys, const float *weights, double enough) {
    leat_lm_candidates *p = &s->pick;
    double  held;
    int64_t kept = 0;
    order_keys(keys, s->keys, p->n);
    enough = enough > 0 ? enough : DBL_MIN; /* one stays in any case */
    uint32_t edge = find_edge(s, weights, enough, &held);
    for (int64_t i = 0; i < p->n; i++) {
        int in = s->keys[i] > edge || (s->keys[i] == edge && held < enough);
        if (s->keys[i] == edge) held += weights ? (double)weights[i] : 1.0;
        p->ids[kept] = p->ids[i];
        p->values[kept] = p->values[i];
        p->weights[kept] = p->weights[i];
        kept += in;
    }
    p->n = kept;
}
