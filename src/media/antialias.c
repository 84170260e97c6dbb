/* antialias.c - footprints of the triangle filter (contract in antialias.h). */
#include "media/antialias.h"

leat_footprint leat__footprint(int64_t to, int64_t resized, int source) {
    double         scale = (double)source / (double)resized;
    leat_footprint f = {.centre = ((double)to + 0.5) * scale, .radius = scale > 1 ? scale : 1, .factor = 1};
    double         begin = f.centre - f.radius + 0.5, end = f.centre + f.radius + 0.5, sum = 0;
    f.first = begin > 0 ? (int)begin : 0;
    int last = end < source ? (int)end : source;
    f.count = last > f.first ? last - f.first : 0;
    for (int i = 0; i < f.count; i++) sum += leat__footprint_weight(&f, f.first + i);
    if (sum > 0) f.factor = 1 / sum;
    return f;
}

size_t leat__antialias_most_weights(int columns, int source) { return 2 * (size_t)source + 4 * (size_t)columns; }
