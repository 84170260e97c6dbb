/* test_qgemm.c - products with many tokens against float64 on the exact values of the blocks, at every level: all formats, odd rows and tokens, extremes. */
#include "kernel_util.h"

#include "base/fp16.h"
#include "cpu/blocks.h"
#include "cpu/qdot.h"
#include "cpu/qgemm.h"

static const int types[] = {0, 1, 2, 3, 6, 7, 8, 10, 11, 12, 13, 14, 20, 23, 30};

enum { TYPES = sizeof types / sizeof *types, EXTREMES = 5 };

/* What the bytes of weights and activations are: random, or what comes closest to saturating sums of 16 bits. */
typedef enum fill { RANDOM, ALL_ONES, ALL_80, ALL_7F, ALTERNATING } fill;

typedef struct problem {
    leat_qmat w;
    leat_qact act;
    uint8_t  *weights;
    float    *values;    /* [rows, cols], exact */
    float    *y;         /* [n, ldy] */
    int64_t   ldy, groups;
    void     *scratch;
} problem;

static void set_half(uint8_t *p, float v) {
    uint16_t h = leat__f32_to_f16(v);
    p[0] = (uint8_t)h;
    p[1] = (uint8_t)(h >> 8);
}

/* Finite scales where a block has them: d at [0], m at [1]; -1 none. */
static void set_scales(int type, uint8_t *block) {
    static const int at[31][2] = {[2] = {0, -1}, [3] = {0, 2}, [6] = {0, -1}, [7] = {0, 2}, [8] = {0, -1}, [10] = {80, 82}, [11] = {108, -1},
                                  [12] = {0, 2}, [13] = {0, 2}, [14] = {208, -1}, [20] = {0, -1}, [23] = {0, -1}};
    for (int i = 0; i < 2; i++)
        if (at[type][i] >= 0) set_half(block + at[type][i], kt_float());
}

static void fill_weights(problem *p, fill how) {
    const leat_block_format *f = leat__block_format(p->w.type);
    for (int64_t r = 0; r < p->w.rows; r++)
        for (int64_t b = 0; b < p->w.cols / f->length; b++) {
            uint8_t *block = p->weights + r * p->w.stride + b * f->bytes;
            if (f->length == 1) {
                float v = kt_float();
                if (p->w.type == 0) memcpy(block, &v, 4);
                else if (p->w.type == 1) set_half(block, v);
                else block[0] = (uint8_t)leat__f32_to_bf16(v), block[1] = (uint8_t)(leat__f32_to_bf16(v) >> 8);
                continue;
            }
            for (int i = 0; i < f->bytes; i++)
                block[i] = how == ALL_ONES ? 0xff : how == ALL_80 ? 0x80 : how == ALL_7F ? 0x7f : how == ALTERNATING && i % 2 ? 0x80 : (uint8_t)kt_int(0, 255);
            set_scales(p->w.type, block);
        }
    for (int64_t r = 0; r < p->w.rows; r++) f->values(p->weights + r * p->w.stride, p->w.cols / f->length, p->values + r * p->w.cols);
}

static int activation(fill how, int64_t k) {
    switch (how) {
    case ALL_ONES: return 127;
    case ALL_80: return -127;
    case ALL_7F: return k / 2 % 2 ? -127 : 127;
    default: return kt_int(-127, 127);
    }
}

static void fill_activations(problem *p, fill how) {
    leat_qact *a = &p->act;
    for (int64_t t = 0; t < a->n; t++)
        for (int64_t g = 0; g < p->groups; g++) {
            a->scale[t * p->groups + g] = kt_float();
            for (int h = 0; h < 2; h++) {
                int sum = 0;
                for (int64_t j = 0; j < 16; j++) {
                    int64_t at = (t * p->groups + g) * 32 + 16 * h + j;
                    sum += a->q[at] = (int8_t)activation(how, at);
                }
                a->sum[(t * p->groups + g) * 2 + h] = (int16_t)sum;
            }
        }
}

