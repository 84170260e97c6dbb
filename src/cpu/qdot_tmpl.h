/* qdot_tmpl.h - rows of the formats that are met less often times one, two or four tokens, one text for AVX2 and AVX-512; see qdot.h.
 *
 * The including file defines DOT(w, x): the sums of four products each, as 8 integers; w is unsigned.
 *
 * A row is one stream through memory, taken in chunks of 256 weights.  A group of 32 is unpacked once and multiplied with every token; its sums go to float32 and
 * are added with the product of both scales, which were multiplied for the whole chunk at once and are broadcast from the stack by the load itself.
 * The offset of unsigned weights, like minima, is one multiply-add a chunk: sum of scale * bias.  Sums are joined when the row ends.
 * With one token four sums run side by side, since each waits for the one before it. */
#ifndef LEAT_CPU_QDOT_TMPL_H
#define LEAT_CPU_QDOT_TMPL_H

#include "cpu/qdot_unpack_tmpl.h"

enum { CHUNK = 256, MOST_TOKENS = 4, MOST_CHUNK_BYTES = 272, SEGMENT = 8 };

typedef struct sums {
    __m256 main[MOST_TOKENS], minimum[MOST_TOKENS]; /* main: with few tokens several for each */
} sums;

/* A chunk of the tokens. */
typedef struct chunk {
    const int8_t  *q;
    const float   *scale, *bias;
    const int16_t *sum;
    int64_t        groups;
} chunk;

INLINE __m256 dup_low(__m256 v) { return _mm256_permutevar8x32_ps(v, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3)); }
INLINE __m256 dup_high(__m256 v) { return _mm256_permutevar8x32_ps(v, _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7)); }

/* Scales of both sides multiplied, [token][16 halves or 8 groups]; minima and offsets added up. */
INLINE void chunk_scales(const int f, const uint8_t *b, const chunk *x, const int tokens, float product[MOST_TOKENS][16], sums *s) {
    factors w;
    scales(f, b, &w);
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) {
        __m256 scale = _mm256_loadu_ps(x->scale + t * x->groups);
        if (!has_halves(f)) {
            _mm256_store_ps(product[t], _mm256_mul_ps(w.scale[0], scale));
            if (has_minima(f) || offset(f)) s->minimum[t] = _mm256_fmadd_ps(has_minima(f) ? w.minimum[0] : w.scale[0], _mm256_loadu_ps(x->bias + t * x->groups), s->minimum[t]);
            continue;
        }
#pragma GCC unroll 2
        for (int h = 0; h < 2; h++) {
            const __m128i *sum = (const __m128i *)(const void *)(x->sum + 2 * t * x->groups + 8 * h);
            __m256         both = h ? dup_high(scale) : dup_low(scale), total = _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(_mm_loadu_si128(sum)));
            __m256         joint = _mm256_mul_ps(w.scale[h], both);
            _mm256_store_ps(product[t] + 8 * h, joint);
            s->minimum[t] = _mm256_fmadd_ps(has_minima(f) ? _mm256_mul_ps(w.minimum[h], both) : joint, total, s->minimum[t]);
        }
    }
}

INLINE __m256 group_scale(const int f, const float *product, const int j) {
    if (!has_halves(f)) return _mm256_set1_ps(product[j]);
    return _mm256_permutevar8x32_ps(_mm256_load_ps(product + 8 * (j / 4)), _mm256_add_epi32(_mm256_set1_epi32(j % 4 * 2), _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1)));
}

INLINE void add_chunk(const int f, const uint8_t *b, const chunk *x, const int tokens, float product[MOST_TOKENS][16], sums *s) {
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++) {
        __m256i w = group(f, b, j);
#pragma GCC unroll 4
        for (int t = 0; t < tokens; t++) {
            const int     chain = tokens == 1 ? j % 4 : tokens == 2 ? 2 * t + j % 2 : t;
            const int8_t *q = x->q + 32 * (t * x->groups + j);
            __m256i       sum = DOT(w, _mm256_loadu_si256((const __m256i *)(const void *)q));
            s->main[chain] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), group_scale(f, product[t], j), s->main[chain]);
        }
    }
}

