/* circlefit_score.c - `leat circlefit score`: paints circles from a file and says how like the reference they are. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "circles_file.h"
#include "leat/circlefit.h"
#include "leat/compare.h"
#include "machine.h"
#include "options.h"
#include "report.h"
#include "term.h"

typedef struct job {
    const cli_args *args;
    leat_image      reference, image; /* image: the canvas, then painted */
    leat_circle    *circles;
    int64_t         count;
    leat_tpool     *pool;
    uint64_t        writes, sse;
    double          mse, ssim;
} job;

static int load(const char *path, leat_image *image) {
    leat_error error = {0};
    int failed = leat_image_load(path, NULL, image, &error);
    return failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
}

static int make_canvas(job *j) {
    const char *path = cli_text(j->args, OPT_CANVAS);
    if (!path) {
        if (leat_image_alloc(j->reference.width, j->reference.height, &j->image) != LEAT_OK) return cli_fail("out of memory");
        memset(j->image.data, 255, (size_t)(j->image.stride * j->image.height));
        return CLI_DONE;
    }
    int status = load(path, &j->image);
    if (status == CLI_DONE && (j->image.width != j->reference.width || j->image.height != j->reference.height))
        status = cli_fail("%s: %d x %d pixels, but the reference has %d x %d", path, (int)j->image.width, (int)j->image.height, (int)j->reference.width,
                          (int)j->reference.height);
    return status;
}

static int open_job(job *j) {
    const char *path = cli_text(j->args, OPT_CIRCLES);
    if (!path) return cli_usage("--circles F.json is needed: the circles to score");
    int status = cli_select_isa(j->args);
    if (status == CLI_DONE) status = cli_circles_read(path, &j->circles, &j->count);
    if (status == CLI_DONE) status = load(j->args->positional[0], &j->reference);
    if (status == CLI_DONE) status = make_canvas(j);
    if (status == CLI_DONE && leat_tpool_new(cli_int(j->args, OPT_THREADS), &j->pool) != LEAT_OK) status = cli_fail("no threads");
    return status;
}

static void close_job(job *j) {
    leat_image_free(&j->reference);
    leat_image_free(&j->image);
    leat_tpool_unref(j->pool);
    free(j->circles);
}

static int score(job *j) {
    int failed = leat_circles_render(j->circles, j->count, &j->image, j->pool, &j->writes);
    if (failed == LEAT_OK) failed = leat_image_sse(&j->image, &j->reference, &j->sse);
    if (failed == LEAT_OK) failed = leat_image_ssim(&j->image, &j->reference, &j->ssim);
    if (failed != LEAT_OK) return cli_fail("scoring: %s", leat_status_text(failed));
    j->mse = (double)j->sse / (3.0 * j->reference.width * j->reference.height);
    return CLI_DONE;
}

/* --diff turns the picture into the differences, so it comes last. */
static int write_pictures(job *j) {
    leat_error  error = {0};
    const char *out = cli_text(j->args, OPT_OUT), *diff = cli_text(j->args, OPT_DIFF);
    int failed = out ? leat_image_save_png(out, &j->image, &error) : LEAT_OK;
    if (failed == LEAT_OK && diff) {
        leat_image_difference(&j->image, &j->reference, (leat_colormap)cli_int(j->args, OPT_COLORMAP), &j->image);
        failed = leat_image_save_png(diff, &j->image, &error);
    }
    return failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
}

static void print_score(const job *j) {
    double psnr = leat_psnr_db(j->mse);
    if (cli_int(j->args, OPT_JSON)) {
        cli_print_json(json_pack("{s:i, s:i, s:I, s:I, s:I, s:f, s:o, s:b, s:f}", "width", (int)j->reference.width, "height", (int)j->reference.height, "circles",
                                 (json_int_t)j->count, "writes", (json_int_t)j->writes, "sse", (json_int_t)j->sse, "mse", j->mse, "psnr_db", cli_json_number(psnr),
                                 "psnr_infinite", isinf(psnr) != 0, "ssim", j->ssim));
        return;
    }
    printf("%s: %lld circles, MSE %.4f, PSNR %.4f dB, SSIM %.6f\n", j->args->positional[0], (long long)j->count, j->mse, psnr, j->ssim);
}

int cli_circlefit_score(const cli_args *args) {
    job j = {.args = args};
    int status = open_job(&j);
    if (status == CLI_DONE) status = score(&j);
    if (status == CLI_DONE) {
        print_score(&j);
        status = write_pictures(&j);
    }
    close_job(&j);
    return status;
}
