/* circlefit_bench.c - `leat circlefit bench`: the original's fixture without random numbers: what it must look like, and how long it takes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "leat/circlefit.h"
#include "machine.h"
#include "options.h"
#include "report.h"
#include "term.h"

typedef struct fixture {
    int      side, circles;
    uint64_t writes, sum[3];
    uint32_t fnv1a; /* over RGBA bytes, A = 255 */
} fixture;

/* As the words of --fixture. */
static const fixture fixtures[] = {{256, 30, 119115, {9792716, 8591612, 8647225}, 0x4d17c6cc},
                                   {512, 100, 1471457, {32720996, 31971574, 37325838}, 0xa7a8aceb}};

typedef struct job {
    const fixture         *want;
    fixture                got;
    leat_circle           *circles;
    leat_image             image, blank;
    leat_tpool            *pool;
    leat_circle_renderer  *renderer;
    leat_circle_target    *target;
    leat_circle_evaluator *evaluator;
    double                 us_per_render, us_per_eval;
    uint64_t               sse;
} job;

static void make_circles(const fixture *f, leat_circle *circles) {
    for (int c = 0; c < f->circles; c++)
        circles[c] = (leat_circle){37 * c % f->side + 0.25, 53 * c % f->side + 0.75, 2 + 11 * c % (f->side / 4), 29 * c % 256 / 255.0, 47 * c % 256 / 255.0,
                                   71 * c % 256 / 255.0, 0.25 + 0.7 * (17 * c % 100) / 100};
}

static int open_job(job *j, int threads) {
    int side = j->want->side;
    j->circles = calloc((size_t)j->want->circles, sizeof *j->circles);
    int failed = j->circles ? leat_tpool_new(threads, &j->pool) : LEAT_ENOMEM;
    if (failed == LEAT_OK) failed = leat_image_alloc(side, side, &j->image);
    if (failed == LEAT_OK) failed = leat_image_alloc(side, side, &j->blank);
    if (failed == LEAT_OK) failed = leat_circle_renderer_open(j->want->circles, side, j->pool, &j->renderer);
    if (failed == LEAT_OK) failed = leat_circle_target_open(&j->blank, NULL, &j->target, NULL); /* black, as in the original */
    if (failed == LEAT_OK) failed = leat_circle_evaluator_open(j->target, j->want->circles, &j->evaluator);
    if (failed != LEAT_OK) return cli_fail("making the fixture: %s", leat_status_text(failed));
    memset(j->blank.data, 255, (size_t)(j->blank.stride * side));
    make_circles(j->want, j->circles);
    return CLI_DONE;
}

static void close_job(job *j) {
    leat_circle_evaluator_close(j->evaluator);
    leat_circle_target_unref(j->target);
    leat_circle_renderer_close(j->renderer);
    leat_image_free(&j->image);
    leat_image_free(&j->blank);
    leat_tpool_unref(j->pool);
    free(j->circles);
}

static void draw(job *j) {
    memcpy(j->image.data, j->blank.data, (size_t)(j->image.stride * j->image.height));
    leat_circle_renderer_draw(j->renderer, j->circles, j->want->circles, &j->image, &j->got.writes);
}

static void evaluate(job *j) { leat_circle_evaluate(j->evaluator, j->circles, j->want->circles, &j->sse); }

/* Best of some rounds of about 50 ms, microseconds a call. */
static double time_calls(job *j, void (*call)(job *)) {
    double best = 0;
    for (int round = 0; round < 10 && !cli_interrupted(); round++) {
        int64_t start = cli_now_ns(), now, n = 0;
        do call(j), n++;
        while ((now = cli_now_ns()) - start < 50000000);
        double us = (double)(now - start) / 1e3 / (double)n;
        if (round == 0 || us < best) best = us;
    }
    return best;
}

static void describe(job *j) {
    uint32_t hash = 2166136261u;
    for (int64_t i = 0; i < j->image.stride * j->image.height; i++) {
        j->got.sum[i % 3] += j->image.data[i];
        hash = (hash ^ j->image.data[i]) * 16777619u;
        if (i % 3 == 2) hash = (hash ^ 255u) * 16777619u;
    }
    j->got.fnv1a = hash;
}

static void print_json(const job *j, int threads, int same) {
    char hash[9];
    snprintf(hash, sizeof hash, "%08" PRIx32, j->got.fnv1a);
    cli_print_json(json_pack("{s:I, s:[I,I,I], s:s, s:b, s:f, s:f, s:i, s:s}", "writes", (json_int_t)j->got.writes, "sum", (json_int_t)j->got.sum[0],
                             (json_int_t)j->got.sum[1], (json_int_t)j->got.sum[2], "fnv1a", hash, "same", same, "us_per_render", j->us_per_render,
                             "us_per_eval", j->us_per_eval, "threads", threads, "isa", leat_isa_name(leat_isa_selected())));
}

static void print_text(const job *j, int threads) {
    printf("%d x %d, %d circles: %" PRIu64 " pixels written, sums %" PRIu64 " %" PRIu64 " %" PRIu64 ", FNV-1a %08" PRIx32 "\n", j->want->side, j->want->side,
           j->want->circles, j->got.writes, j->got.sum[0], j->got.sum[1], j->got.sum[2], j->got.fnv1a);
    printf("render   %10.2f us, %d thread%s, %.2f ns a pixel written\n", j->us_per_render, threads, threads == 1 ? "" : "s",
           j->us_per_render * 1e3 / (double)j->got.writes);
    printf("evaluate %10.2f us, 1 thread, MSE against black %.4f\n", j->us_per_eval, (double)j->sse / (3.0 * j->want->side * j->want->side));
}

int cli_circlefit_bench(const cli_args *args) {
    job j = {.want = &fixtures[cli_int(args, OPT_FIXTURE)]};
    int status = cli_select_isa(args);
    if (status == CLI_DONE) status = open_job(&j, cli_int(args, OPT_THREADS));
    if (status == CLI_DONE) {
        int threads = leat_tpool_threads(j.pool);
        draw(&j);
        describe(&j);
        j.us_per_render = time_calls(&j, draw);
        j.us_per_eval = time_calls(&j, evaluate);
        int same = j.got.writes == j.want->writes && memcmp(j.got.sum, j.want->sum, sizeof j.got.sum) == 0 && j.got.fnv1a == j.want->fnv1a;
        if (cli_int(args, OPT_JSON)) print_json(&j, threads, same);
        else print_text(&j, threads);
        if (!same) {
            cli_fail("the picture is not the fixture's: FNV-1a %08" PRIx32 " was expected", j.want->fnv1a);
            status = CLI_NOT_MET;
        }
        if (cli_interrupted()) status = CLI_INTERRUPTED;
    }
    close_job(&j);
    return status;
}
