/* stats.h - summary of a sample: mean, sd, min, max, percentiles. */
#ifndef LEAT_BASE_STATS_H
#define LEAT_BASE_STATS_H

#include <stddef.h>

typedef struct leat_summary {
    size_t n;
    double mean, sd, min, max, p50, p90, p95, p99, p999;
} leat_summary;

/* Sorts `values` [n] in place and fills *s (percentiles by linear interpolation between closest ranks; sd with n-1). */
void leat__summarise(double *values, size_t n, leat_summary *s);

#endif
