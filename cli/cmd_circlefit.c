/* cmd_circlefit.c - `leat circlefit`: fits circles to an image, with progress, checkpoints and a trace; an interrupt keeps the best.
 *
 * What the search is (mode, algorithm, sizes, seed) comes from the options, or with --resume from the checkpoint; how long it goes on and
 * what is written comes from the options in both cases.  All outputs are written at the end, also after an interrupt.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "circles_file.h"
#include "circlefit_trace.h"
#include "leat/circlefitter.h"
#include "leat/compare.h"
#include "leat/video.h"
#include "machine.h"
#include "options.h"
#include "report.h"
#include "term.h"

#define FRAMES_A_SECOND 30

typedef struct job {
    const cli_args *args;
    leat_image      reference, canvas, result;
    leat_circle    *initial;
    int64_t         n_initial;
    leat_tpool     *pool;
    leat_circlefit *fit;
    leat_circlefit_limits limits;
    circlefit_trace trace;
    int64_t         start_ns, shown_ns, saved_ns;
    leat_sink      *sink;        /* of --frames */
    int64_t         frames;      /* written */
    double          framed_mse;  /* of the last frame */
    int64_t         framed_sweep;
    leat_circlefit_info first;   /* at the start of this process */
} job;

/* ---- options -------------------------------------------------------------------------------------------------------------- */

static int load_image(const char *path, leat_image *image) {
    leat_error error = {0};
    int failed = leat_image_load(path, NULL, image, &error);
    return failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
}

/* climb is the first word of the choice. */
static int32_t algorithm_of(const cli_args *args, leat_circlefit_mode mode) {
    if (cli_is_set(args, OPT_ALGORITHM)) return cli_int(args, OPT_ALGORITHM) - 1;
    return mode == LEAT_CIRCLEFIT_SEQUENTIAL || mode == LEAT_CIRCLEFIT_POLISH ? LEAT_CIRCLEFIT_CLIMB : LEAT_MINIMISE_MAYFLY;
}

static int parse_count(const cli_args *args, int32_t *count) {
    char *end, *text = (char *)cli_text(args, OPT_CIRCLES);
    long value = strtol(text, &end, 10);
    if (*end || end == text || value < 1 || value > 10000) return cli_usage("--circles: '%s' is not a number in 1..10000", text);
    *count = (int32_t)value;
    return CLI_DONE;
}

static int settle_options(const cli_args *args, leat_circlefit_options *o) {
    leat_circlefit_options_default(o);
    o->mode = (leat_circlefit_mode)cli_int(args, OPT_MODE);
    o->algorithm = algorithm_of(args, o->mode);
    o->iterations = cli_int(args, OPT_ITERS);
    o->population = cli_int(args, OPT_POP);
    o->batch = cli_int(args, OPT_BATCH);
    o->seed = (uint64_t)cli_number(args, OPT_SEED);
    o->bounds = (leat_circlefit_bounds)cli_int(args, OPT_BOUNDS);
    o->distance = (leat_minimise_distance)cli_int(args, OPT_DISTANCE);
    o->immediate = cli_int(args, OPT_IMMEDIATE);
    o->solve_color = cli_int(args, OPT_SOLVE_COLOR);
    o->residual_seed = cli_int(args, OPT_RESIDUAL_SEED);
    o->candidates = cli_int(args, OPT_CANDIDATES);
    o->climbers = cli_int(args, OPT_CLIMBERS);
    if (o->climbers > o->candidates) o->climbers = o->candidates;
    o->active = cli_int(args, OPT_ACTIVE);
    o->patience = cli_int(args, OPT_PATIENCE);
    o->threshold = cli_number(args, OPT_THRESHOLD);
    o->stagnation = cli_int(args, OPT_STAGNATION);
    int climbs = o->algorithm == LEAT_CIRCLEFIT_CLIMB, polishes = o->mode == LEAT_CIRCLEFIT_POLISH;
    if (cli_is_set(args, OPT_SWEEPS)) o->sweeps = cli_int(args, OPT_SWEEPS);
    else if (!climbs) o->sweeps = polishes ? 16 : 0;
    return parse_count(args, &o->circles);
}

