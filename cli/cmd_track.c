/* cmd_track.c - `leat track`: the tracker alone, from MOT Challenge text to MOT Challenge text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "leat/track.h"
#include "options.h"
#include "report.h"
#include "term.h"
#include "text_file.h"

typedef struct job {
    const cli_args *args;
    leat_mot_row   *rows;
    int64_t         n_rows;
    leat_tracker   *tracker;
    leat_detection *boxes; /* [most rows of a frame]: in, then out */
    FILE           *out;
    cli_text_file   text; /* what is being written, unless it is standard output */
    int64_t         frames, given, written, update_ns;
} job;

static int64_t rows_of_frame(const job *j, int64_t at) {
    int64_t n = 1;
    while (at + n < j->n_rows && j->rows[at + n].frame == j->rows[at].frame) n++;
    return n;
}

static int64_t most_rows(const job *j) {
    int64_t most = 1;
    for (int64_t at = 0, n; at < j->n_rows; at += n) {
        n = rows_of_frame(j, at);
        if (n > most) most = n;
    }
    return most;
}

static int open_tracker(job *j) {
    leat_tracker_options options;
    leat_error error = {0};
    int64_t most = most_rows(j);
    leat_tracker_options_default(&options);
    options.kind = (leat_track_kind)cli_int(j->args, OPT_TRACKER);
    options.high = (float)cli_number(j->args, OPT_CONF);
    options.low = (float)cli_number(j->args, OPT_CONF_LOW);
    if (options.low > options.high) options.low = options.high;
    options.start = options.high;
    options.max_age = (float)cli_number(j->args, OPT_MAX_AGE);
    options.min_hits = cli_int(j->args, OPT_MIN_HITS);
    options.max_detections = most < 512 ? 512 : most > 65536 ? 65536 : (int32_t)most;
    if (most > options.max_detections) cli_note("a frame has %lld boxes; the first %d of a frame are used", (long long)most, options.max_detections);
    int failed = leat_tracker_open(&options, &j->tracker, &error);
    if (failed != LEAT_OK) return cli_fail_error(failed, &error);
    j->boxes = calloc((size_t)most, sizeof *j->boxes);
    return j->boxes ? CLI_DONE : cli_fail("out of memory");
}

static int open_output(job *j) {
    const char *path = cli_text(j->args, OPT_OUT);
    j->out = stdout;
    if (!path || strcmp(path, "-") == 0) {
        if (cli_int(j->args, OPT_JSON)) return cli_usage("--json prints a summary on standard output, where the tracks would go: name a file with --out");
        return CLI_DONE;
    }
    int status = cli_text_open(&j->text, path);
    j->out = j->text.file;
    return status;
}

static void write_tracks(job *j, int64_t frame, int count) {
    char line[LEAT_MOT_LINE];
    for (int i = 0; i < count; i++) {
        leat_mot_row row = {frame, j->boxes[i]};
        fwrite(line, 1, (size_t)leat_mot_format(&row, line), j->out);
    }
    j->written += count;
}

/* Frames without a line are frames without a box: the tracker is told how many there were. */
static int track_all(job *j) {
    int64_t last = j->n_rows ? j->rows[0].frame - 1 : 0;
    for (int64_t at = 0, n; at < j->n_rows && !cli_interrupted() && !ferror(j->out); at += n) {
        int count = 0;
        int64_t frame = j->rows[at].frame;
        n = rows_of_frame(j, at);
        for (int64_t i = 0; i < n; i++) j->boxes[i] = j->rows[at + i].detection;
        int64_t start = cli_now_ns();
        int failed = leat_tracker_update(j->tracker, j->boxes, (int)n, (float)(frame - last), j->boxes, &count);
        if (failed != LEAT_OK) return cli_fail("frame %lld: %s", (long long)frame, leat_status_text(failed));
        j->update_ns += cli_now_ns() - start;
        write_tracks(j, frame, count);
        last = frame;
        j->frames++;
        j->given += n;
    }
    return cli_interrupted() ? CLI_INTERRUPTED : CLI_DONE;
}

/* What was tracked before an interrupt is kept. */
static int close_output(job *j, int status) {
    int failed = cli_text_close(&j->text, status == CLI_DONE || status == CLI_INTERRUPTED);
    return failed ? failed : status;
}

static void summarise(const job *j) {
    leat_tracker_stats stats;
    double us = j->frames ? (double)j->update_ns / 1e3 / (double)j->frames : 0;
    leat_tracker_get_stats(j->tracker, &stats);
    if (cli_int(j->args, OPT_JSON))
        cli_print_json(json_pack("{s:I, s:I, s:I, s:I, s:i, s:f}", "frames", (json_int_t)j->frames, "detections", (json_int_t)j->given, "boxes",
                                 (json_int_t)j->written, "tracks", (json_int_t)stats.tracks, "most_at_once", (int)stats.most, "update_us", us));
    else cli_note("%lld frames, %lld detections: %lld boxes of %lld tracks, %.1f us a frame", (long long)j->frames, (long long)j->given,
                  (long long)j->written, (long long)stats.tracks, us);
}

int cli_track(const cli_args *args) {
    job j = {.args = args};
    leat_error error = {0};
    int failed = leat_mot_read(args->positional[0], &j.rows, &j.n_rows, &error);
    int status = failed == LEAT_OK ? open_tracker(&j) : cli_fail_error(failed, &error);
    if (status == CLI_DONE) status = open_output(&j);
    if (status == CLI_DONE) status = track_all(&j);
    status = close_output(&j, status);
    if (status == CLI_DONE || status == CLI_INTERRUPTED) summarise(&j);
    leat_mot_free(j.rows);
    leat_tracker_close(j.tracker);
    free(j.boxes);
    return status;
}