INLINE void advance(chunk *x) {
    x->q += CHUNK;
    x->scale += CHUNK / 32;
    x->bias += CHUNK / 32;
    x->sum += CHUNK / 16;
}

/* `count` chunks, at most SEGMENT: all their scales first, since a multiply-add that waits for its scale holds up the ones behind it. */
INLINE void add_segment(const int f, const uint8_t *w, int64_t count, chunk *x, const int tokens, sums *s) {
    _Alignas(32) float product[SEGMENT][MOST_TOKENS][16];
    chunk at = *x;
    for (int64_t i = 0; i < count; i++) {
        chunk_scales(f, w + i * chunk_bytes(f), &at, tokens, product[i], s);
        advance(&at);
    }
    __asm__("" : "+m"(product)); /* or gcc takes single lanes out of the registers */
    for (int64_t i = 0; i < count; i++) {
        look_ahead(w + i * chunk_bytes(f), chunk_bytes(f), NEAR);
        add_chunk(f, w + i * chunk_bytes(f), x, tokens, product[i], s);
        advance(x);
    }
}

INLINE float total(__m256 v) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

INLINE void finish(const int f, const sums *s, const int tokens, float *y, int64_t ldy) {
#pragma GCC unroll 4
    for (int t = 0; t < tokens; t++) {
        __m256 v = tokens == 1   ? _mm256_add_ps(_mm256_add_ps(s->main[0], s->main[1]), _mm256_add_ps(s->main[2], s->main[3]))
                   : tokens == 2 ? _mm256_add_ps(s->main[2 * t], s->main[2 * t + 1])
                                 : s->main[t];
        const float factor = has_minima(f) ? 1 : (float)offset(f);
        y[t * ldy] = total(factor > 0 ? _mm256_fnmadd_ps(_mm256_set1_ps(factor), s->minimum[t], v) : v);
    }
}

INLINE void row(const int f, const uint8_t *w, const leat_qact *act, int64_t first, const int tokens, float *y, int64_t ldy) {
    chunk x = {act->q + 32 * first * act->groups, act->scale + first * act->groups, act->bias + first * act->groups, act->sum + 2 * first * act->groups, act->groups};
    sums  s;
#pragma GCC unroll 4
    for (int i = 0; i < MOST_TOKENS; i++) s.main[i] = s.minimum[i] = _mm256_setzero_ps();
    for (int64_t left = act->cols / CHUNK, n; left > 0; left -= n) {
        n = left < SEGMENT ? left : SEGMENT;
        add_segment(f, w, n, &x, tokens, &s);
        w += n * chunk_bytes(f);
    }
    if (is_small(f) && act->cols % CHUNK) {
        uint8_t rest[MOST_CHUNK_BYTES] = {0};
        memcpy(rest, w, (size_t)(act->cols % CHUNK / 32 * small_bytes(f)));
        add_segment(f, rest, 1, &x, tokens, &s);
    }
    finish(f, &s, tokens, y, ldy);
}

INLINE void all_rows(const int f, const uint8_t *w, int64_t stride, int64_t rows, const leat_qact *act, float *y, int64_t ldy) {
    for (int64_t r = 0; r < rows; r++) {
        int64_t t = 0;
        for (; t + 4 <= act->n; t += 4) row(f, w + r * stride, act, t, 4, y + t * ldy + r, ldy);
        if (t + 2 <= act->n) row(f, w + r * stride, act, t, 2, y + t * ldy + r, ldy), t += 2;
        if (t < act->n) row(f, w + r * stride, act, t, 1, y + t * ldy + r, ldy);
    }
}

ROWS(q4_1_rows, Q4_1)
ROWS(q5_0_rows, Q5_0)
ROWS(q5_1_rows, Q5_1)
ROWS(q2_k_rows, Q2_K)
ROWS(q3_k_rows, Q3_K)
ROWS(q5_k_rows, Q5_K)

INLINE void fill(leat_qdot_kernels *table) {
    const struct {
        int            type;
        leat_qdot_rows rows;
    } all[] = {{Q4_1, q4_1_rows}, {Q5_0, q5_0_rows}, {Q5_1, q5_1_rows}, {Q2_K, q2_k_rows}, {Q3_K, q3_k_rows}, {Q5_K, q5_k_rows}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) table->rows[all[i].type] = all[i].rows;
}

#endif
