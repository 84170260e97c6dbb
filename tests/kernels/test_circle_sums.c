/* test_circle_sums.c - sums over discs: every instruction set gives the reference's floats, and those are the sums over the disc's pixels. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "cpu/circle_sums.h"
#include "cpu/cpu.h"

#define MOST 70
#define SEED 20261121

static double uniform(int stream, int k) { return leat__rng_uniform(SEED, (uint64_t)stream, (uint64_t)k); }

typedef struct scene {
    int    width, height;
    float *planes; /* reference 3, beneath 3, above 3, through 1 */
    float *table;
} scene;

static const float *plane(const scene *s, int which, int y) { return s->planes + ((size_t)which * (size_t)s->height + (size_t)y) * (size_t)s->width; }

static scene make(int seed) {
    scene s = {1 + (int)(uniform(seed, 0) * MOST), 1 + (int)(uniform(seed, 1) * MOST), NULL, NULL};
    size_t pixels = (size_t)s.width * (size_t)s.height;
    s.planes = malloc(10 * pixels * sizeof(float));
    s.table = malloc((size_t)s.height * (size_t)(s.width + 1) * LEAT_CIRCLE_SUMS * sizeof(float));
    for (size_t i = 0; i < 10 * pixels; i++) s.planes[i] = (float)uniform(seed + 1000, (int)i);
    for (int y = 0; y < s.height; y++) {
        const float *reference[3] = {plane(&s, 0, y), plane(&s, 1, y), plane(&s, 2, y)}, *beneath[3] = {plane(&s, 3, y), plane(&s, 4, y), plane(&s, 5, y)};
        const float *above[3] = {plane(&s, 6, y), plane(&s, 7, y), plane(&s, 8, y)};
        leat_circle_sums_row_ref(reference, beneath, above, plane(&s, 9, y), s.width, s.table + (size_t)y * (size_t)(s.width + 1) * LEAT_CIRCLE_SUMS);
    }
    return s;
}

static void done(scene *s) {
    free(s->planes);
    free(s->table);
}

/* Pixel by pixel, in double; pixels within 1e-4 of the edge may be counted either way. */
static void direct(const scene *s, float cx, float cy, float r, double sums[9], int *doubtful) {
    memset(sums, 0, 9 * sizeof *sums);
    *doubtful = 0;
    for (int y = 0; y < s->height; y++) {
        for (int x = 0; x < s->width; x++) {
            double d = hypot((double)x - (double)cx, (double)y - (double)cy);
            *doubtful += fabs(d - (double)r) < 1e-4;
            if (d > (double)r) continue;
            double t = plane(s, 9, y)[x];
            for (int c = 0; c < 3; c++) {
                double b = plane(s, 3 + c, y)[x], e = plane(s, c, y)[x] - plane(s, 6 + c, y)[x] - t * b;
                sums[LEAT_CIRCLE_ET + c] += e * t;
                sums[LEAT_CIRCLE_ETB] += e * t * b;
                sums[LEAT_CIRCLE_TTB + c] += t * t * b;
                sums[LEAT_CIRCLE_TTBB] += t * t * b * b;
            }
            sums[LEAT_CIRCLE_TT] += t * t;
        }
    }
}

static void sums_are_the_discs(void **state) {
    (void)state;
    int compared = 0;
    for (int seed = 0; seed < 60; seed++) {
        scene s = make(seed);
        for (int k = 0; k < 20; k++) {
            float  cx = (float)((uniform(seed, 10 + 3 * k) * 2 - 0.5) * s.width), cy = (float)((uniform(seed, 11 + 3 * k) * 2 - 0.5) * s.height);
            float  r = (float)(uniform(seed, 12 + 3 * k) * MOST), got[LEAT_CIRCLE_SUMS];
            double want[9];
            int    doubtful;
            direct(&s, cx, cy, r, want, &doubtful);
            leat_circle_sums_disc_ref(s.table, s.width, s.height, cx, cy, r, got);
            for (int i = 0; i < 9 && !doubtful; i++) assert_true(fabs(got[i] - want[i]) < 1e-5 * s.width * s.height + 1e-4);
            compared += !doubtful;
        }
        done(&s);
    }
    assert_true(compared > 1000);
}

static void every_level_gives_the_same_floats(void **state) {
    (void)state;
    leat__cpu_select(leat_isa_supported());
    if (!strcmp(leat__circle_sums.name, "ref")) skip();
    for (int seed = 100; seed < 160; seed++) {
        scene s = make(seed);
        for (int k = 0; k < 50; k++) {
            float a[LEAT_CIRCLE_SUMS], b[LEAT_CIRCLE_SUMS];
            float cx = (float)((uniform(seed, 10 + 3 * k) * 3 - 1) * s.width), cy = (float)((uniform(seed, 11 + 3 * k) * 3 - 1) * s.height);
            float r = (float)(uniform(seed, 12 + 3 * k) * 2 * MOST);
            leat_circle_sums_disc_ref(s.table, s.width, s.height, cx, cy, r, a);
            leat__circle_sums.disc(s.table, s.width, s.height, cx, cy, r, b);
            assert_memory_equal(a, b, sizeof a);
        }
        done(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sums_are_the_discs), cmocka_unit_test(every_level_gives_the_same_floats)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