/* What a checkpoint holds cannot be said again. */
static int check_resume(const cli_args *args) {
    static const struct { cli_option_id id; const char *name; } held[] = {
        {OPT_CIRCLES, "circles"}, {OPT_MODE, "mode"}, {OPT_ALGORITHM, "algorithm"}, {OPT_ITERS, "iters"}, {OPT_POP, "pop"}, {OPT_BATCH, "batch"},
        {OPT_SEED, "seed"}, {OPT_BOUNDS, "bounds"}, {OPT_DISTANCE, "distance"}, {OPT_IMMEDIATE, "immediate"}, {OPT_SOLVE_COLOR, "solve-color"},
        {OPT_RESIDUAL_SEED, "residual-seed"}, {OPT_CANDIDATES, "candidates"}, {OPT_CLIMBERS, "climbers"}, {OPT_ACTIVE, "active"},
        {OPT_PATIENCE, "patience"}, {OPT_THRESHOLD, "threshold"}, {OPT_STAGNATION, "stagnation"}, {OPT_SWEEPS, "sweeps"}, {OPT_INIT, "init"}};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
        if (cli_is_set(args, held[i].id)) return cli_usage("--%s comes from the checkpoint; leave it out with --resume", held[i].name);
    }
    return CLI_DONE;
}

static void settle_limits(const cli_args *args, leat_circlefit_limits *limits) {
    if (cli_is_set(args, OPT_TARGET_PSNR)) limits->mse = 65025 / pow(10, cli_number(args, OPT_TARGET_PSNR) / 10);
    if (cli_is_set(args, OPT_TIME_LIMIT)) limits->seconds = cli_number(args, OPT_TIME_LIMIT);
    if (cli_is_set(args, OPT_MAX_EVALUATIONS)) limits->evaluations = (int64_t)cli_number(args, OPT_MAX_EVALUATIONS);
}

static int open_fit(job *j) {
    const cli_args *args = j->args;
    const leat_image *canvas = cli_text(args, OPT_CANVAS) ? &j->canvas : NULL;
    leat_circlefit_options o;
    leat_error error = {0};
    int failed, status = CLI_DONE;
    if (cli_text(args, OPT_RESUME)) {
        if ((status = check_resume(args)) != CLI_DONE) return status;
        failed = leat_circlefit_resume(&j->reference, canvas, cli_text(args, OPT_RESUME), j->pool, &j->fit, &error);
        return failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
    }
    if (cli_text(args, OPT_INIT)) status = cli_circles_read(cli_text(args, OPT_INIT), &j->initial, &j->n_initial);
    if (status == CLI_DONE) status = settle_options(args, &o);
    if (status != CLI_DONE) return status;
    if (o.circles < j->n_initial && !cli_is_set(args, OPT_CIRCLES)) o.circles = (int32_t)j->n_initial;
    if (o.mode == LEAT_CIRCLEFIT_POLISH) o.circles = j->n_initial ? (int32_t)j->n_initial : 1;
    failed = leat_circlefit_open(&j->reference, canvas, j->initial, j->n_initial, &o, j->pool, &j->fit, &error);
    return failed == LEAT_OK ? CLI_DONE : failed == LEAT_EINVAL ? cli_usage("%s", error.message) : cli_fail_error(failed, &error);
}

/* A name without a suffix is a folder, made if need be, of PNG files; others are what a sink makes of them. */
static int open_frames(job *j) {
    const char *name = cli_text(j->args, OPT_FRAMES), *base = name ? strrchr(name, '/') : NULL;
    char spec[4200];
    leat_error error = {0};
    if (!name) return CLI_DONE;
    snprintf(spec, sizeof spec, "%s", name);
    if (!strchr(base && base[1] ? base + 1 : name, '.')) {
        if (mkdir(name, 0777) != 0 && errno != EEXIST) return cli_fail("--frames: %s: %s", name, strerror(errno));
        snprintf(spec, sizeof spec, "%s/%%06d.png", name);
    }
    int failed = leat_sink_open(spec, NULL, &j->sink, &error);
    return failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
}

static int open_job(job *j) {
    const cli_args *args = j->args;
    int status = cli_select_isa(args);
    if (status == CLI_DONE) status = load_image(args->positional[0], &j->reference);
    if (status == CLI_DONE && cli_text(args, OPT_CANVAS)) status = load_image(cli_text(args, OPT_CANVAS), &j->canvas);
    if (status == CLI_DONE && leat_image_alloc(j->reference.width, j->reference.height, &j->result) != LEAT_OK) status = cli_fail("out of memory");
    if (status == CLI_DONE && leat_tpool_new(cli_int(args, OPT_THREADS), &j->pool) != LEAT_OK) status = cli_fail("cannot start %d threads", cli_int(args, OPT_THREADS));
    if (status == CLI_DONE) status = open_fit(j);
    if (status != CLI_DONE) return status;
    settle_limits(args, &j->limits);
    leat_circlefit_get(j->fit, &j->first);
    j->framed_mse = INFINITY;
    status = open_frames(j);
    if (status != CLI_DONE) return status;
    return circlefit_trace_open(&j->trace, cli_text(args, OPT_TRACE), cli_text(args, OPT_RESUME) != NULL, j->first.steps);
}

