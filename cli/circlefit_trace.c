/* circlefit_trace.c - see circlefit_trace.h.  Each line is flushed, so that a killed run leaves whole lines but for the last. */
#include "circlefit_trace.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "report.h"
#include "term.h"

#define LINE_BYTES 512

/* Offset behind the last whole line whose step is at most `steps`; takes its cost and place. */
static long keep_lines(FILE *file, int64_t steps, circlefit_trace *trace) {
    char line[LINE_BYTES];
    long end = 0;
    while (fgets(line, sizeof line, file)) {
        json_t *object = strchr(line, '\n') ? json_loads(line, 0, NULL) : NULL;
        int good = object && json_is_integer(json_object_get(object, "step")) && json_integer_value(json_object_get(object, "step")) <= steps;
        if (good) {
            trace->mse = json_number_value(json_object_get(object, "mse"));
            trace->circles = json_integer_value(json_object_get(object, "circles"));
            trace->sweep = json_integer_value(json_object_get(object, "sweep"));
            end = ftell(file);
        }
        json_decref(object);
        if (!good) break;
    }
    return end;
}

int circlefit_trace_open(circlefit_trace *trace, const char *path, int resume, int64_t steps) {
    *trace = (circlefit_trace){.mse = INFINITY, .sweep = -1};
    if (!path) return CLI_DONE;
    trace->file = resume ? fopen(path, "r+") : NULL;
    if (trace->file) {
        long end = keep_lines(trace->file, steps, trace);
        if (ftruncate(fileno(trace->file), end) != 0 || fseek(trace->file, end, SEEK_SET) != 0) return cli_fail("--trace: %s: %s", path, strerror(errno));
        return CLI_DONE;
    }
    trace->file = fopen(path, "w");
    return trace->file ? CLI_DONE : cli_fail("--trace: %s: %s", path, strerror(errno));
}

int circlefit_trace_add(circlefit_trace *trace, const leat_circlefit_info *info, double elapsed_s) {
    if (!trace->file || info->mse >= trace->mse) return CLI_DONE;
    int polishing = strcmp(info->phase, "polish") == 0 || strcmp(info->phase, "relocate") == 0;
    if (polishing && info->circles == trace->circles && info->sweep == trace->sweep) return CLI_DONE;
    trace->mse = info->mse;
    trace->circles = info->circles;
    trace->sweep = info->sweep;
    json_t *line = json_pack("{sI ss sI sI sI sI so so sI so}", "step", (json_int_t)info->steps, "phase", info->phase, "stage", (json_int_t)info->stage, "iteration",
                             (json_int_t)info->iteration, "sweep", (json_int_t)info->sweep, "circles", (json_int_t)info->circles, "mse", cli_json_number(info->mse),
                             "psnr_db", cli_json_number(info->psnr_db), "evaluations", (json_int_t)info->evaluations, "elapsed_s", cli_json_number(elapsed_s));
    char *text = line ? json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(line);
    if (!text) return cli_fail("out of memory");
    int bad = fprintf(trace->file, "%s\n", text) < 0 || fflush(trace->file) != 0;
    free(text);
    return bad ? cli_fail("--trace: %s", strerror(errno)) : CLI_DONE;
}

int circlefit_trace_close(circlefit_trace *trace) {
    if (!trace->file || fclose(trace->file) == 0) return CLI_DONE;
    return cli_fail("--trace: %s", strerror(errno));
}
