/* test_circlefit_fit.c - the fitter: every mode makes progress and measures itself truly, threads do not matter, resume is exact after any
 * step, bad checkpoints and options are refused with the reason. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "leat/circlefitter.h"

#define W 48
#define H 36

static leat_image reference, canvas;
static char       path[64];

/* A sky, a ground, a sun: smooth with edges. */
static int set_up(void **state) {
    (void)state;
    assert_int_equal(leat_image_alloc(W, H, &reference), LEAT_OK);
    assert_int_equal(leat_image_alloc(W, H, &canvas), LEAT_OK);
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            uint8_t *p = reference.data + y * reference.stride + 3 * x, *q = canvas.data + y * canvas.stride + 3 * x;
            int sun = (x - 30) * (x - 30) + (y - 9) * (y - 9) < 36, ground = y > 24 + x / 12;
            p[0] = (uint8_t)(sun ? 250 : ground ? 90 : 60 + 3 * y);
            p[1] = (uint8_t)(sun ? 220 : ground ? 120 : 120 + 2 * y);
            p[2] = (uint8_t)(sun ? 80 : ground ? 40 + x : 220 - y);
            q[0] = q[1] = q[2] = (uint8_t)(2 * (x + y));
        }
    }
    snprintf(path, sizeof path, "/tmp/test_circlefit_%d.ckpt", (int)getpid());
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    leat_image_free(&reference);
    leat_image_free(&canvas);
    unlink(path);
    return 0;
}

static const leat_circle two[2] = {{20, 18, 15, 0.3, 0.6, 0.8, 0.7}, {28, 8, 7, 0.9, 0.8, 0.4, 0.5}};

typedef struct plan {
    const char *name;
    leat_circlefit_options o;
    int with_canvas, initial;
} plan;

static plan plan_of(int which) {
    plan p = {.name = ""};
    leat_circlefit_options_default(&p.o);
    p.o.circles = 6;
    p.o.iterations = 12;
    p.o.population = 8;
    p.o.candidates = 60;
    p.o.climbers = 3;
    p.o.sweeps = 0;
    p.o.algorithm = LEAT_MINIMISE_MAYFLY;
    switch (which) {
    case 0: p.name = "climb"; p.o.algorithm = LEAT_CIRCLEFIT_CLIMB; p.o.sweeps = 4; break;
    case 1: p.name = "sequential"; break;
    case 2: p.name = "sequential, colours solved, extending"; p.o.solve_color = 1; p.initial = 2; break;
    case 3: p.name = "batch"; p.o.mode = LEAT_CIRCLEFIT_BATCH; p.o.batch = 4; p.o.algorithm = LEAT_MINIMISE_JADE; p.with_canvas = 1; break;
    case 4: p.name = "joint, early"; p.o.mode = LEAT_CIRCLEFIT_JOINT; p.o.bounds = LEAT_CIRCLEFIT_EARLY; p.o.distance = LEAT_MINIMISE_PER_DIMENSION; p.o.immediate = 1; break;
    case 5: p.name = "joint, colours solved, polished"; p.o.mode = LEAT_CIRCLEFIT_JOINT; p.o.solve_color = 1; p.o.sweeps = 2; p.o.algorithm = LEAT_MINIMISE_DESMA; p.initial = 2; break;
    case 6: p.name = "polish by climbing"; p.o.mode = LEAT_CIRCLEFIT_POLISH; p.o.algorithm = LEAT_CIRCLEFIT_CLIMB; p.o.sweeps = 3; p.initial = 2; break;
    case 7: p.name = "polish by an optimiser"; p.o.mode = LEAT_CIRCLEFIT_POLISH; p.o.sweeps = 3; p.o.active = 1; p.initial = 2; break;
    case 8: p.name = "batch with colours solved, stagnation"; p.o.mode = LEAT_CIRCLEFIT_BATCH; p.o.solve_color = 1; p.o.stagnation = 3; p.o.algorithm = LEAT_MINIMISE_OLCE; break;
    default: p.name = NULL;
    }
    return p;
}