static void close_job(job *j) {
    leat_sink_close(j->sink, NULL);
    leat_circlefit_close(j->fit);
    leat_tpool_unref(j->pool);
    leat_image_free(&j->reference);
    leat_image_free(&j->canvas);
    leat_image_free(&j->result);
    free(j->initial);
}

/* ---- along the way -------------------------------------------------------------------------------------------------------- */

static void show_progress(job *j, const leat_circlefit_info *info) {
    int64_t now = cli_now_ns();
    int     terminal = isatty(STDERR_FILENO);
    double  seconds = (double)(now - j->start_ns) / 1e9, left = -1;
    char    evaluations[24], drawn[24], pixels[24];
    if (cli_int(j->args, OPT_QUIET) || seconds < 0.5 || now - j->shown_ns < (terminal ? 100000000 : 5000000000)) return;
    j->shown_ns = now;
    cli_count_text((double)(info->evaluations - j->first.evaluations) / seconds, evaluations, sizeof evaluations);
    cli_count_text((double)(info->drawn - j->first.drawn) / seconds, drawn, sizeof drawn);
    cli_count_text((double)(info->pixels - j->first.pixels) / seconds, pixels, sizeof pixels);
    if (info->progress > 0) left = seconds * (1 - info->progress) / (info->progress - fmax(j->first.progress, 0) + 1e-9);
    if (j->limits.seconds > 0 && (left < 0 || left > j->limits.seconds - seconds)) left = j->limits.seconds - seconds;
    fprintf(stderr, "%s%s: %lld circles, MSE %.2f, %.2f dB, %s evaluations/s, %s circles/s, %s pixels/s", terminal ? "\r\033[K" : "", info->phase,
            (long long)info->circles, info->mse, info->psnr_db, evaluations, drawn, pixels);
    if (left >= 0) fprintf(stderr, ", %.0f s left", left);
    if (strcmp(info->phase, "polish") == 0) fprintf(stderr, ", sweep %lld", (long long)info->sweep);
    if (!terminal) fputc('\n', stderr);
    fflush(stderr);
}

/* A frame for each circle placed, each gain of a joint run, each sweep. */
static int write_frame(job *j, const leat_circlefit_info *info) {
    leat_frame frame;
    leat_error error = {0};
    int polishing = info->sweep > 0 || strcmp(info->phase, "polish") == 0 || strcmp(info->phase, "relocate") == 0;
    if (!j->sink || info->mse >= j->framed_mse || (polishing && info->sweep == j->framed_sweep)) return CLI_DONE;
    j->framed_mse = info->mse;
    j->framed_sweep = polishing ? info->sweep : -1;
    if (leat_circlefit_render(j->fit, &j->result) != LEAT_OK) return cli_fail("out of memory");
    leat_frame_from_image(&j->result, &frame);
    frame.index = j->frames++;
    frame.pts_ns = frame.index * (1000000000 / FRAMES_A_SECOND);
    int failed = leat_sink_write(j->sink, &frame, &error);
    return failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
}

static int save_checkpoint(job *j, int now) {
    const char *path = cli_text(j->args, OPT_CHECKPOINT);
    int64_t time = cli_now_ns();
    leat_error error = {0};
    if (!path || (!now && (double)(time - j->saved_ns) / 1e9 < cli_number(j->args, OPT_CHECKPOINT_EVERY))) return CLI_DONE;
    int failed = leat_circlefit_save(j->fit, path, &error);
    j->saved_ns = cli_now_ns();
    return failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
}

