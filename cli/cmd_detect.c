/* cmd_detect.c - `leat detect`: a stream from source to outputs, what it found on standard output, what it took on standard error. */
#include <stdio.h>
#include <string.h>

#include "detect_setup.h"
#include "pipeline_report.h"
#include "report.h"
#include "term.h"

#define POLL_NS 100000000
enum { LEAST_TABLE = 10 }; /* frames; below, a table of times says little */

/* ---- results on standard output ------------------------------------------------------------------------------------------- */

static void print_json(void *user, const leat_detect_result *r) {
    fwrite(r->json, 1, r->json_bytes, stdout);
    fflush(stdout); /* a stream's reader sees each frame at once */
}

static void print_text(void *user, const leat_detect_result *r) {
    const cli_detect_job *j = user;
    printf("frame %lld, %.3f s: %d found (preprocess %.2f ms, infer %.2f ms, decode %.3f ms)\n", (long long)r->frame->index, (double)r->frame->pts_ns / 1e9,
           (int)r->count, r->times->preprocess_ms, r->times->infer_ms, r->times->decode_ms + r->times->nms_ms);
    for (int i = 0; i < r->count; i++) {
        const leat_detection *d = &r->detections[i];
        const char *label = leat_labels_name(j->labels, d->class_id);
        printf("  %6.2f %%  %4d  %-16s  %7.1f %7.1f %7.1f %7.1f", 100 * (double)d->score, (int)d->class_id, label ? label : "", (double)d->x1, (double)d->y1,
               (double)d->x2, (double)d->y2);
        if (d->track > 0) printf("  #%d", (int)d->track);
        putchar('\n');
    }
}

/* ---- run ------------------------------------------------------------------------------------------------------------------ */

/* Waits in slices, so that an interrupt or a reader that went away ends the input; what is in flight is finished. */
static int run(cli_detect_job *j, leat_error *error) {
    cli_progress progress;
    leat_source_info info;
    int status = leat_detect_stream_start(j->stream, error), finished = 0;
    cli_progress_start(&progress, "detect");
    while (status == LEAT_OK || status == LEAT_EAGAIN) {
        leat_detect_stream_stats stats;
        status = leat_detect_stream_wait(j->stream, POLL_NS, error);
        if (status != LEAT_EAGAIN) break;
        if (!finished && (cli_interrupted() || ferror(stdout))) {
            leat_detect_stream_finish(j->stream);
            finished = 1;
        }
        leat_source_describe(j->source, &info);
        leat_detect_stream_get_stats(j->stream, &stats);
        if (!cli_text(j->args, OPT_STATS)) cli_progress_show(&progress, (double)stats.frames, info.frames > 0 ? (double)info.frames : 0, "frames");
    }
    cli_progress_end(&progress);
    return status;
}

static json_t *summary(cli_detect_job *j) {
    leat_detect_stream_stats s;
    leat_detector_info d;
    leat_source_info source;
    leat_detect_stream_get_stats(j->stream, &s);
    leat_detect_stream_get_detector(j->stream, &d);
    leat_source_describe(j->source, &source);
    double n = s.frames > 0 ? (double)s.frames : 1;
    json_t *o = cli_pipeline_json(leat_detect_stream_pipeline(j->stream));
    json_t *more = json_pack("{s:I, s:I, s:I, s:I, s:s, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:I}", "detections", (json_int_t)s.detections,
                             "candidates", (json_int_t)s.candidates, "tracks", (json_int_t)s.tracker.tracks, "anchors", (json_int_t)d.anchors, "decoder",
                             leat_decoder_name(d.decoder), "classes", (int)d.classes, "preprocess_ms", s.preprocess_ms / n, "infer_ms", s.infer_ms / n,
                             "decode_ms", s.decode_ms / n, "nms_ms", s.nms_ms / n, "track_ms", s.track_ms / n, "draw_ms", s.draw_ms / n, "write_ms",
                             s.write_ms / n, "late", (json_int_t)source.late, "damaged", (json_int_t)source.damaged, "retimed", (json_int_t)source.retimed);
    json_object_update(o, more);
    json_decref(more);
    return o;
}

/* Budgets are of runs that went well. */
static int check_budgets(const cli_detect_job *j) {
    leat_pipeline_stats s = {0};
    const cli_args *args = j->args;
    leat_pipeline_get_stats(leat_detect_stream_pipeline(j->stream), &s);
    int status = CLI_DONE;
    if (cli_is_set(args, OPT_BUDGET) && !(s.latency.p95_ms <= cli_number(args, OPT_BUDGET))) {
        cli_fail("latency p95 %.2f ms is above the budget of %.2f ms", s.latency.p95_ms, cli_number(args, OPT_BUDGET));
        status = CLI_NOT_MET;
    }
    if (cli_is_set(args, OPT_MIN_FPS) && !(s.fps >= cli_number(args, OPT_MIN_FPS))) {
        cli_fail("%.2f frames/s are fewer than %.2f", s.fps, cli_number(args, OPT_MIN_FPS));
        status = CLI_NOT_MET;
    }
    return status;
}

static int tell(cli_detect_job *j, int to_files) {
    leat_detect_stream_stats done;
    leat_source_info source;
    leat_error error = {0};
    const char *trace = cli_text(j->args, OPT_TRACE);
    leat_detect_stream_get_stats(j->stream, &done);
    leat_source_describe(j->source, &source);
    if (to_files && cli_int(j->args, OPT_JSON)) cli_print_json(summary(j));
    int worth_it = to_files || cli_text(j->args, OPT_STATS) || done.frames >= LEAST_TABLE;
    if (worth_it && !cli_int(j->args, OPT_QUIET)) cli_pipeline_table(leat_detect_stream_pipeline(j->stream));
    if (source.damaged) cli_note("%lld damaged pictures or packets were left out", (long long)source.damaged);
    if (source.retimed) cli_note("%lld frames had no usable time stamp; theirs were made up", (long long)source.retimed);
    int failed = trace ? leat_pipeline_write_trace(leat_detect_stream_pipeline(j->stream), trace, &error) : LEAT_OK;
    return failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
}

int cli_detect(const cli_args *args) {
    cli_detect_job j = {.args = args};
    leat_error error = {0};
    int to_files = cli_is_set(args, OPT_OUTPUTS);
    int status = cli_detect_open(&j, to_files ? NULL : cli_int(args, OPT_JSON) ? print_json : print_text);
    if (status == CLI_DONE) {
        int failed = run(&j, &error);
        if (failed != LEAT_OK) status = cli_fail_error(failed, &error);
        int told = tell(&j, to_files);
        if (status == CLI_DONE) status = told;
        if (status == CLI_DONE && cli_interrupted()) status = CLI_INTERRUPTED;
        if (status == CLI_DONE) status = check_budgets(&j);
    }
    cli_detect_close(&j);
    return status;
}
