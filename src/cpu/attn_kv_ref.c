/* attn_kv_ref.c - the inner kernels of attention in plain C: what the vector forms are measured against. */
#include <math.h>
#include <string.h>

#include "base/fp16.h"
#include "cpu/attn_kv_impl.h"

enum { Q8_BLOCK = 32, Q8_BYTES = 34 };

static float half_at(const uint8_t *bytes) {
    uint16_t half;
    memcpy(&half, bytes, sizeof half);
    return leat__f16_to_f32(half);
}

/* ---- rows of the cache ---------------------------------------------------------------------------------------------- */

/* The scale is the one that is stored, so that rounding it costs nothing but a clamped largest element. */
static void store_q8(const float *x, uint8_t *block) {
    float largest = 0;
    for (int i = 0; i < Q8_BLOCK; i++) largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
    uint16_t half = leat__f32_to_f16(largest / 127.0f);
    float    scale = leat__f16_to_f32(half), inverse = scale > 0 ? 1.0f / scale : 0.0f;
    memcpy(block, &half, sizeof half);
    for (int i = 0; i < Q8_BLOCK; i++) {
        float q = rintf(x[i] * inverse);
        q = q > -127.0f ? q : -127.0f; /* a NaN goes here */
        block[2 + i] = (uint8_t)(int8_t)(q < 127.0f ? q : 127.0f);
    }
}

static void store(leat_kv_format format, const float *x, int64_t width, uint8_t *row) {
    if (format == LEAT_KV_FORMAT_F32) memcpy(row, x, (size_t)width * sizeof *x);
    if (format == LEAT_KV_FORMAT_Q8_0)
        for (int64_t b = 0; b < width / Q8_BLOCK; b++) store_q8(x + b * Q8_BLOCK, row + b * Q8_BYTES);
    if (format != LEAT_KV_FORMAT_F16) return;
    for (int64_t i = 0; i < width; i++) {
        uint16_t half = leat__f32_to_f16(x[i]);
        memcpy(row + 2 * i, &half, sizeof half);
    }
}

static float element(leat_kv_format format, const uint8_t *row, int64_t i) {
    float x;
    if (format == LEAT_KV_FORMAT_F16) return half_at(row + 2 * i);
    if (format == LEAT_KV_FORMAT_Q8_0) {
        const uint8_t *block = row + i / Q8_BLOCK * Q8_BYTES;
        return half_at(block) * (float)(int8_t)block[2 + i % Q8_BLOCK];
    }
    memcpy(&x, row + 4 * i, sizeof x);
    return x;
}

static void load(leat_kv_format format, const uint8_t *row, int64_t width, float *x) {
    for (int64_t i = 0; i < width; i++) x[i] = element(format, row, i);
}

static void widen(leat_kv_format format, const uint8_t *rows, int64_t stride, int count, int width, float *to, int64_t ldt) {
    for (int j = 0; j < count; j++) load(format, rows + j * stride, width, to + j * ldt);
}

static void transpose(leat_kv_format format, const uint8_t *rows, int64_t stride, int count, int width, float *to) {
    for (int j = 0; j < LEAT_ATTN_TILE; j++)
        for (int i = 0; i < width; i++) to[i * LEAT_ATTN_TILE + j] = j < count ? element(format, rows + j * stride, i) : 0.0f;
}

/* ---- products and weights ------------------------------------------------------------------------------------------- */

static void product(const float *a, int64_t lda, const float *b, int64_t ldb, int rows, int columns, int depth, float *c, int64_t ldc, int add,
                    const void *fetch, int64_t bytes) {
    (void)fetch, (void)bytes;
    for (int r = 0; r < rows; r++) {
        float *to = c + r * ldc;
        for (int j = 0; j < columns && !add; j++) to[j] = 0;
        for (int d = 0; d < depth; d++)
            for (int j = 0; j < columns; j++) to[j] += a[r * lda + d] * b[d * ldb + j];
    }
}

static float weights(float *s, int from, int to, float cap, float *max, float *sum) {
    float largest = *max, total = 0;
    for (int j = from; j < to; j++) {
        if (cap > 0) s[j] = cap * tanhf(s[j]);
        largest = s[j] > largest ? s[j] : largest;
    }
    for (int j = 0; j < LEAT_ATTN_TILE; j++) {
        s[j] = j >= from && j < to && largest > -INFINITY ? exp2f(s[j] - largest) : 0.0f;
        total += s[j];
    }
    float factor = largest > *max ? exp2f(*max - largest) : 1.0f;
    *max = largest;
    *sum = *sum * factor + total;
    return factor;
}

static void scale(float *x, int64_t n, float factor) {
    for (int64_t i = 0; i < n; i++) x[i] *= factor;
}

static void dots(leat_kv_format format, const uint8_t *k, int64_t stride, int count, int width, const float *q, int64_t ldq, int rows, float *s) {
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < count; j++) {
            float sum = 0;
            for (int i = 0; i < width; i++) sum += q[r * ldq + i] * element(format, k + j * stride, i);
            s[r * LEAT_ATTN_TILE + j] = sum;
        }
}

static void mix(leat_kv_format format, const uint8_t *v, int64_t stride, int count, int width, const float *s, int rows, float *o, int64_t ldo) {
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < count; j++)
            for (int i = 0; i < width; i++) o[r * ldo + i] += s[r * LEAT_ATTN_TILE + j] * element(format, v + j * stride, i);
}

void leat__attn_kv_fill_ref(leat_attn_kv_table *table) {
    *table = (leat_attn_kv_table){.isa = "ref", .store = store, .widen = widen, .transpose = transpose, .product = product, .weights = weights,
                                  .scale = scale, .dots = dots, .mix = mix};
}