static int fit_all(job *j) {
    leat_circlefit_info info;
    leat_error error = {0};
    int failed = LEAT_OK, status = CLI_DONE;
    j->start_ns = j->saved_ns = cli_now_ns();
    while (status == CLI_DONE && !cli_interrupted() && (failed = leat_circlefit_step(j->fit, &j->limits, &error)) == LEAT_OK) {
        leat_circlefit_get(j->fit, &info);
        show_progress(j, &info);
        status = write_frame(j, &info);
        if (status == CLI_DONE) status = circlefit_trace_add(&j->trace, &info, (double)(cli_now_ns() - j->start_ns) / 1e9);
        if (status == CLI_DONE) status = save_checkpoint(j, 0);
    }
    if (j->shown_ns && isatty(STDERR_FILENO)) fputs("\r\033[K", stderr);
    if (failed != LEAT_OK && failed != LEAT_ESTATE) return cli_fail_error(failed, &error);
    return status != CLI_DONE ? status : cli_interrupted() ? CLI_INTERRUPTED : CLI_DONE;
}

/* ---- at the end ----------------------------------------------------------------------------------------------------------- */

static int save_picture(const char *path, const leat_image *image, leat_error *error) {
    const char *dot = strrchr(path, '.');
    int jpeg = dot && (strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0);
    return jpeg ? leat_image_save_jpeg(path, image, 92, error) : leat_image_save_png(path, image, error);
}

static int write_diff(job *j, leat_error *error) {
    leat_image diff = {0};
    int failed = leat_image_alloc(j->reference.width, j->reference.height, &diff);
    if (failed == LEAT_OK) failed = leat_image_difference(&j->reference, &j->result, (leat_colormap)cli_int(j->args, OPT_COLORMAP), &diff);
    if (failed == LEAT_OK) failed = save_picture(cli_text(j->args, OPT_DIFF), &diff, error);
    leat_image_free(&diff);
    return failed;
}

static int write_outputs(job *j) {
    typedef int (*writer)(const char *, const leat_circle *, int64_t, int, int, const uint8_t *, leat_error *);
    static const struct { cli_option_id id; writer write; } vectors[] = {
        {OPT_SVG, leat_circles_save_svg}, {OPT_JSON_FILE, leat_circles_save_json}, {OPT_GEOMETRIZE, leat_circles_save_geometrize}};
    static const uint8_t white[3] = {255, 255, 255};
    leat_error error = {0};
    int64_t count;
    const leat_circle *circles = leat_circlefit_circles(j->fit, &count);
    int failed = leat_circlefit_render(j->fit, &j->result);
    if (failed == LEAT_OK && cli_text(j->args, OPT_OUT)) failed = save_picture(cli_text(j->args, OPT_OUT), &j->result, &error);
    for (size_t i = 0; failed == LEAT_OK && i < sizeof vectors / sizeof *vectors; i++) {
        const char *path = cli_text(j->args, vectors[i].id);
        if (path) failed = vectors[i].write(path, circles, count, j->reference.width, j->reference.height, white, &error);
    }
    if (failed == LEAT_OK && cli_text(j->args, OPT_DIFF)) failed = write_diff(j, &error);
    return failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
}

/* The last frame is the result. */
static int close_frames(job *j) {
    leat_error error = {0};
    leat_circlefit_info info;
    if (!j->sink) return CLI_DONE;
    leat_circlefit_get(j->fit, &info);
    j->framed_sweep = -2;
    int status = write_frame(j, &info), failed = leat_sink_close(j->sink, &error);
    j->sink = NULL;
    return status != CLI_DONE ? status : failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
}

static void print_summary(const job *j, int interrupted) {
    leat_circlefit_info info;
    leat_circlefit_get(j->fit, &info);
    double seconds = (double)(cli_now_ns() - j->start_ns) / 1e9;
    printf("%s: %lld circles, MSE %.4f -> %.4f, %.3f dB, %lld evaluations, %.2f s, %s\n", j->args->positional[0], (long long)info.circles, info.initial_mse, info.mse,
           info.psnr_db, (long long)info.evaluations, seconds, interrupted ? "interrupted" : leat_circlefit_end_name(info.end));
}

int cli_circlefit(const cli_args *args) {
    job j = {.args = args, .framed_sweep = -1};
    int status = open_job(&j);
    if (status == CLI_DONE) {
        status = fit_all(&j);
        if (status == CLI_DONE || status == CLI_INTERRUPTED) {
            int failed = save_checkpoint(&j, 1);
            if (failed == CLI_DONE) failed = write_outputs(&j);
            if (failed == CLI_DONE) failed = close_frames(&j);
            print_summary(&j, status == CLI_INTERRUPTED);
            if (failed != CLI_DONE) status = failed;
        }
    }
    int closed = circlefit_trace_close(&j.trace);
    close_job(&j);
    return status == CLI_DONE ? closed : status;
}
