/* test_contrib.c - the com.microsoft operators against what they abbreviate, built from plain operators. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>

#include "base/rng.h"
#include "op_harness.h"

enum { SEED = 3, B = 2, S = 17, H = 3, D = 8, N = H * D };

static float *noise(int64_t n, uint64_t stream, float spread) {
    float *x = malloc((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = spread * (float)leat__rng_normal(SEED, stream, (uint64_t)i);
    return x;
}

static void run(op_case *c, int outputs) {
    while (outputs--) op_out(c);
    int status = op_run(c);
    if (status) fail_msg("%s: %s", c->call.op ? c->call.op->name : "no operator", c->error.message);
}

static void in3(op_case *c, const float *x) { op_in(c, LEAT_DTYPE_F32, 3, (int64_t[]){B, S, N}, x); }
static void in1(op_case *c, int64_t n, const float *x) { op_in(c, LEAT_DTYPE_F32, 1, &n, x); }

static void same(const float *a, const float *b, int64_t n, double tolerance) {
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)a[i] - (double)b[i]) <= tolerance)) fail_msg("element %d: %g, not %g", (int)i, a[i], b[i]);
}

static void skip_layer_norm(void **state) {
    float *x = noise(B * S * N, 1, 1), *skip = noise(B * S * N, 2, 1), *gamma = noise(N, 3, 1), *beta = noise(N, 4, 1), *bias = noise(N, 5, 1);
    op_case skipped, add, add_bias, norm;
    op_open(&skipped, "com.microsoft", "SkipLayerNormalization", 1);
    in3(&skipped, x), in3(&skipped, skip), in1(&skipped, N, gamma), in1(&skipped, N, beta), in1(&skipped, N, bias);
    op_attr_float(&skipped, "epsilon", 1e-5f);
    run(&skipped, 4);
    op_open(&add, "", "Add", 13);
    in3(&add, x), in3(&add, skip);
    run(&add, 1);
    op_open(&add_bias, "", "Add", 13);
    in3(&add_bias, op_f32(&add, 0)), in1(&add_bias, N, bias);
    run(&add_bias, 1);
    op_open(&norm, "", "LayerNormalization", 17);
    in3(&norm, op_f32(&add_bias, 0)), in1(&norm, N, gamma), in1(&norm, N, beta);
    run(&norm, 1);
    same(op_f32(&skipped, 0), op_f32(&norm, 0), B * S * N, 1e-6);
    same(op_f32(&skipped, 3), op_f32(&add_bias, 0), B * S * N, 0);
    op_close(&skipped), op_close(&add), op_close(&add_bias), op_close(&norm);
    free(x), free(skip), free(gamma), free(beta), free(bias);
}

static void bias_gelu(void **state) {
    float *x = noise(B * S * N, 1, 2), *bias = noise(N, 5, 1);
    op_case one, add, gelu;
    op_open(&one, "com.microsoft", "BiasGelu", 1);
    in3(&one, x), in1(&one, N, bias);
    run(&one, 1);
    op_open(&add, "", "Add", 13);
    in3(&add, x), in1(&add, N, bias);
    run(&add, 1);
    op_open(&gelu, "", "Gelu", 20);
    in3(&gelu, op_f32(&add, 0));
    run(&gelu, 1);
    same(op_f32(&one, 0), op_f32(&gelu, 0), B * S * N, 0);
    op_close(&one), op_close(&add), op_close(&gelu);
    free(x), free(bias);
}

/* MultiHeadAttention with a padding table against leat.Attention with the mask as -inf, on the same heads read in place. */
static void multi_head_attention(void **state) {
    float *q = noise(B * S * N, 1, 1), *k = noise(B * S * N, 2, 1), *v = noise(B * S * N, 3, 1), mask[B * S];
    int32_t keep[B * S];
    int64_t heads[4] = {B, S, H, D}, mask_dims[4] = {B, 1, 1, S};
    for (int i = 0; i < B * S; i++) keep[i] = i % S == 0 || i % 3 != 0, mask[i] = keep[i] ? 0 : -INFINITY;
    op_case ms, fused;
    op_open(&ms, "com.microsoft", "MultiHeadAttention", 1);
    in3(&ms, q), in3(&ms, k), in3(&ms, v), op_absent(&ms);
    op_in(&ms, LEAT_DTYPE_I32, 2, (int64_t[]){B, S}, keep);
    op_attr_int(&ms, "num_heads", H);
    run(&ms, 3);
    op_open(&fused, "leat", "Attention", 1);
    op_in(&fused, LEAT_DTYPE_F32, 4, heads, q), op_in(&fused, LEAT_DTYPE_F32, 4, heads, k), op_in(&fused, LEAT_DTYPE_F32, 4, heads, v);
    op_in(&fused, LEAT_DTYPE_F32, 4, mask_dims, mask);
    op_attr_int(&fused, "q_split", 1), op_attr_int(&fused, "k_split", 1), op_attr_int(&fused, "v_split", 1), op_attr_int(&fused, "y_split", 1);
    run(&fused, 1);
    same(op_f32(&ms, 0), op_f32(&fused, 0), B * S * N, 1e-6);
    for (int64_t h = 0; h < H; h++) /* present_key is [B, H, S, D] */
        for (int64_t s = 0; s < S; s++) same(op_f32(&ms, 1) + (h * S + s) * D, k + s * N + h * D, D, 0);
    op_close(&ms), op_close(&fused);
    free(q), free(k), free(v);
}

/* Attention = projection, then MultiHeadAttention; weights constant (packed once) and not. */
static void projected_attention(void **state) {
    enum { I = 20 };
    float *x = noise(B * S * I, 1, 1), *w = noise(I * 3 * N, 2, 0.3f), *bias = noise(3 * N, 3, 1), *part[3];
    op_case ms, mha;
    for (int p = 0; p < 3; p++) {
        part[p] = malloc(B * S * N * sizeof *part[p]);
        for (int64_t r = 0; r < B * S; r++)
            for (int64_t j = 0; j < N; j++) {
                double sum = bias[p * N + j];
                for (int64_t i = 0; i < I; i++) sum += (double)x[r * I + i] * w[i * 3 * N + p * N + j];
                part[p][r * N + j] = (float)sum;
            }
    }
    op_open(&mha, "com.microsoft", "MultiHeadAttention", 1);
    in3(&mha, part[0]), in3(&mha, part[1]), in3(&mha, part[2]);
    op_attr_int(&mha, "num_heads", H);
    op_attr_int(&mha, "unidirectional", 1);
    run(&mha, 1);
    for (int constant = 0; constant < 2; constant++) {
        op_open(&ms, "com.microsoft", "Attention", 1);
        op_in(&ms, LEAT_DTYPE_F32, 3, (int64_t[]){B, S, I}, x);
        op_in(&ms, LEAT_DTYPE_F32, 2, (int64_t[]){I, 3 * N}, w);
        in1(&ms, 3 * N, bias);
        op_attr_int(&ms, "num_heads", H);
        op_attr_int(&ms, "unidirectional", 1);
        ms.in_const[1] = (uint8_t)constant;
        run(&ms, 1);
        same(op_f32(&ms, 0), op_f32(&mha, 0), B * S * N, 1e-4);
        op_close(&ms);
    }
    op_close(&mha);
    free(x), free(w), free(bias), free(part[0]), free(part[1]), free(part[2]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(skip_layer_norm), cmocka_unit_test(bias_gelu), cmocka_unit_test(multi_head_attention),
                                       cmocka_unit_test(projected_attention)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
