/* stats.c - summary of a sample. */
#include "base/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(const double *sorted, size_t n, double p) {
    double rank = p * (double)(n - 1);
    size_t below = (size_t)rank;
    if (below + 1 >= n) return sorted[n - 1];
    return sorted[below] + (rank - (double)below) * (sorted[below + 1] - sorted[below]);
}

void leat__summarise(double *values, size_t n, leat_summary *s) {
    memset(s, 0, sizeof *s);
    s->n = n;
    if (n == 0) return;
    qsort(values, n, sizeof *values, by_value);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) sum += values[i];
    s->mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) squares += (values[i] - s->mean) * (values[i] - s->mean);
    s->sd = n > 1 ? sqrt(squares / (double)(n - 1)) : 0;
    s->min = values[0];
    s->max = values[n - 1];
    s->p50 = percentile(values, n, 0.50);
    s->p90 = percentile(values, n, 0.90);
    s->p95 = percentile(values, n, 0.95);
    s->p99 = percentile(values, n, 0.99);
    s->p999 = percentile(values, n, 0.999);
}
