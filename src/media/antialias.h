/* antialias.h - shrinking with a triangle filter that is as wide as the shrinking asks for, both axes, row by row.
 *
 * With source / resized = s > 1 the filter of output position x is max(0, 1 - |d| / s) over the distance d in source pixels, normalised;
 * edges cut it off.  Going down the output, a source row belongs to at most two output rows, so two sums are kept and every source
 * row is shrunk once.
 */
#ifndef LEAT_MEDIA_ANTIALIAS_H
#define LEAT_MEDIA_ANTIALIAS_H

#include <stddef.h>
#include <stdint.h>

/* The filter's footprint on one axis: source positions [first, first + count) and the factor that makes the weights' sum 1. */
typedef struct leat_footprint {
    int    first, count;
    double centre, radius, factor;
} leat_footprint;

/* Output position `to` of [0, resized) over `source` pixels. */
leat_footprint leat__footprint(int64_t to, int64_t resized, int source);
static inline double leat__footprint_weight(const leat_footprint *f, int position) {
    double d = (position + 0.5 - f->centre) / f->radius;
    double w = 1.0 - (d < 0 ? -d : d);
    return w > 0 ? w * f->factor : 0;
}

/* Weights that all columns of one output row can need at most. */
size_t leat__antialias_most_weights(int columns, int source);

#endif