static leat_circlefit *open_plan(const plan *p, leat_tpool *pool) {
    leat_circlefit *fit;
    leat_error error = {0};
    if (leat_circlefit_open(&reference, p->with_canvas ? &canvas : NULL, two, p->initial, &p->o, pool, &fit, &error) != LEAT_OK) fail_msg("%s: %s", p->name, error.message);
    return fit;
}

static void run_out(leat_circlefit *fit) { assert_int_equal(leat_circlefit_run(fit, NULL, NULL, NULL, NULL), LEAT_OK); }

/* The mean squared error of what the fitter draws. */
static double drawn_mse(const leat_circlefit *fit) {
    leat_image image;
    double sum = 0;
    assert_int_equal(leat_image_alloc(W, H, &image), LEAT_OK);
    assert_int_equal(leat_circlefit_render(fit, &image), LEAT_OK);
    for (int y = 0; y < H; y++) {
        for (int i = 0; i < 3 * W; i++) {
            int d = image.data[y * image.stride + i] - reference.data[y * reference.stride + i];
            sum += d * d;
        }
    }
    leat_image_free(&image);
    return sum / (3.0 * W * H);
}

static void every_mode_makes_progress(void **state) {
    (void)state;
    for (int which = 0; plan_of(which).name; which++) {
        plan p = plan_of(which);
        leat_circlefit *fit = open_plan(&p, NULL);
        leat_circlefit_info info;
        double least = INFINITY;
        int    status;
        while ((status = leat_circlefit_step(fit, NULL, NULL)) == LEAT_OK) {
            leat_circlefit_get(fit, &info);
            assert_true(info.mse <= least); /* the best so far never gets worse, and is what is drawn */
            least = info.mse;
            assert_true(fabs(drawn_mse(fit) - info.mse) < 1e-9);
        }
        assert_int_equal(status, LEAT_ESTATE);
        leat_circlefit_get(fit, &info);
        print_message("%-40s %6.1f -> %6.1f, %d circles, %s\n", p.name, info.initial_mse, info.mse, (int)info.circles, leat_circlefit_end_name(info.end));
        assert_true(info.mse < info.initial_mse && info.end != LEAT_CIRCLEFIT_RUNNING && info.circles <= p.o.circles && info.evaluations > 0);
        leat_circlefit_close(fit);
    }
}

static void threads_do_not_matter(void **state) {
    (void)state;
    leat_tpool *pool;
    assert_int_equal(leat_tpool_new(4, &pool), LEAT_OK);
    for (int which = 0; plan_of(which).name; which++) {
        plan p = plan_of(which);
        leat_circlefit *one = open_plan(&p, NULL), *four = open_plan(&p, pool);
        int64_t n, m;
        run_out(one);
        run_out(four);
        const leat_circle *a = leat_circlefit_circles(one, &n), *b = leat_circlefit_circles(four, &m);
        assert_int_equal(n, m);
        assert_memory_equal(a, b, (size_t)n * sizeof *a);
        leat_circlefit_close(one);
        leat_circlefit_close(four);
    }
    leat_tpool_unref(pool);
}

/* Saved and resumed after every third step: same circles to the last bit, same counters. */
static void resume_is_exact(void **state) {
    (void)state;
    for (int which = 0; plan_of(which).name; which++) {
        plan p = plan_of(which);
        leat_circlefit *whole = open_plan(&p, NULL), *part = open_plan(&p, NULL);
        leat_error error = {0};
        int64_t n, m;
        run_out(whole);
        for (int step = 0; leat_circlefit_step(part, NULL, NULL) == LEAT_OK; step++) {
            if (step % 3 != 1) continue;
            assert_int_equal(leat_circlefit_save(part, path, &error), LEAT_OK);
            leat_circlefit_close(part);
            if (leat_circlefit_resume(&reference, p.with_canvas ? &canvas : NULL, path, NULL, &part, &error) != LEAT_OK) fail_msg("%s: %s", p.name, error.message);
        }
        const leat_circle *a = leat_circlefit_circles(whole, &n), *b = leat_circlefit_circles(part, &m);
        assert_int_equal(n, m);
        assert_memory_equal(a, b, (size_t)n * sizeof *a);
        leat_circlefit_info i, j;
        leat_circlefit_get(whole, &i);
        leat_circlefit_get(part, &j);
        assert_true(i.mse == j.mse && i.evaluations == j.evaluations && i.steps == j.steps && i.end == j.end && i.sweep == j.sweep);
        leat_circlefit_close(whole);
        leat_circlefit_close(part);
    }
}

