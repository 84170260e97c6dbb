/* histogram.c - logarithmic buckets with linear steps inside a power of two. */
#include "pipeline/histogram.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#define SUBS (1 << LEAT__SUB_BITS)
#define NS_PER_MS 1e6

static int bucket_of(int64_t ns) {
    if (ns < SUBS) return (int)ns;
    int top = 63 - __builtin_clzll((unsigned long long)ns);
    if (top > LEAT__TOP_BIT) return LEAT__BUCKETS - 1;
    int shift = top - LEAT__SUB_BITS;
    return (shift << LEAT__SUB_BITS) + (int)(ns >> shift);
}

/* Smallest value of a bucket, ns. */
static double bucket_floor(int bucket) {
    if (bucket < SUBS) return bucket;
    int shift = (bucket >> LEAT__SUB_BITS) - 1;
    return ldexp(SUBS + (bucket & (SUBS - 1)), shift);
}

/* One writer: a plain load and store is enough, atomic so that readers see whole values. */
#define BUMP(field, by) \
    atomic_store_explicit(&(field), atomic_load_explicit(&(field), memory_order_relaxed) + (by), memory_order_relaxed)
#define GET(field) atomic_load_explicit(&(field), memory_order_relaxed)

void leat__histogram_add(leat__histogram *h, int64_t ns) {
    if (ns < 0) ns = 0;
    double ms = (double)ns / NS_PER_MS;
    uint64_t n = GET(h->n);
    if (n == 0 || ns < GET(h->min)) atomic_store_explicit(&h->min, ns, memory_order_relaxed);
    if (n == 0 || ns > GET(h->max)) atomic_store_explicit(&h->max, ns, memory_order_relaxed);
    BUMP(h->sum, ms);
    BUMP(h->squares, ms * ms);
    BUMP(h->bucket[bucket_of(ns)], 1);
    atomic_store_explicit(&h->n, n + 1, memory_order_relaxed);
}

void leat__tally_add(leat__tally *tally, const leat__histogram *h) {
    uint64_t n = GET(h->n);
    if (n == 0) return;
    int64_t min = GET(h->min), max = GET(h->max);
    if (tally->n == 0 || min < tally->min) tally->min = min;
    if (tally->n == 0 || max > tally->max) tally->max = max;
    tally->n += n;
    tally->sum += GET(h->sum);
    tally->squares += GET(h->squares);
    for (int i = 0; i < LEAT__BUCKETS; i++) tally->bucket[i] += GET(h->bucket[i]);
}

/* The value below which a share p lies, ms: linear inside its bucket, never outside [min, max]. */
static double percentile_ms(const leat__tally *t, double p) {
    double rank = p * (double)t->n, below = 0;
    for (int i = 0; i < LEAT__BUCKETS; i++) {
        double here = (double)t->bucket[i];
        if (here == 0 || below + here < rank) {
            below += here;
            continue;
        }
        double from = bucket_floor(i), ns = from + (bucket_floor(i + 1) - from) * (rank - below) / here;
        return fmin(fmax(ns, (double)t->min), (double)t->max) / NS_PER_MS;
    }
    return (double)t->max / NS_PER_MS;
}

void leat__tally_timing(const leat__tally *t, leat_timing *timing) {
    memset(timing, 0, sizeof *timing);
    if (t->n == 0) return;
    double n = (double)t->n, mean = t->sum / n;
    timing->n = t->n;
    timing->mean_ms = mean;
    timing->sd_ms = t->n > 1 ? sqrt(fmax(0, (t->squares - n * mean * mean) / (n - 1))) : 0;
    timing->min_ms = (double)t->min / NS_PER_MS;
    timing->max_ms = (double)t->max / NS_PER_MS;
    timing->p50_ms = percentile_ms(t, 0.50);
    timing->p95_ms = percentile_ms(t, 0.95);
    timing->p99_ms = percentile_ms(t, 0.99);
    timing->p999_ms = percentile_ms(t, 0.999);
}

void leat__histogram_timing(const leat__histogram *h, leat_timing *timing) {
    leat__tally tally = {0};
    leat__tally_add(&tally, h);
    leat__tally_timing(&tally, timing);
}
