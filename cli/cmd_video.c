/* cmd_video.c - `leat video`: frames from any source to any sinks, and how long that took. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "media_options.h"
#include "term.h"

enum { MOST_OUTPUTS = 8 };

typedef struct job {
    const cli_args *args;
    leat_source    *source;
    leat_sink      *sinks[MOST_OUTPUTS];
    int             n_sinks;
    void           *buffer;
    size_t          bytes;
    int64_t         start_ns, read_ns, write_ns;
} job;

static int open_sinks(job *j) {
    const cli_args *args = j->args;
    leat_sink_options o;
    leat_source_info info;
    leat_error error = {0};
    leat_source_describe(j->source, &info);
    leat_sink_options_default(&o);
    if (info.fps > 0) o.fps = info.fps;
    int status = cli_set_sink(args, &o);
    if (status) return status;
    for (int i = 0; i < args->n_items; i++) {
        if (args->items[i].id != OPT_OUTPUTS) continue;
        const char *text = args->items[i].text;
        if (j->n_sinks == MOST_OUTPUTS) return cli_usage("--out: more than %d", MOST_OUTPUTS);
        if (strcmp(text, "-") == 0 && cli_int(args, OPT_JSON)) return cli_usage("--json prints a summary on standard output, where --out - writes frames");
        int failed = leat_sink_open(strcmp(text, "null") == 0 ? "null:" : text, &o, &j->sinks[j->n_sinks], &error);
        if (failed != LEAT_OK) return cli_fail_error(failed, &error);
        j->n_sinks++;
    }
    return CLI_DONE;
}

/* The next frame; the buffer grows with the frames. */
static int read_frame(job *j, leat_frame *frame, leat_error *error) {
    for (;;) {
        leat_source_info info;
        int status = leat_source_next(j->source, j->buffer, j->bytes, frame, error);
        leat_source_describe(j->source, &info);
        if (status != LEAT_ELIMIT || info.frame_bytes <= j->bytes) return status;
        free(j->buffer);
        j->bytes = info.frame_bytes;
        j->buffer = aligned_alloc(64, (j->bytes + 63) / 64 * 64);
        if (!j->buffer) return LEAT_ENOMEM;
    }
}

static int copy_frames(job *j, leat_error *error) {
    cli_progress progress;
    leat_source_info info;
    leat_frame frame;
    int status;
    leat_source_describe(j->source, &info);
    cli_progress_start(&progress, "video");
    for (int64_t n = 0;; n++) {
        int64_t before = cli_now_ns();
        status = read_frame(j, &frame, error);
        int64_t after = cli_now_ns();
        j->read_ns += after - before;
        for (int i = 0; i < j->n_sinks && status == LEAT_OK; i++) status = leat_sink_write(j->sinks[i], &frame, error);
        j->write_ns += cli_now_ns() - after;
        if (status != LEAT_OK) break;
        cli_progress_show(&progress, (double)(n + 1), info.frames > 0 ? (double)info.frames : 0, "frames");
    }
    cli_progress_end(&progress);
    return status == LEAT_EEND ? LEAT_OK : status;
}

/* Finishes every sink, whatever happened before. */
static int close_sinks(job *j, int status) {
    for (int i = 0; i < j->n_sinks; i++) {
        leat_error error = {0};
        int failed = leat_sink_close(j->sinks[i], &error);
        if (failed != LEAT_OK) {
            int code = cli_fail_error(failed, &error);
            if (status == CLI_DONE) status = code;
        }
    }
    j->n_sinks = 0;
    return status;
}

static void report(const job *j, double seconds) {
    leat_source_info s;
    leat_source_describe(j->source, &s);
    double n = s.given ? (double)s.given : 1, rate = seconds > 0 ? (double)s.given / seconds : 0;
    if (cli_int(j->args, OPT_JSON)) {
        cli_print_json(json_pack("{s:s, s:s, s:i, s:i, s:s, s:f, s:I, s:f, s:f, s:f, s:f, s:I, s:I, s:I}", "kind", s.kind, "detail", s.detail, "width", (int)s.width,
                                 "height", (int)s.height, "format", leat_pixel_format_name(s.format), "input_fps", s.fps, "frames", (json_int_t)s.given, "seconds",
                                 seconds, "frames_per_s", rate, "read_ms", (double)j->read_ns / n / 1e6, "write_ms", (double)j->write_ns / n / 1e6, "late",
                                 (json_int_t)s.late, "damaged", (json_int_t)s.damaged, "retimed", (json_int_t)s.retimed));
        return;
    }
    cli_note("%s%s%s, %d x %d %s, %.6g frames/s", s.kind, s.detail[0] ? " " : "", s.detail, (int)s.width, (int)s.height, leat_pixel_format_name(s.format), s.fps);
    cli_note("%lld frames in %.2f s, %.1f frames/s: reading %.3f ms a frame, writing %.3f ms", (long long)s.given, seconds, rate, (double)j->read_ns / n / 1e6,
             (double)j->write_ns / n / 1e6);
    if (s.damaged) cli_note("%lld pictures or packets could not be decoded; the last: %s", (long long)s.damaged, s.damage);
    if (s.late) cli_note("%lld frames were left out, their time was over", (long long)s.late);
    if (s.retimed) cli_note("%lld frames had no usable time stamp", (long long)s.retimed);
}

int cli_video(const cli_args *args) {
    job j = {.args = args, .start_ns = cli_now_ns()};
    leat_error error = {0};
    int status = cli_open_source(args, &j.source);
    if (status == CLI_DONE) {
        cli_register_source(j.source);
        status = open_sinks(&j);
    }
    if (status == CLI_DONE) {
        int failed = copy_frames(&j, &error);
        if (failed != LEAT_OK && failed != LEAT_ECANCELLED) status = cli_fail_error(failed, &error);
        status = close_sinks(&j, status);
        report(&j, (double)(cli_now_ns() - j.start_ns) / 1e9);
    }
    status = close_sinks(&j, status);
    cli_register_source(NULL);
    leat_source_close(j.source);
    free(j.buffer);
    return status == CLI_DONE && cli_interrupted() ? CLI_INTERRUPTED : status;
}
