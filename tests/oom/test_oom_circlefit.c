/* test_oom_circlefit.c - the n-th allocation fails in a fit, its checkpoint or its files, for every n: LEAT_ENOMEM, nothing leaks. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "leat/circlefitter.h"

#define W 24
#define H 16
#define MOST 2000 /* allocations; more would mean that the count never ends */

static uint8_t    pixels[3 * W * H];
static leat_image image = {pixels, W, H, 3 * W};
static char       path[64];

static uint64_t live_bytes(void) {
    leat_memory_stats stats;
    uint64_t sum = 0;
    leat_memory_get(&stats);
    for (int i = 0; i < LEAT_MEMORY_TAGS; i++) sum += stats.live_bytes[i];
    return sum;
}

static leat_circlefit_options plan_of(int which) {
    leat_circlefit_options o;
    leat_circlefit_options_default(&o);
    o.circles = 4;
    o.iterations = 2;
    o.population = 4;
    o.candidates = 12;
    o.climbers = 2;
    o.sweeps = 1;
    o.solve_color = which > 0;
    if (which > 0) o.algorithm = which == 1 ? LEAT_MINIMISE_MAYFLY : LEAT_MINIMISE_JADE;
    if (which == 2) o.mode = LEAT_CIRCLEFIT_BATCH;
    if (which == 3) o.mode = LEAT_CIRCLEFIT_JOINT;
    return o;
}

/* Opens, goes a few steps, saves, resumes, writes every kind of file. */
static int work(int which, leat_error *error) {
    static const leat_circle initial = {10, 8, 5, 0.5, 0.2, 0.1, 0.5};
    static const uint8_t white[3] = {255, 255, 255};
    leat_circlefit_options o = plan_of(which);
    leat_circlefit *fit = NULL, *again = NULL;
    int64_t count;
    int status = leat_circlefit_open(&image, &image, &initial, 1, &o, NULL, &fit, error);
    for (int i = 0; status == LEAT_OK && i < 3; i++) status = leat_circlefit_step(fit, NULL, error);
    if (status == LEAT_OK) status = leat_circlefit_save(fit, path, error);
    if (status == LEAT_OK) status = leat_circlefit_resume(&image, &image, path, NULL, &again, error);
    const leat_circle *circles = status == LEAT_OK ? leat_circlefit_circles(again, &count) : NULL;
    if (status == LEAT_OK) status = leat_circles_save_svg(path, circles, count, W, H, white, error);
    if (status == LEAT_OK) status = leat_circles_save_json(path, circles, count, W, H, white, error);
    if (status == LEAT_OK) status = leat_circles_save_geometrize(path, circles, count, W, H, white, error);
    leat_circlefit_close(fit);
    leat_circlefit_close(again);
    return status;
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    for (int which = 0; which < 4; which++) {
        leat_error error = {0};
        if (work(which, &error) != LEAT_OK) fail_msg("%s", error.message);
        uint64_t before = live_bytes();
        int n = 1, status = LEAT_ENOMEM;
        for (; n < MOST && status != LEAT_OK; n++) {
            error = (leat_error){0};
            leat__alloc_fail_at((uint64_t)n, 0);
            status = work(which, &error);
            leat__alloc_fail_at(0, 0);
            if (status != LEAT_OK) {
                assert_int_equal(status, LEAT_ENOMEM);
                assert_int_equal(error.status, LEAT_ENOMEM);
                assert_true(error.message[0] != 0);
            }
            assert_int_equal(live_bytes(), before);
        }
        assert_int_equal(status, LEAT_OK);
        assert_true(n > 20 && n < MOST);
    }
}

int main(void) {
    for (int i = 0; i < 3 * W * H; i++) pixels[i] = (uint8_t)(i * 5 + i / 70 * 31);
    snprintf(path, sizeof path, "/tmp/test_oom_circlefit_%d", (int)getpid());
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