static void setup(problem *p, int type, int64_t rows, int64_t n, int64_t blocks, fill how) {
    const leat_block_format *f = leat__block_format(type);
    int64_t cols = f->length == 1 ? 37 * blocks : blocks * f->length;
    memset(p, 0, sizeof *p);
    p->w = (leat_qmat){.rows = rows, .cols = cols, .stride = cols / f->length * f->bytes + 2 * kt_int(0, 1) * f->bytes, .type = type};
    p->weights = malloc((size_t)(rows * p->w.stride)); /* exactly: nothing behind may be read */
    p->w.data = p->weights;
    p->values = malloc((size_t)(rows * cols) * sizeof(float));
    p->groups = (cols + 31) / 32 + kt_int(0, 2);
    p->act = (leat_qact){.n = n, .cols = cols, .ld = cols + kt_int(0, 3), .groups = p->groups};
    p->act.x = kt_alloc(n * p->act.ld);
    p->act.q = malloc((size_t)(n * p->groups * 32));
    p->act.scale = malloc((size_t)(n * p->groups) * sizeof(float) + LEAT_TAIL_BYTES);
    p->act.sum = malloc((size_t)(n * p->groups) * 2 * sizeof(int16_t) + LEAT_TAIL_BYTES);
    p->ldy = rows + kt_int(0, 5);
    p->y = kt_alloc(n * p->ldy);
    p->scratch = aligned_alloc(LEAT_ALIGN, (leat__qgemm_scratch_bytes(cols) + LEAT_ALIGN - 1) / LEAT_ALIGN * LEAT_ALIGN);
    fill_weights(p, how);
    fill_activations(p, how);
}

static void teardown(problem *p) {
    free(p->weights);
    free(p->values);
    kt_free((float *)(uintptr_t)p->act.x);
    free(p->act.q);
    free(p->act.scale);
    free(p->act.sum);
    kt_free(p->y);
    free(p->scratch);
}

static double x_at(const problem *p, int64_t t, int64_t k) {
    if (leat__block_format(p->w.type)->length == 1) return p->act.x[t * p->act.ld + k];
    int64_t at = t * p->groups * 32 + k;
    return (double)p->act.q[at] * p->act.scale[at / 32];
}

static void check_one(const problem *p, leat_isa level, int64_t t, int64_t r) {
    double want = 0, mass = 0, x_mass = 0, most = 0;
    for (int64_t k = 0; k < p->w.cols; k++) {
        double w = p->values[r * p->w.cols + k], x = x_at(p, t, k);
        want += w * x;
        mass += fabs(w * x);
        x_mass += fabs(x);
        most = fmax(most, fabs(w));
    }
    double got = p->y[t * p->ldy + r];
    if (!(fabs(got - want) <= 1e-5 * mass + 2e-6 * most * x_mass + 1e-30))
        fail_msg("%s, %s: row %d of %d, token %d of %d, depth %d: %g instead of %g", leat_isa_name(level), leat__block_format(p->w.type)->name, (int)r,
                 (int)p->w.rows, (int)t, (int)p->act.n, (int)p->w.cols, got, want);
}

/* Rows in two calls, cut at a multiple of LEAT_QMAT_ROWS. */
static void multiply(const problem *p) {
    int64_t cut = kt_int(0, (int)(p->w.rows / LEAT_QMAT_ROWS)) * LEAT_QMAT_ROWS;
    for (int64_t i = 0; i < p->act.n * p->ldy; i++) p->y[i] = CANARY;
    leat__qgemm(&p->w, &p->act, 0, cut, p->y, p->ldy, p->scratch);
    leat__qgemm(&p->w, &p->act, cut, p->w.rows - cut, p->y, p->ldy, p->scratch);
}

static void check(const problem *p, leat_isa level) {
    for (int64_t t = 0; t < p->act.n; t++)
        for (int64_t r = 0; r < p->ldy; r++) {
            if (r < p->w.rows) check_one(p, level, t, r);
            else if (p->y[t * p->ldy + r] != CANARY) fail_msg("level %s wrote column %d of %d", leat_isa_name(level), (int)r, (int)p->w.rows);
        }
    kt_check_canaries(p->y, p->act.n * p->ldy);
}

static void agrees_with_float64(void **state) {
    for (int round = 0; round < 6 * TYPES; round++) {
        problem p;
        int type = types[round % TYPES];
        setup(&p, type, kt_int(1, 75), kt_int(1, 20), leat__block_format(type)->length == 256 ? kt_int(1, 5) : kt_int(1, 36), RANDOM);
        KT_EACH_LEVEL(level) {
            multiply(&p);
            check(&p, level);
        }
        teardown(&p);
    }
}

