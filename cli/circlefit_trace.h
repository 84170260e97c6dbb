/* circlefit_trace.h - the course of a fit as JSON lines. */
#ifndef LEAT_CLI_CIRCLEFIT_TRACE_H
#define LEAT_CLI_CIRCLEFIT_TRACE_H

#include <stdio.h>

#include "leat/circlefitter.h"

typedef struct circlefit_trace {
    FILE   *file; /* NULL = none */
    double  mse;  /* of the last line */
    int64_t circles, sweep;
} circlefit_trace;

/* path NULL = no trace.  When `resume`, lines of later steps than `steps` go and the file is continued; else it begins anew.
 * 0, or an exit status after a message. */
int circlefit_trace_open(circlefit_trace *trace, const char *path, int resume, int64_t steps);
/* One line when the cost has fallen and a circle, a sweep or an iteration is complete:
 * {"step", "phase", "stage", "iteration", "sweep", "circles", "mse", "psnr_db", "evaluations", "elapsed_s"}. */
int circlefit_trace_add(circlefit_trace *trace, const leat_circlefit_info *info, double elapsed_s);
int circlefit_trace_close(circlefit_trace *trace);

#endif