static uint64_t checksum(const uint64_t *words, size_t n) { /* as circlefit_state.c has it */
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < n; i++) h = (h ^ words[i] ^ words[i] >> 29) * 1099511628211u;
    return h;
}

static void expect_refusal(const void *data, size_t bytes, const leat_image *image, int status, const char *word) {
    leat_circlefit *fit;
    leat_error error = {0};
    assert_int_equal(leat_circlefit_resume_from(image, NULL, data, bytes, NULL, &fit, &error), status);
    assert_null(fit);
    if (!strstr(error.message, word)) fail_msg("'%s' does not say '%s'", error.message, word);
}

static void bad_checkpoints_are_refused(void **state) {
    (void)state;
    plan p = plan_of(5);
    leat_circlefit *fit = open_plan(&p, NULL), *again;
    leat_error error = {0};
    leat_circlefit_limits limits = {.evaluations = 200000};
    char  *data;
    size_t bytes;
    for (int i = 0; i < 5; i++) assert_int_equal(leat_circlefit_step(fit, NULL, NULL), LEAT_OK);
    assert_int_equal(leat_circlefit_save(fit, path, &error), LEAT_OK);
    assert_int_equal(leat__read_file(path, 1 << 24, &data, &bytes, &error), LEAT_OK);
    for (size_t n = 0; n < bytes; n += n < 200 ? 1 : 101) expect_refusal(data, n, &reference, LEAT_EFORMAT, n % 8 ? "truncated" : n < 16 ? "not a checkpoint" : "truncated");
    leat_image other = reference;
    other.width -= 1;
    expect_refusal(data, bytes, &other, LEAT_EFORMAT, "48 x 36");
    uint8_t *first = reference.data;
    *first ^= 1;
    expect_refusal(data, bytes, &reference, LEAT_EFORMAT, "another reference");
    *first ^= 1;
    data[300] ^= 4;
    expect_refusal(data, bytes, &reference, LEAT_EFORMAT, "checksum");
    data[300] ^= 4;
    data[8] = 2;
    expect_refusal(data, bytes, &reference, LEAT_EUNSUPPORTED, "version 2");
    data[8] = 1;
    /* hostile numbers behind a right checksum: refused, or harmless */
    uint64_t *w = malloc(bytes);
    static const uint64_t evil[] = {UINT64_MAX, (uint64_t)1 << 63, 0x7ff8000000000000u, 1 << 20, 0x7e37e43c8800759cu};
    for (size_t at = 9; at + 1 < bytes / 8 && at < 160; at++) {
        for (size_t e = 0; e < sizeof evil / sizeof *evil; e++) {
            memcpy(w, data, bytes);
            w[at] = evil[e];
            w[bytes / 8 - 1] = checksum(w, bytes / 8 - 1);
            if (leat_circlefit_resume_from(&reference, NULL, w, bytes, NULL, &again, &error) != LEAT_OK) continue;
            for (int i = 0; i < 3 && leat_circlefit_step(again, &limits, NULL) == LEAT_OK; i++) {}
            leat_circlefit_close(again);
        }
    }
    free(w);
    leat__free(data);
    leat_circlefit_close(fit);
}

