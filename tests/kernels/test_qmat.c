/* test_qmat.c - products of stored weights with few or many tokens: every format at every level, against the exact values of its blocks in double.
 *
 * Weights end at a page that may not be read; outputs lie between canaries; scales are of every size, also zero. */
#include "kernel_util.h"

#include <sys/mman.h>

#include "base/fp16.h"
#include "cpu/blocks.h"
#include "cpu/qmat.h"

enum { MOST_ROWS = 37, MOST_TOKENS = 19 };

typedef struct form {
    int type, halves[2]; /* where the block's IEEE half scales lie; -1 none */
} form;

static const form forms[] = {
    {0, {-1, -1}}, {1, {-1, -1}}, {30, {-1, -1}}, {8, {0, -1}},    {2, {0, -1}},  {3, {0, 2}},   {6, {0, -1}},  {7, {0, 2}},
    {20, {0, -1}}, {10, {80, 82}}, {11, {108, -1}}, {12, {0, 2}},  {13, {0, 2}},  {14, {208, -1}}, {23, {0, -1}},
};
enum { FORMS = sizeof forms / sizeof *forms };

typedef struct problem {
    const form              *form;
    const leat_block_format *format;
    leat_qmat                w;
    uint8_t                 *pages;
    size_t                   bytes;
    float                   *values, *x, *y;
    int64_t                  n, ld, ldy;
    leat_qact                act;
    void                    *memory, *scratch;
} problem;

