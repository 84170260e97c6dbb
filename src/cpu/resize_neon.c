/* resize_neon.c - mixing of rows on 64-bit ARM; taps along a row stay with the reference, as there is no gather. */
#include "cpu/resize.h"
#include "cpu/simd_neon.h"

/* The four corners of a pixel: weights stay in registers. */
#define MIX4(GET) V_ADD(V_FMA1(w1, GET(r[1] + j), V_MUL(V_SET(w0), GET(r[0] + j))), V_FMA1(w3, GET(r[3] + j), V_MUL(V_SET(w2), GET(r[2] + j))))
#define WHOLE(p) V_LOAD(p)
#define PART(p) V_LOADN(p, c - j)

static void mix4(float *out, const float *const *r, const float *w, int64_t c) {
    const float w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3];
    int64_t     j = 0;
    for (; j + W <= c; j += W) V_STORE(out + j, MIX4(WHOLE));
    if (j < c) V_STOREN(out + j, MIX4(PART), c - j);
}

static void mix_f32(float *out, const float *const *rows, const float *w, int n, int64_t c) {
    int64_t j = 0;
    if (n == 4) {
        mix4(out, rows, w, c);
        return;
    }
    for (; j + 2 * W <= c; j += 2 * W) {
        VF a = V_SET(0.0f), b = a;
        for (int i = 0; i < n; i++) {
            a = V_FMA1(w[i], V_LOAD(rows[i] + j), a);
            b = V_FMA1(w[i], V_LOAD(rows[i] + j + W), b);
        }
        V_STORE(out + j, a);
        V_STORE(out + j + W, b);
    }
    for (; j < c; j += W) {
        VF      a = V_SET(0.0f);
        int64_t left = c - j;
        for (int i = 0; i < n; i++) a = V_FMA1(w[i], left >= W ? V_LOAD(rows[i] + j) : V_LOADN(rows[i] + j, left), a);
        if (left >= W) V_STORE(out + j, a);
        else V_STOREN(out + j, a, left);
    }
}

void leat__resize_init_neon(leat_resize_kernels *table) {
    table->mix_f32 = mix_f32;
    table->isa = LEAT_ISA_NEON;
}
