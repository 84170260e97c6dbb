/* qgemm_start_avx2.h - what qgemm_tmpl.h makes before its loop, on x86 of any width: one number for each token and group. */
#include <immintrin.h>

#define AGAIN(s) (s) /* copies of registers cost nothing */
#define TOKEN_I SETI
#define TOKEN_F SETF
#define TOKENS_Q(t, s, k) ((t)->q + (k))
#define TOKENS_LDQ(t) ((t)->ldq)
#define TOKENS_SCALE(t, s, i, g) SETF((t)->x_scale[(i) * (t)->ldscale + (g)])
#define LOAD_Y(t, i, row, tokens) LOADF((t)->y + (i) * (t)->ldy + (row))
#define STORE_Y(t, i, row, v, tokens) STOREF((t)->y + (i) * (t)->ldy + (row), v)
#define STAY(v) __asm__("" : "+v"(v)) /* or gcc adds in another order, with more values than registers */

/* Of each token and group: what its integer sum starts from, and the factor of the minimum. */
typedef struct start {
    int32_t sum[MOST][HALVES];
    float   factor[MOST][HALVES];
} start;

/* Groups of 32: the sums lie in pairs. */
INLINE void start_pairs(const int16_t *sum, const float *scale, int64_t groups, int offset, int min, int32_t *to, float *factor) {
    const __m256i minus = _mm256_set1_epi16((short)-offset), ones = _mm256_set1_epi16(1);
    int64_t g = 0;
    for (; g + 8 <= groups; g += 8) {
        __m256i both = _mm256_loadu_si256((const __m256i *)(const void *)(sum + 2 * g));
        _mm256_storeu_si256((__m256i *)(void *)(to + g), _mm256_madd_epi16(both, minus));
        if (min) _mm256_storeu_ps(factor + g, _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_madd_epi16(both, ones)), _mm256_loadu_ps(scale + g)));
    }
    for (; g < groups; g++) {
        int both = sum[2 * g] + sum[2 * g + 1];
        to[g] = -offset * both;
        factor[g] = (float)both * scale[g];
    }
}

/* Groups of 16. */
INLINE void start_halves(const int16_t *sum, const float *scale, int64_t groups, int offset, int min, int32_t *to, float *factor) {
    const __m256i minus = _mm256_set1_epi32(-offset);
    const __m256i twice = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
    int64_t g = 0;
    for (; g + 4 <= groups; g += 4) {
        __m256i wide = _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(const void *)(sum + 2 * g)));
        _mm256_storeu_si256((__m256i *)(void *)(to + 2 * g), _mm256_mullo_epi32(wide, minus));
        __m256 both = _mm256_permutevar8x32_ps(_mm256_castps128_ps256(_mm_loadu_ps(scale + g)), twice);
        if (min) _mm256_storeu_ps(factor + 2 * g, _mm256_mul_ps(_mm256_cvtepi32_ps(wide), both));
    }
    for (int64_t h = 2 * g; h < 2 * groups; h++) {
        to[h] = -offset * sum[h];
        factor[h] = (float)sum[h] * scale[h / 2];
    }
}

INLINE void prepare(start *s, const leat_qgemm_tile *t, const int halves, const int min, const int T) {
    for (int i = 0; i < T; i++) {
        const int16_t *sum = t->sum + i * 2 * t->ldscale;
        const float   *scale = t->x_scale + i * t->ldscale;
        if (halves) start_halves(sum, scale, t->groups, t->offset, min, s->sum[i], s->factor[i]);
        else start_pairs(sum, scale, t->groups, t->offset, min, s->sum[i], s->factor[i]);
    }
}