/* Iterations of an optimiser allocate nothing; a circle that is placed (thousands of candidates) at most once, to be painted on the canvas. */
static void steps_allocate_nothing(void **state) {
    (void)state;
    for (int which = 0; which < 5; which += 4) {
        plan p = plan_of(which);
        leat_circlefit *fit = open_plan(&p, NULL);
        assert_int_equal(leat_circlefit_step(fit, NULL, NULL), LEAT_OK);
        uint64_t before = leat__thread_allocations();
        for (int i = 0; i < 10; i++) assert_int_equal(leat_circlefit_step(fit, NULL, NULL), LEAT_OK);
        assert_true(leat__thread_allocations() - before <= (which == 0 ? 10 : 0));
        leat_circlefit_close(fit);
    }
}

static int stop_after_three(void *user, const leat_circlefit *fit) {
    (void)fit;
    return ++*(int *)user >= 3;
}

static void limits_and_cancelling(void **state) {
    (void)state;
    plan p = plan_of(0);
    leat_circlefit_info info;
    leat_circlefit_limits target = {.mse = 1500}, few = {.evaluations = 700}, brief = {.seconds = 1e-9};
    const struct { leat_circlefit_limits *limits; leat_circlefit_end end; } cases[] = {
        {&target, LEAT_CIRCLEFIT_TARGET}, {&few, LEAT_CIRCLEFIT_EVALUATIONS}, {&brief, LEAT_CIRCLEFIT_TIME}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        leat_circlefit *fit = open_plan(&p, NULL);
        assert_int_equal(leat_circlefit_run(fit, cases[i].limits, NULL, NULL, NULL), LEAT_OK);
        leat_circlefit_get(fit, &info);
        assert_int_equal(info.end, cases[i].end);
        leat_circlefit_close(fit);
    }
    int steps = 0;
    leat_circlefit *fit = open_plan(&p, NULL);
    assert_int_equal(leat_circlefit_run(fit, NULL, stop_after_three, &steps, NULL), LEAT_ECANCELLED);
    leat_circlefit_cancel(fit);
    assert_int_equal(leat_circlefit_step(fit, NULL, NULL), LEAT_ECANCELLED);
    leat_circlefit_get(fit, &info);
    assert_int_equal(info.circles, 3);
    leat_circlefit_close(fit);
}

static void bad_options_are_named(void **state) {
    (void)state;
    leat_circlefit *fit;
    leat_error error = {0};
    plan p = plan_of(0);
    p.o.circles = 0;
    assert_int_equal(leat_circlefit_open(&reference, NULL, NULL, 0, &p.o, NULL, &fit, &error), LEAT_EINVAL);
    assert_non_null(strstr(error.message, "circles"));
    p = plan_of(0);
    p.o.mode = LEAT_CIRCLEFIT_JOINT;
    assert_int_equal(leat_circlefit_open(&reference, NULL, NULL, 0, &p.o, NULL, &fit, &error), LEAT_EINVAL);
    p = plan_of(6);
    assert_int_equal(leat_circlefit_open(&reference, NULL, NULL, 0, &p.o, NULL, &fit, &error), LEAT_EINVAL);
    assert_non_null(strstr(error.message, "initial"));
}

static void one_pixel_is_enough(void **state) {
    (void)state;
    leat_image tiny = reference;
    tiny.width = tiny.height = 1;
    for (int which = 0; plan_of(which).name; which++) {
        plan p = plan_of(which);
        leat_circlefit *fit;
        if (p.with_canvas) continue;
        assert_int_equal(leat_circlefit_open(&tiny, NULL, two, p.initial, &p.o, NULL, &fit, NULL), LEAT_OK);
        run_out(fit);
        leat_circlefit_close(fit);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mode_makes_progress), cmocka_unit_test(threads_do_not_matter), cmocka_unit_test(resume_is_exact),
        cmocka_unit_test(bad_checkpoints_are_refused), cmocka_unit_test(steps_allocate_nothing), cmocka_unit_test(limits_and_cancelling), cmocka_unit_test(bad_options_are_named),
        cmocka_unit_test(one_pixel_is_enough)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
