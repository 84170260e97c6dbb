/* histogram.h - times in buckets: fixed size, one writer, any number of readers.
 *
 * Nanoseconds 0..2^45 fall into 32 buckets per power of two, so a percentile is within 1.6 % of the value; count, sum, minimum
 * and maximum are exact.  The writer never waits; a reader may see the last value half counted, which shifts no figure
 * noticeably.
 */
#ifndef LEAT_PIPELINE_HISTOGRAM_H
#define LEAT_PIPELINE_HISTOGRAM_H

#include <stdint.h>

#include "leat/pipeline.h"

enum { LEAT__SUB_BITS = 5, LEAT__TOP_BIT = 44, LEAT__BUCKETS = (LEAT__TOP_BIT - LEAT__SUB_BITS + 2) << LEAT__SUB_BITS };

typedef struct leat__histogram {
    _Atomic uint64_t n;
    _Atomic double   sum, squares; /* ms, ms^2 */
    _Atomic int64_t  min, max;     /* ns, valid when n > 0 */
    _Atomic uint32_t bucket[LEAT__BUCKETS];
} leat__histogram;

/* Several histograms added up by a reader.  Zero-initialise. */
typedef struct leat__tally {
    uint64_t n;
    double   sum, squares;
    int64_t  min, max;
    uint64_t bucket[LEAT__BUCKETS];
} leat__tally;

/* Counts one value; negative ones as 0.  RT-safe; one thread at a time. */
void leat__histogram_add(leat__histogram *h, int64_t ns);
/* Adds what `h` holds to the tally.  Any thread. */
void leat__tally_add(leat__tally *tally, const leat__histogram *h);
void leat__tally_timing(const leat__tally *tally, leat_timing *timing);
/* The two in one, for a single histogram. */
void leat__histogram_timing(const leat__histogram *h, leat_timing *timing);

#endif