static void extremes_do_not_saturate(void **state) {
    for (int i = 0; i < TYPES; i++)
        for (int how = 1; how < EXTREMES; how++) {
            problem p;
            setup(&p, types[i], 33, 7, 2, (fill)how);
            KT_EACH_LEVEL(level) {
                multiply(&p);
                check(&p, level);
            }
            teardown(&p);
        }
}

/* Neither the cut into calls nor the number of tokens beside it changes a value. */
static void values_do_not_depend_on_the_cut(void **state) {
    for (int i = 0; i < TYPES; i++) {
        problem p;
        setup(&p, types[i], 70, 17, 2, RANDOM);
        float *whole = kt_alloc(p.act.n * p.ldy), *saved = p.y;
        KT_EACH_LEVEL(level) {
            leat__qgemm(&p.w, &p.act, 0, p.w.rows, whole, p.ldy, p.scratch);
            multiply(&p);
            for (int64_t t = 0; t < p.act.n; t++) assert_memory_equal(whole + t * p.ldy, p.y + t * p.ldy, (size_t)p.w.rows * sizeof(float));
            leat_qact fewer = p.act;
            fewer.n = 11;
            leat__qgemm(&p.w, &fewer, 0, p.w.rows, p.y, p.ldy, p.scratch);
            for (int64_t t = 0; t < fewer.n; t++) assert_memory_equal(whole + t * p.ldy, p.y + t * p.ldy, (size_t)p.w.rows * sizeof(float));
        }
        p.y = saved;
        kt_free(whole);
        teardown(&p);
    }
}

/* ---- rounding of activations -------------------------------------------------------------------------------------------------- */

enum { MOST_COLS = 600 };

static void assert_same_floats(const float *a, const float *b, int64_t n) {
    for (int64_t i = 0; i < n; i++) assert_true(a[i] == b[i] || (isnan(a[i]) && isnan(b[i])));
}

static void rounding_gives_the_same_bits_at_every_level(void **state) {
    static const float odd[] = {0, 1e-31f, 1e-38f, 3.4028235e38f, INFINITY, -INFINITY, NAN, 0.5f, 127, -127};
    for (int round = 0; round < 400; round++) {
        float    *x = kt_alloc(MOST_COLS);
        int       cols = kt_int(1, MOST_COLS);
        size_t    bytes = (leat__qact_bytes(1, cols) + 63) / 64 * 64;
        void     *memory[2] = {aligned_alloc(64, bytes), aligned_alloc(64, bytes)};
        leat_qact want, got;
        for (int i = 0; i < cols; i++) x[i] = round % 3 == 1 ? ldexpf(x[i], kt_int(-40, 40)) : round % 3 == 2 ? (float)kt_int(-254, 254) / 2 : x[i];
        if (round % 4 == 0) x[kt_int(0, cols - 1)] = odd[kt_int(0, (int)(sizeof odd / sizeof *odd) - 1)];
        leat__qact_init(&want, memory[0], x, 1, cols, MOST_COLS);
        leat__qact_init(&got, memory[1], x, 1, cols, MOST_COLS);
        leat__cpu_select(LEAT_ISA_REF);
        leat__qact_round(&want, 0, 1);
        KT_EACH_LEVEL(level) {
            memset(memory[1], 0xa5, bytes);
            leat__qact_round(&got, 0, 1);
            assert_memory_equal(want.q, got.q, (size_t)(32 * got.groups));
            assert_memory_equal(want.sum, got.sum, (size_t)(4 * got.groups));
            assert_memory_equal(want.grain, got.grain, (size_t)(4 * got.groups));
            assert_same_floats(want.unit, got.unit, got.groups / 8);
            assert_same_floats(want.scale, got.scale, got.groups);
            assert_same_floats(want.bias, got.bias, got.groups);
            assert_same_floats(want.lack, got.lack, got.groups);
        }
        free(memory[0]), free(memory[1]);
        kt_free(x);
    }
}

int main(void) {
    kt_seed(NULL);
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_float64), cmocka_unit_test(extremes_do_not_saturate),
                                       cmocka_unit_test(values_do_not_depend_on_the_cut),
                                       cmocka_unit_test(rounding_gives_the_same_bits_at_every_level)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
