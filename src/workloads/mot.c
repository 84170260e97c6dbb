/* mot.c - MOT Challenge text files: a line a box, "frame,id,left,top,width,height,score,class".
 *
 * Whatever a file may hold is refused with its line number rather than guessed at: fewer than six fields, text where numbers belong, a number
 * that is not finite.  Sizes of zero or below are allowed (the tracker leaves such boxes out).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "leat/track.h"

enum { FIELDS = 8, NEEDED = 6 };
#define MAX_FILE_BYTES ((size_t)1 << 30)

static int is_gap(char c) { return c == ',' || c == ' ' || c == '\t' || c == ';'; }

/* Reads up to FIELDS numbers of [at, end); returns their number, or -1 when one is none.  The text goes on behind `end` with a line end or NUL. */
static int read_fields(const char *at, const char *end, double *fields) {
    int n = 0;
    while (n < FIELDS) {
        char *past;
        while (at < end && is_gap(*at)) at++;
        if (at >= end) return n;
        fields[n] = strtod(at, &past);
        if (past == at || past > end || (past < end && !is_gap(*past)) || !isfinite(fields[n])) return -1;
        at = past;
        n++;
    }
    return n;
}

static int to_row(const double *f, int n, leat_mot_row *row) {
    const double limit = 9007199254740992.0;
    if (n < NEEDED || f[0] < 0 || f[0] > limit || f[0] != floor(f[0])) return 0;
    *row = (leat_mot_row){.frame = (int64_t)f[0]};
    leat_detection *d = &row->detection;
    d->x1 = (float)f[2], d->y1 = (float)f[3];
    d->x2 = (float)(f[2] + f[4]), d->y2 = (float)(f[3] + f[5]);
    d->track = f[1] > 0 && f[1] <= INT32_MAX ? (int32_t)f[1] : 0;
    d->score = n > 6 ? (float)f[6] : 1;
    d->class_id = n > 7 && f[7] >= 0 && f[7] <= INT32_MAX ? (int32_t)f[7] : -1;
    return isfinite(d->x2) && isfinite(d->y2) && isfinite(d->x1) && isfinite(d->y1);
}

/* Keeps the order of a frame's lines: the rows' places break ties. */
static int by_frame(const void *a, const void *b) {
    const leat_mot_row *p = a, *q = b;
    return p->frame < q->frame ? -1 : p->frame > q->frame ? 1 : p->detection.landmarks - q->detection.landmarks;
}

/* The places stand in `landmarks` while sorting. */
static void sort_rows(leat_mot_row *rows, int64_t n) {
    int sorted = 1;
    for (int64_t i = 1; i < n; i++) sorted &= rows[i - 1].frame <= rows[i].frame;
    if (sorted) return;
    for (int64_t i = 0; i < n; i++) rows[i].detection.landmarks = (int32_t)i;
    qsort(rows, (size_t)n, sizeof *rows, by_frame);
    for (int64_t i = 0; i < n; i++) rows[i].detection.landmarks = 0;
}

static int64_t count_lines(const char *text, size_t bytes) {
    int64_t n = 1;
    for (size_t i = 0; i < bytes; i++) n += text[i] == '\n';
    return n;
}

/* text[bytes] is NUL. */
static int parse_lines(const char *text, size_t bytes, leat_mot_row *rows, int64_t *count, leat_error *error) {
    const char *end = text + bytes, *next;
    int64_t line = 1;
    for (const char *at = text; at < end; at = next + 1, line++) {
        double fields[FIELDS];
        next = memchr(at, '\n', (size_t)(end - at));
        if (!next) next = end;
        const char *stop = next > at && next[-1] == '\r' ? next - 1 : next;
        while (at < stop && is_gap(*at)) at++;
        if (at == stop || *at == '#') continue;
        int n = read_fields(at, stop, fields);
        if (n < 0 || !to_row(fields, n, &rows[*count]))
            return leat__fail_at(error, LEAT_EFORMAT, (uint64_t)(at - text),
                                 "line %lld: not \"frame,id,left,top,width,height[,score[,class]]\" in numbers: %.40s", (long long)line, at);
        ++*count;
    }
    return LEAT_OK;
}

/* Parses text that ends with a NUL behind its bytes. */
static int parse_terminated(const char *text, size_t bytes, leat_mot_row **rows, int64_t *count, leat_error *error) {
    int64_t lines = count_lines(text, bytes);
    *rows = NULL;
    *count = 0;
    if (lines > INT32_MAX) return leat__fail(error, LEAT_ELIMIT, "more than %d lines", INT32_MAX);
    leat_mot_row *found = leat__calloc((size_t)lines, sizeof *found, LEAT_MEMORY_IO);
    if (!found) return leat__fail(error, LEAT_ENOMEM, "no memory for %lld lines", (long long)lines);
    int status = parse_lines(text, bytes, found, count, error);
    if (status != LEAT_OK) {
        leat__free(found);
        *count = 0;
        return status;
    }
    sort_rows(found, *count);
    *rows = found;
    return LEAT_OK;
}

int leat_mot_parse(const char *text, size_t bytes, leat_mot_row **rows, int64_t *count, leat_error *error) {
    *rows = NULL;
    *count = 0;
    char *copy = bytes < MAX_FILE_BYTES ? leat__alloc(bytes + 1, LEAT_MEMORY_IO) : NULL;
    if (!copy) return leat__fail(error, bytes < MAX_FILE_BYTES ? LEAT_ENOMEM : LEAT_ELIMIT, "no room for a text of %zu bytes", bytes);
    memcpy(copy, text, bytes);
    copy[bytes] = 0;
    int status = parse_terminated(copy, bytes, rows, count, error);
    leat__free(copy);
    return status;
}

int leat_mot_read(const char *path, leat_mot_row **rows, int64_t *count, leat_error *error) {
    char  *text = NULL;
    size_t bytes = 0;
    *rows = NULL;
    *count = 0;
    int status = leat__read_file(strcmp(path, "-") == 0 ? "/dev/stdin" : path, MAX_FILE_BYTES, &text, &bytes, error);
    if (status != LEAT_OK) return status;
    status = parse_terminated(text, bytes, rows, count, error);
    leat__free(text);
    return status == LEAT_OK ? status : leat__fail_prefix(error, status, "%s", path);
}

void leat_mot_free(leat_mot_row *rows) { leat__free(rows); }

int leat_mot_format(const leat_mot_row *row, char *line) {
    const leat_detection *d = &row->detection;
    int n = snprintf(line, LEAT_MOT_LINE, "%lld,%d,%.2f,%.2f,%.2f,%.2f,%.4f,%d,-1,-1\n", (long long)row->frame, d->track > 0 ? (int)d->track : -1,
                     (double)d->x1, (double)d->y1, (double)d->x2 - (double)d->x1, (double)d->y2 - (double)d->y1, (double)d->score, (int)d->class_id);
    return n < LEAT_MOT_LINE ? n : LEAT_MOT_LINE - 1;
}