/* `bytes` that end where a forbidden page begins. */
static uint8_t *before_guard(size_t bytes, uint8_t **pages, size_t *mapped) {
    size_t page = 4096, room = (bytes + page - 1) / page * page;
    *mapped = room + page;
    *pages = mmap(NULL, *mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(*pages != MAP_FAILED);
    assert_int_equal(mprotect(*pages + room, page, PROT_NONE), 0);
    return *pages + room - bytes;
}

/* A finite half or a float of moderate size; now and then zero, tiny or of another sign. */
static float some_scale(void) {
    int pick = kt_int(0, 15);
    return pick == 0 ? 0 : pick == 1 ? kt_float() * 6e-5f : pick == 2 ? kt_float() * 60000 : kt_float() * 0.02f;
}

static void fill_weights(problem *p, uint8_t *w, int64_t blocks) {
    for (int64_t i = 0; i < blocks * p->format->bytes; i++) w[i] = (uint8_t)kt_int(0, 255);
    for (int64_t b = 0; b < blocks; b++, w += p->format->bytes) {
        float    value = kt_float();
        uint16_t h = p->form->type == 30 ? leat__f32_to_bf16(value) : leat__f32_to_f16(value);
        if (p->form->type == 0) memcpy(w, &value, 4);
        else if (p->format->length == 1) memcpy(w, &h, 2);
        for (int i = 0; i < 2; i++) {
            h = leat__f32_to_f16(some_scale());
            if (p->form->halves[i] >= 0) memcpy(w + p->form->halves[i], &h, 2);
        }
    }
}

static void setup(problem *p, const form *f, int64_t rows, int64_t cols, int64_t n) {
    *p = (problem){.form = f, .format = leat__block_format(f->type), .n = n, .ld = cols + kt_int(0, 5), .ldy = rows + kt_int(0, 5)};
    int64_t stride = cols / p->format->length * p->format->bytes;
    uint8_t *w = before_guard((size_t)(rows * stride), &p->pages, &p->bytes);
    p->w = (leat_qmat){.data = w, .rows = rows, .cols = cols, .stride = stride, .type = f->type};
    fill_weights(p, w, rows * cols / p->format->length);
    p->values = kt_alloc(rows * cols);
    for (int64_t r = 0; r < rows; r++) p->format->values(w + r * stride, cols / p->format->length, p->values + r * cols);
    p->x = kt_alloc(n * p->ld);
    p->y = kt_alloc(n * p->ldy);
    p->memory = aligned_alloc(64, (leat__qact_bytes(n, cols) + 63) / 64 * 64);
    p->scratch = aligned_alloc(64, (leat__qmat_scratch_bytes(cols) + 63) / 64 * 64);
    leat__qact_init(&p->act, p->memory, p->x, n, cols, p->ld);
}

static void teardown(problem *p) {
    munmap(p->pages, p->bytes);
    kt_free(p->values);
    kt_free(p->x);
    kt_free(p->y);
    free(p->memory);
    free(p->scratch);
}

/* The product with X as it was rounded, and the sum of absolute values, the offset of unsigned forms included. */
static double exact(const problem *p, int64_t t, int64_t r, double *size) {
    double  sum = 0, rounded = leat__qact_wanted(p->form->type);
    int64_t groups = p->act.groups;
    *size = 0;
    for (int64_t i = 0; i < p->w.cols; i++) {
        double x = rounded ? (double)p->act.q[t * groups * 32 + i] * p->act.scale[t * groups + i / 32] : p->x[t * p->ld + i];
        double w = p->values[r * p->w.cols + i];
        sum += w * x;
        *size += fabs(w * x);
    }
    return sum;
}

static void check(const problem *p, leat_isa level) {
    for (int64_t t = 0; t < p->n; t++)
        for (int64_t r = 0; r < p->ldy; r++) {
            float got = p->y[t * p->ldy + r];
            if (r >= p->w.rows) {
                if (got != CANARY) fail_msg("level %s wrote row %d of %d", leat_isa_name(level), (int)r, (int)p->w.rows);
                continue;
            }
            double size, want = exact(p, t, r, &size);
            if (!(fabs(got - want) <= 1e-5 * size + 1e-30))
                fail_msg("%s at level %s, row %d of %d, token %d of %d, %d columns: %g instead of %g, size %g", p->format->name, leat_isa_name(level), (int)r,
                         (int)p->w.rows, (int)t, (int)p->n, (int)p->w.cols, (double)got, want, size);
        }
    kt_check_canaries(p->y, p->n * p->ldy);
}

static void multiply(problem *p, int64_t first, int64_t count) { leat__qmat(&p->w, &p->act, first, count, p->y, p->ldy, p->scratch); }

static void at_every_level(problem *p) {
    KT_EACH_LEVEL(level) {
        for (int64_t i = 0; i < p->n * p->ldy; i++) p->y[i] = CANARY;
        leat__qact_round(&p->act, 0, p->n);
        multiply(p, 0, p->w.rows);
        check(p, level);
    }
}

/* ---- cases -------------------------------------------------------------------------------------------------------------------- */

static void agrees_with_double(void **state) {
    for (int round = 0; round < 12 * FORMS; round++) {
        const form *f = &forms[round % FORMS];
        int         length = leat__block_format(f->type)->length;
        problem     p;
        setup(&p, f, kt_int(1, MOST_ROWS), length * (length == 1 ? kt_int(1, 300) : kt_int(1, length == 32 ? 41 : 5)), kt_int(1, MOST_TOKENS));
        at_every_level(&p);
        teardown(&p);
    }
}

static void few_tokens_of_every_number(void **state) {
    for (int round = 0; round < LEAT_QMAT_FEW * FORMS; round++) {
        problem p;
        setup(&p, &forms[round % FORMS], kt_int(1, 9), 256 * kt_int(1, 3), 1 + round / FORMS);
        at_every_level(&p);
        teardown(&p);
    }
}

/* A row's value does not depend on how rows are cut into calls. */
static void cuts_change_nothing(void **state) {
    for (int round = 0; round < 2 * FORMS; round++) {
        problem p;
        setup(&p, &forms[round % FORMS], MOST_ROWS, 256 * kt_int(1, 3), round < FORMS ? kt_int(1, LEAT_QMAT_FEW) : MOST_TOKENS);
        float *whole = malloc((size_t)(p.n * p.ldy) * sizeof(float));
        KT_EACH_LEVEL(level) {
            leat__qact_round(&p.act, 0, p.n);
            multiply(&p, 0, p.w.rows);
            memcpy(whole, p.y, (size_t)(p.n * p.ldy) * sizeof(float));
            multiply(&p, 32, p.w.rows - 32);
            multiply(&p, 0, 16);
            multiply(&p, 16, 16);
            assert_memory_equal(whole, p.y, (size_t)(p.n * p.ldy) * sizeof(float));
        }
        free(whole);
        teardown(&p);
    }
}

/* Row r of token t alone. */
static float alone(const problem *p, int64_t t, int64_t r) {
    leat_qmat row = p->w;
    leat_qact act;
    float     y;
    void     *memory = aligned_alloc(64, (leat__qact_bytes(1, p->w.cols) + 63) / 64 * 64);
    leat__qact_init(&act, memory, p->x + t * p->ld, 1, p->w.cols, p->ld);
    leat__qact_round(&act, 0, 1);
    row.data += r * row.stride;
    row.rows = 1;
    leat__qmat(&row, &act, 0, 1, &y, 1, p->scratch);
    free(memory);
    return y;
}

/* In plain C and on ARM a value is the same bits whatever few tokens and rows come with it; x86 kernels add up several tokens in other orders than one. */
static void company_changes_nothing(void **state) {
    for (int round = 0; round < 2 * FORMS; round++) {
        problem p;
        setup(&p, &forms[round % FORMS], kt_int(1, 5), 256 * kt_int(1, 3), kt_int(2, LEAT_QMAT_FEW));
        KT_EACH_LEVEL(level) {
            if (level > LEAT_ISA_REF && level < LEAT_ISA_NEON) continue;
            leat__qact_round(&p.act, 0, p.n);
            multiply(&p, 0, p.w.rows);
            for (int64_t i = 0; i < p.n * p.w.rows; i++) {
                float one = alone(&p, i / p.w.rows, i % p.w.rows);
                assert_memory_equal(&one, &p.y[i / p.w.rows * p.ldy + i % p.w.rows], sizeof one);
            }
        }
        teardown(&p);
    }
}

/* Largest integers in every place: nothing overflows. */
static void extremes_do_not_overflow(void **state) {
    static const uint8_t patterns[] = {0x00, 0xff, 0x80, 0x7f, 0x88, 0x0f};
    for (size_t round = 0; round < sizeof patterns * FORMS; round++) {
        problem p;
        setup(&p, &forms[round % FORMS], 5, 512, 1 + (int64_t)(round % 2) * 3);
        if (p.format->length > 1) {
            uint8_t *w = (uint8_t *)(uintptr_t)p.w.data;
            memset(w, patterns[round / FORMS], (size_t)(p.w.rows * p.w.stride));
            for (int64_t b = 0; b < p.w.rows * p.w.cols / p.format->length; b++) {
                if (p.form->type == 14 && patterns[round / FORMS] == 0) memset(w + b * p.format->bytes + 192, 0x80, 16); /* -128 times -32 */
                for (int i = 0; i < 2; i++)
                    if (p.form->halves[i] >= 0) memcpy(w + b * p.format->bytes + p.form->halves[i], &(uint16_t){leat__f32_to_f16(0.01f)}, 2);
            }
            for (int64_t r = 0; r < p.w.rows; r++) p.format->values(w + r * p.w.stride, p.w.cols / p.format->length, p.values + r * p.w.cols);
        }
        for (int64_t i = 0; i < p.n * p.ld; i++) p.x[i] = round % 3 == 0 ? 2 : round % 3 == 1 ? -2 : i % 2 ? 2 : -2;
        at_every_level(&p);
        teardown(&p);
    }
}

/* ---- rounding ----------------------------------------------------------------------------------------------------------------- */

static float largest_of(const problem *p, int64_t t, int64_t first, int64_t end) {
    float largest = 0;
    for (int64_t i = first; i < end && i < p->w.cols; i++) largest = fmaxf(largest, fabsf(p->x[t * p->ld + i]));
    return largest < LEAT_QACT_TINY ? 0 : largest;
}

static void check_rounding(const problem *p, int64_t t, int64_t group) {
    int64_t      at = t * p->act.groups + group;
    int64_t      rest = p->w.cols - 32 * group;
    const float *x = p->x + t * p->ld + 32 * group;
    float        scale = p->act.scale[at], unit = p->act.unit[at / 8];
    double       own = largest_of(p, t, 32 * group, 32 * group + 32) / 127.0, all = largest_of(p, t, group / 8 * 256, group / 8 * 256 + 256) / 127.0;
    int          sums[2] = {0, 0}, negative = 0, grain = p->act.grain[2 * at], n = rest < 0 ? 0 : rest < 32 ? (int)rest : 32;
    assert_true(grain >= 0 && grain <= LEAT_QACT_GRAINS && grain == p->act.grain[2 * at + 1]);
    assert_true(scale == unit * (float)grain && fabs(unit - all / LEAT_QACT_GRAINS) <= 1e-6 * unit);
    assert_true(scale >= own * (1 - 1e-6) && scale <= own * (1 + 1e-6) + unit * 1.001);
    for (int i = 0; i < 32; i++) {
        int q = p->act.q[32 * at + i];
        assert_true(q >= -127 && fabs((i < n ? x[i] : 0) - (double)q * scale) <= 0.5001 * (double)scale + LEAT_QACT_TINY);
        sums[i / 16] += q;
        if (q < 0) negative -= q;
    }
    assert_int_equal(p->act.sum[2 * at], sums[0]);
    assert_int_equal(p->act.sum[2 * at + 1], sums[1]);
    assert_true(p->act.bias[at] == scale * (float)(sums[0] + sums[1]));
    assert_true(p->act.lack[at] == scale * (float)negative);
}

static void rounds_to_nearest(void **state) {
    for (int round = 0; round < 60; round++) {
        problem p;
        setup(&p, &forms[0], 1, kt_int(1, 400), kt_int(1, 4));
        for (int64_t i = 0; i < p.n * p.ld; i++) p.x[i] *= round % 4 == 0 ? powf(2, (float)kt_int(-120, 120)) : round % 4 == 1 ? (float)kt_int(0, 1) : 1;
        size_t bytes = (size_t)((char *)p.act.twice - (char *)p.memory); /* without what is AVX2's own, see qdot.h */
        char  *first = malloc(bytes);
        memset(p.memory, 0, bytes);
        KT_EACH_LEVEL(level) {
            leat__qact_round(&p.act, 0, p.n);
            if (level == LEAT_ISA_REF) memcpy(first, p.memory, bytes);
            assert_memory_equal(first, p.memory, bytes); /* the same bits at every level */
        }
        for (int64_t t = 0; t < p.n; t++)
            for (int64_t g = 0; g < p.act.groups; g++) check_rounding(&p, t, g);
        free(first);
        teardown(&p);
    }
}

/* What is no number is not rounded to one. */
static void no_number_stays_none(void **state) {
    for (int round = 0; round < 3 * FORMS; round++) {
        problem p;
        setup(&p, &forms[round % FORMS], 3, 512, 2);
        p.x[p.ld + kt_int(0, 511)] = round < FORMS ? NAN : round < 2 * FORMS ? INFINITY : -INFINITY;
        KT_EACH_LEVEL(level) {
            leat__qact_round(&p.act, 0, 2);
            multiply(&p, 0, 3);
            for (int r = 0; r < 3; r++) {
                assert_true(isfinite(p.y[r]));
                assert_true(!isfinite(p.y[p.ldy + r]) || !leat__qact_wanted(p.form->type));
            }
        }
        teardown(&p);
    }
}

int main(void) {
    kt_seed(NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_double),       cmocka_unit_test(few_tokens_of_every_number), cmocka_unit_test(cuts_change_nothing),
        cmocka_unit_test(company_changes_nothing),  cmocka_unit_test(extremes_do_not_overflow),   cmocka_unit_test(rounds_to_nearest),
        cmocka_unit_test(no_number_stays_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
